//! The job state machine: plan, rows and events in, changes and effects out. No IO.
