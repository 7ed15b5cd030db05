//! The embedded store on SQLite: one writer thread, group commit, logs in a second file.
