//! The table of demands in the document on testing: every test that it names exists.

use std::collections::BTreeSet;

use super::{Problem, rust, source::Source};

/// The document with the table, and the heading above it.
const FILE: &str = "docs/TESTING.md";
const HEADING: &str = "## Demands";

/// Problems of a document, if it is the one with the table; `tests` are the names of all tests.
pub(crate) fn check(file: &str, text: &str, tests: &BTreeSet<String>) -> Vec<Problem> {
    if file != FILE {
        return vec![];
    }
    let mut problems = vec![];
    let rows: Vec<(usize, &str)> = rows(text).collect();
    if rows.is_empty() {
        problems.push(Problem::new(file, 0, format!("has no table under `{HEADING}`")));
    }
    for (line, row) in rows {
        let tests_of_row = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        let named: Vec<&str> = tests_of_row.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            problems.push(Problem::new(file, line, "a demand without a test"));
        }
        let missing = named.iter().filter(|name| !exists(name, tests));
        problems.extend(missing.map(|name| Problem::new(file, line, format!("there is no test `{name}`"))));
    }
    problems
}

/// The names of the tests of a file: what is marked as one, and every function of a conformance suite.
pub(crate) fn tests(file: &str, source: &Source) -> Vec<String> {
    let marked = rust::tests(source).into_iter().map(|(_, name)| name.to_owned());
    if !file.contains("/conformance/") {
        return marked.collect();
    }
    let public = source.all_code().filter(|(_, code)| code.trim().starts_with("pub async fn "));
    marked.chain(public.filter_map(|(_, code)| rust::function_name(code)).map(str::to_owned)).collect()
}

/// A star at the end stands for anything.
fn exists(name: &str, tests: &BTreeSet<String>) -> bool {
    match name.strip_suffix('*') {
        Some(start) => tests.iter().any(|test| test.starts_with(start)),
        None => tests.contains(name),
    }
}

/// The rows of the table below its two head lines.
fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let section = numbered.skip_while(|(_, line)| *line != HEADING).skip(1);
    section.take_while(|(_, line)| !line.starts_with('#')).filter(|(_, line)| line.starts_with('|')).skip(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &str, expected: &[(usize, &str)]) {
        let text =
            format!("# T\n\n{HEADING}\n\n| a | b | c |\n| --- | --- | --- |\n{rows}\n## Other\n| x |\n");
        let tests = ["cancel_kills_all", "system_a_b_c", "system_a_b_d"].map(str::to_owned).into();
        let problems = super::check(FILE, &text, &tests);
        let found: Vec<_> = problems.iter().map(|p| (p.line, p.message.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_named_test_must_exist() {
        check("| 1 | x | `cancel_kills_all` |", &[]);
        check("| 1 | x | `cancel_kills_all`, `gone_for_good` |", &[(7, "there is no test `gone_for_good`")]);
        check("| 1 | x | |", &[(7, "a demand without a test")]);
    }

    #[test]
    fn a_star_stands_for_anything() {
        check("| 1 | x | `system_a_b_*` |", &[]);
        check("| 1 | x | `system_x_*` |", &[(7, "there is no test `system_x_*`")]);
    }

    #[test]
    fn a_missing_table_is_a_problem() {
        let message = format!("has no table under `{HEADING}`");
        assert_eq!(super::check(FILE, "# T\n", &BTreeSet::new()), [Problem::new(FILE, 0, message)]);
        assert_eq!(super::check("docs/OTHER.md", "# T\n", &BTreeSet::new()), []);
    }

    #[test]
    fn conformance_suites_have_tests_without_marks() {
        let text = "pub async fn it_holds_there(store: &dyn Store) {}\n#[test]\nfn another_one_holds() {}\n";
        let source = Source::new(text);
        assert_eq!(tests("a/src/conformance/b.rs", &source), ["another_one_holds", "it_holds_there"]);
        assert_eq!(tests("a/src/b.rs", &source), ["another_one_holds"]);
    }
}
