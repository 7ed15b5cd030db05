//! Use cases and background services between the engine and its store. No HTTP, no SQL.
