//! What nextest writes about a run, as a table. Not a parser of XML: it knows the one shape that nextest writes.

use std::fmt::Write as _;

/// How a test's line begins when it is a figure for the table.
const FIGURE: &str = "figure: ";

/// A test that ran.
#[derive(Debug, PartialEq)]
pub(crate) struct Test {
    name: String,
    seconds: f64,
    passed: bool,
    figures: Vec<String>,
}

/// The tests of a file of results.
pub(crate) fn parse(text: &str) -> Vec<Test> {
    let mut tests: Vec<Test> = text.split("<testcase ").skip(1).filter_map(test).collect();
    tests.sort_by(|a, b| a.name.cmp(&b.name));
    tests
}

fn test(text: &str) -> Option<Test> {
    let attributes = text.split('>').next()?;
    let figures = text.split_once("<system-out>").map_or("", |(_, out)| out);
    let figures = figures.split("</system-out>").next()?.lines();
    Some(Test {
        name: attribute(attributes, "name")?,
        seconds: attribute(attributes, "time")?.parse().ok()?,
        passed: !text.contains("<failure") && !text.contains("<error"),
        figures: figures.filter_map(|line| line.strip_prefix(FIGURE)).map(unescape).collect(),
    })
}

fn attribute(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("{name}=\""))?;
    rest.split('"').next().map(unescape)
}

fn unescape(text: &str) -> String {
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    marks.iter().fold(text.to_owned(), |text, (mark, sign)| text.replace(mark, sign))
}

/// Minutes and figures for each test.
pub(crate) fn table(tests: &[Test]) -> String {
    let mut text = String::from("\n| proof | result | minutes |\n| --- | --- | ---: |\n");
    for test in tests {
        let result = if test.passed { "passed" } else { "FAILED" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {result} | {:.1} |", test.name, test.seconds / 60.0);
    }
    let seconds: f64 = tests.iter().map(|test| test.seconds).sum();
    let _ = writeln!(text, "| all | | {:.1} |", seconds / 60.0);
    for test in tests.iter().filter(|test| !test.figures.is_empty()) {
        let _ = writeln!(text, "\n{}", test.name);
        for figure in &test.figures {
            let _ = writeln!(text, "  {figure}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULTS: &str = r#"<testsuite name="a" tests="2">
        <testcase name="b::proof_of_two" classname="a::it" timestamp="t" time="90.000">
            <failure type="test failure" message="m">no</failure>
        </testcase>
        <testcase name="b::proof_of_one" classname="a::it" timestamp="t" time="6.000">
            <system-out>
running 1 test
figure: server 1 -&gt; 2 KiB
test b::proof_of_one ... ok
</system-out>
            <system-err></system-err>
        </testcase>
    </testsuite>"#;

    #[test]
    fn results_become_a_table_with_figures() {
        let expected = "
| proof | result | minutes |
| --- | --- | ---: |
| b::proof_of_one | passed | 0.1 |
| b::proof_of_two | FAILED | 1.5 |
| all | | 1.6 |

b::proof_of_one
  server 1 -> 2 KiB
";
        assert_eq!(table(&parse(RESULTS)), expected);
    }
}
