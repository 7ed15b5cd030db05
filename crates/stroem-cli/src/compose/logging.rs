//! What servers and workers in this process say about themselves, on the standard error.

/// Begins to write messages of at least this level; `RUST_LOG` overrides it.
pub(crate) fn start(level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let format = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .with_ansi(console::colors_enabled_stderr())
        .with_target(false);
    // A second start in one process keeps the first.
    let _already_started = format.try_init();
}
