//! The worker: register, claim, prepare, run, report, drain.
