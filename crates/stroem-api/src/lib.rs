//! Wire types of the public and the worker API, and their clients.
