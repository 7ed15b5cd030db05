//! How the programs that run scripts are called.

/// What stands between a program of [`stroem_core::Language::toolchains`] and the script's file.
pub fn arguments(program: &str) -> &'static [&'static str] {
    match program {
        // A script is no project: uv neither looks for one nor makes one. It takes the host's Python where there is one,
        // without the network; it goes there only for a script that declares packages itself.
        "uv" => &["run", "--no-project", "--quiet"],
        "bun" | "deno" | "go" => &["run"],
        _ => &[],
    }
}
