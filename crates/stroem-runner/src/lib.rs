//! The runner port: how a step's attempt is prepared, started, followed, stopped and cleaned up.
