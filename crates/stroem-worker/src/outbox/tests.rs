//! What waits for the server, and what comes back.
