//! How large a test is: short by itself, of the demand's size in `cargo xtask proof`.

/// Whether the sizes of the demands are asked for.
#[expect(clippy::disallowed_methods, reason = "the one place where tests ask for their size")]
pub(crate) fn is_full() -> bool {
    std::env::var("STROEM_PROOF").is_ok_and(|size| size == "full")
}

/// One of two sizes.
pub(crate) fn sized<T>(short: T, full: T) -> T {
    if is_full() { full } else { short }
}

/// Where chance begins: `STROEM_SEED`, else the same every time. It is printed, so that a failure shows it.
#[expect(clippy::disallowed_methods, reason = "the one place where tests ask for their seed")]
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("STROEM_SEED").map_or(1, |text| text.parse().expect("STROEM_SEED is a number"));
    say(&format!("STROEM_SEED={seed}"));
    seed
}

/// Says a figure; `cargo xtask proof` puts it beside the test's name.
#[expect(clippy::print_stdout, reason = "figures of a test are for whoever runs it")]
pub(crate) fn say(text: &str) {
    println!("figure: {text}");
}
