//! Files stay readable: a soft limit for the code of the product with a shrinking list of exceptions, a hard
//! one for everything with none.

use super::{
    Problem,
    allow::{Allowances, Verdict},
    source::Source,
};

/// Lines of code beside tests, above which a file needs an exception.
const SOFT_LIMIT: usize = 400;
/// Lines of code, tests included, that no file exceeds.
const HARD_LIMIT: usize = 700;

/// Problems with the size of a Rust file.
pub(crate) fn check(file: &str, source: &Source, allowances: &mut Allowances) -> Vec<Problem> {
    let (all, product) = source.lines_of_code();
    let mut problems = vec![];
    if all > HARD_LIMIT {
        let message = format!("{all} lines of code, {HARD_LIMIT} at most: split it");
        problems.push(Problem::new(file, 0, message));
    }
    // A file of tests is a list of facts, for which the hard limit is enough.
    let counted = if super::rust::is_test_file(file) { 0 } else { product };
    match allowances.check("file-lines", file, SOFT_LIMIT, counted) {
        Verdict::Fine => {}
        Verdict::TooMany { allowed } => {
            let message = format!("{counted} lines of code beside tests, {allowed} at most: split it");
            problems.push(Problem::new(file, 0, message));
        }
        Verdict::Loose(problem) => problems.push(problem),
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, product: usize, tests: usize, expected: &[&str]) {
        let text =
            format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "a();\n".repeat(product), "b();\n".repeat(tests));
        let found = super::check(file, &Source::new(&text), &mut Allowances::default());
        assert_eq!(found.iter().map(|p| p.message.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_code_of_the_product_counts_against_the_soft_limit() {
        check("crates/a/src/b.rs", 400, 100, &[]);
        check("crates/a/src/b.rs", 401, 0, &["401 lines of code beside tests, 400 at most: split it"]);
        check("crates/a/tests/b/main.rs", 401, 0, &[]);
    }

    #[test]
    fn everything_counts_against_the_hard_limit() {
        check("crates/a/src/b.rs", 100, 598, &["701 lines of code, 700 at most: split it"]);
    }
}
