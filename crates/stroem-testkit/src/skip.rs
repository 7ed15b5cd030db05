//! Skips that are seen.

use std::io::Write as _;

/// Notes that a test was skipped and why: on its output, and in the list that the program which started the tests asked
/// for.
///
/// # Panics
/// When the list cannot be written.
#[expect(clippy::print_stdout, reason = "the output of a test")]
#[expect(clippy::disallowed_methods, reason = "tests have no configuration that could say it")]
pub fn skip(test: &str, reason: &str) {
    println!("{test} skipped: {reason}");
    if let Some(list) = std::env::var_os("STROEM_SKIP_FILE") {
        let file = std::fs::File::options().append(true).create(true).open(list);
        file.and_then(|mut file| writeln!(file, "{test}: {reason}"))
            .expect("the list of skipped tests can be written");
    }
}
