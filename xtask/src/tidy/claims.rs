//! The claims of a page and the tests that show them stay in step: in `docs/RUNNERS.md` the last column of a claim
//! names tests that exist, or says `open:` and why.

use std::collections::BTreeSet;

use super::Problem;

/// The pages with claims.
pub(crate) const PAGES: &[&str] = &["docs/RUNNERS.md"];

/// Names of functions in a source file; a case of a conformance suite is one as well.
pub(crate) fn functions(text: &str) -> impl Iterator<Item = String> + '_ {
    text.match_indices("fn ").filter_map(|(at, _)| {
        let is_word =
            text[..at].chars().next_back().is_none_or(|before| before.is_whitespace() || before == '(');
        let name: String = text[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (is_word && !name.is_empty()).then_some(name)
    })
}

/// Problems of a page's claims.
pub(crate) fn check(file: &str, text: &str, tests: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut is_table = false;
    for (index, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
        if !line.starts_with('|') {
            is_table = false;
        } else if cells.first() == Some(&"#") {
            is_table = true;
        } else if is_table && !line.starts_with("| ---") {
            problems.extend(refusals(&cells, tests).map(|message| Problem::new(file, index + 1, message)));
        }
    }
    problems
}

fn refusals<'a>(cells: &[&'a str], tests: &'a BTreeSet<String>) -> Box<dyn Iterator<Item = String> + 'a> {
    let &[id, _, shown] = cells else {
        return Box::new(std::iter::once("a claim has three cells: number, claim, tests".to_owned()));
    };
    if let Some(reason) = shown.strip_prefix("open:") {
        let bare = reason.trim().is_empty().then(|| format!("{id} is open without a reason"));
        return Box::new(bare.into_iter());
    }
    let names: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
    if names.is_empty() {
        return Box::new(std::iter::once(format!("{id} names no test, and does not say `open:` and why")));
    }
    let missing = names.into_iter().filter(|name| !tests.contains(*name));
    Box::new(missing.map(move |name| format!("{id} names the test `{name}`, which does not exist")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(row: &str, expected: &[&str]) {
        let text = format!("| # | claim | shown by |\n| --- | --- | --- |\n{row}\n\n| other | table |\n");
        let tests = functions("async fn it_works() {}\npub fn so_does_it() {}").collect();
        let found = super::check("docs/A.md", &text, &tests);
        assert_eq!(found.iter().map(|p| p.message.as_str()).collect::<Vec<_>>(), expected, "{row}");
    }

    #[test]
    fn a_claim_names_tests_that_exist_or_says_why_not() {
        check("| A1 | it works | `it_works`, `so_does_it` |", &[]);
        check("| A1 | it works | open: nobody built it |", &[]);
        check("| A1 | it works | open: |", &["A1 is open without a reason"]);
        check("| A1 | it works | `it_work` |", &["A1 names the test `it_work`, which does not exist"]);
        check("| A1 | it works | yes |", &["A1 names no test, and does not say `open:` and why"]);
        check("| A1 | it works |", &["a claim has three cells: number, claim, tests"]);
    }
}
