//! Rules for Rust files that clippy does not have.

use super::{
    Problem,
    allow::{Allowances, Verdict},
    source::Source,
};

/// Attributes and macros that do not land, with what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("#[ignore", "tests are not switched off: fix it, or skip at run time with a reason"),
    ("todo!(", "unfinished code does not land"),
    ("unimplemented!(", "unfinished code does not land"),
    ("dbg!(", "left over from debugging"),
];

/// Begins of SQL statements: the words that must follow each other, in capitals. An empty word is any word.
const SQL: &[&[&str]] = &[
    &["SELECT"],
    &["INSERT", "INTO"],
    &["INSERT", "OR"],
    &["UPDATE", "", "SET"],
    &["DELETE", "FROM"],
    &["CREATE", "TABLE"],
    &["CREATE", "INDEX"],
    &["ALTER", "TABLE"],
];

/// Folders whose libraries may not name concrete adapters, only their programs.
const PROGRAMS_NAME_ADAPTERS: &[(&str, &str)] =
    &[("crates/stroem-server/src/", "stroem_store_"), ("crates/stroem-worker/src/", "stroem_runner_")];

/// Problems of one Rust file.
pub(crate) fn check(file: &str, text: &str, source: &Source) -> Vec<Problem> {
    let mut problems = vec![];
    if !text.trim_start().starts_with("//!") {
        let message = "begins without `//!`: say what this module is for and what it must not know";
        problems.push(Problem::new(file, 1, message));
    }
    for (line, code) in source.all_code() {
        let refused = REFUSED.iter().filter(|(token, _)| holds_token(code, token));
        problems.extend(refused.map(|(token, why)| Problem::new(file, line, format!("`{token}`: {why}"))));
    }
    if !is_test_file(file) {
        let unwraps = source.product_code().filter(|(_, code)| code.contains(".unwrap()"));
        let message = "`unwrap` outside tests: return the error, or `expect` with why it cannot fail";
        problems.extend(unwraps.map(|(line, _)| Problem::new(file, line, message)));
    }
    problems.extend(check_sql(file, source));
    problems.extend(check_adapters(file, source));
    problems.extend(check_test_names(file, source));
    problems
}

/// Whether everything in a file is a test.
pub(crate) fn is_test_file(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    file.contains("/tests/")
        || file.contains("/benches/")
        || matches!(name, "tests.rs" | "testing.rs")
        || name.ends_with("_tests.rs")
}

/// At most one program of integration tests per crate: each more is linked and loaded again.
pub(crate) fn check_test_binaries(files: &[String], allowances: &mut Allowances) -> Vec<Problem> {
    let mut programs: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for file in files {
        let Some((folder, rest)) = file.split_once("/tests/") else { continue };
        let alone = !rest.contains('/') && rest.ends_with(".rs");
        let main = rest.split_once('/').is_some_and(|(_, inside)| inside == "main.rs");
        if alone || main {
            *programs.entry(folder).or_default() += 1;
        }
    }
    let judge = |(folder, count): (&str, usize)| match allowances.check("test-programs", folder, 1, count) {
        Verdict::Fine => None,
        Verdict::Loose(problem) => Some(problem),
        Verdict::TooMany { allowed } => {
            let message =
                format!("{count} programs of integration tests, {allowed} at most: make them modules of one");
            Some(Problem::new(folder, 0, message))
        }
    };
    programs.into_iter().filter_map(judge).collect()
}

fn check_sql(file: &str, source: &Source) -> Vec<Problem> {
    let is_product = !is_test_file(file) && !file.contains("/examples/");
    if file.starts_with("crates/stroem-store-") || file.starts_with("xtask/src/tidy/") || !is_product {
        return vec![];
    }
    let sql = source.strings.iter().filter(|(_, text)| is_sql(text));
    sql.map(|(line, _)| Problem::new(file, *line, "SQL belongs into a stroem-store-* crate")).collect()
}

fn is_sql(text: &str) -> bool {
    // Escapes as written in the source part words, too.
    let text = text.replace("\\n", " ").replace("\\t", " ");
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).collect();
    SQL.iter().any(|statement| {
        words
            .windows(statement.len())
            .any(|seen| seen.iter().zip(*statement).all(|(a, b)| b.is_empty() || a == b))
    })
}

fn check_adapters(file: &str, source: &Source) -> Vec<Problem> {
    let Some((folder, prefix)) = PROGRAMS_NAME_ADAPTERS.iter().find(|(folder, _)| file.starts_with(folder))
    else {
        return vec![];
    };
    let inside = &file[folder.len()..];
    // The worker's `runners.rs` and the server's `stores.rs` make what a configuration describes, for both programs that
    // read one.
    if matches!(inside, "main.rs" | "runners.rs" | "stores.rs") || inside.starts_with("bin/") {
        return vec![];
    }
    let named = source.product_code().filter(|(_, code)| code.contains(prefix));
    let message = format!("`{prefix}*` is named by the program (src/main.rs), not by its library");
    named.map(|(line, _)| Problem::new(file, line, message.clone())).collect()
}

/// A test's name states a fact: at least three words, and not that it is a test.
fn check_test_names(file: &str, source: &Source) -> Vec<Problem> {
    let poor = tests(source)
        .into_iter()
        .filter(|(_, name)| name.starts_with("test_") || name.split('_').count() < 3);
    let message =
        |name: &str| format!("`{name}`: a test's name states the fact, as in `cancel_kills_grandchildren`");
    poor.map(|(line, name)| Problem::new(file, line, message(name))).collect()
}

/// The functions that are marked as tests, with their lines.
pub(crate) fn tests(source: &Source) -> Vec<(usize, &str)> {
    let mut tests = vec![];
    let mut pending = false;
    for (line, code) in source.all_code() {
        let code = code.trim();
        if code == "#[test]" || (code.starts_with("#[tokio::test") && code.ends_with(']')) {
            pending = true;
        } else if pending && let Some(name) = function_name(code) {
            pending = false;
            tests.push((line, name));
        }
    }
    tests
}

/// The name of the function that a line of code begins.
pub(crate) fn function_name(code: &str) -> Option<&str> {
    let after = code.split_once("fn ")?.1;
    after.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// Whether `token` occurs as a word of its own.
fn holds_token(code: &str, token: &str) -> bool {
    let inside_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(token).any(|(at, _)| !code[..at].ends_with(inside_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, text: &str, expected: &[(usize, &str)]) {
        let found = super::check(file, text, &Source::new(text));
        let found: Vec<_> = found.iter().map(|p| (p.line, p.message.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    }

    const FILE: &str = "crates/stroem-app/src/a.rs";

    #[test]
    fn a_module_says_what_it_is_for() {
        check(FILE, "//! A.\nfn a() {}\n", &[]);
        let message = "begins without `//!`: say what this module is for and what it must not know";
        check(FILE, "fn a() {}\n", &[(1, message)]);
    }

    #[test]
    fn leftovers_do_not_land() {
        let finish = "`todo!(`: unfinished code does not land";
        check(FILE, "//! A.\nfn a() { todo!() }\n", &[(2, finish)]);
        check(FILE, "//! A.\nfn a() { b(\"todo!()\") } // todo!()\n", &[]);
        check(FILE, "//! A.\nfn a() { my_todo!() }\n", &[]);
        let off = "`#[ignore`: tests are not switched off: fix it, or skip at run time with a reason";
        check(FILE, "//! A.\n#[ignore = \"slow\"]\nfn a() {}\n", &[(2, off)]);
    }

    #[test]
    fn only_tests_may_unwrap() {
        let message = "`unwrap` outside tests: return the error, or `expect` with why it cannot fail";
        check(FILE, "//! A.\nfn a() { b().unwrap(); }\n", &[(2, message)]);
        check(FILE, "//! A.\n#[cfg(test)]\nmod tests {\n    fn a() { b().unwrap(); }\n}\n", &[]);
        check("crates/a/tests/all/main.rs", "//! A.\nfn a() { b().unwrap(); }\n", &[]);
    }

    #[test]
    fn sql_stays_in_the_stores() {
        let message = "SQL belongs into a stroem-store-* crate";
        for sql in ["SELECT 1", "INSERT INTO a", "UPDATE a\\nSET b", "x; DELETE FROM a", "CREATE TABLE a"] {
            check(FILE, &format!("//! A.\nconst A: &str = \"{sql}\";\n"), &[(2, message)]);
            check(
                "crates/stroem-store-sqlite/src/a.rs",
                &format!("//! A.\nconst A: &str = \"{sql}\";\n"),
                &[],
            );
        }
        for text in ["select one", "SELECTED", "UPDATE IT", "SET"] {
            check(FILE, &format!("//! A.\nconst A: &str = \"{text}\";\n"), &[]);
        }
    }

    #[test]
    fn a_service_names_its_adapters_in_the_program() {
        let text = "//! A.\nuse stroem_store_sqlite::Store;\n";
        check("crates/stroem-server/src/main.rs", text, &[]);
        let message = "`stroem_store_*` is named by the program (src/main.rs), not by its library";
        check("crates/stroem-server/src/lib.rs", text, &[(2, message)]);
        check("crates/stroem-cli/src/dev.rs", text, &[]);
        check("crates/stroem-worker/src/runners.rs", "//! A.\nuse stroem_runner_docker::Runner;\n", &[]);
        check("crates/stroem-server/src/stores.rs", text, &[]);
    }

    #[test]
    fn tests_are_named_as_facts() {
        let text = |name: &str| format!("//! A.\n#[test]\nfn {name}() {{}}\n");
        check(FILE, &text("cancel_kills_grandchildren"), &[]);
        for bad in ["test_cancel_kills_all", "it_works", "cancel"] {
            let message =
                format!("`{bad}`: a test's name states the fact, as in `cancel_kills_grandchildren`");
            check(FILE, &text(bad), &[(3, message.as_str())]);
        }
    }

    #[test]
    fn a_crate_has_one_program_of_integration_tests() {
        let files = |list: &[&str]| list.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>();
        let one = files(&["crates/a/tests/all/main.rs", "crates/a/tests/all/b.rs", "crates/b/tests/c.rs"]);
        assert_eq!(check_test_binaries(&one, &mut Allowances::default()), []);
        let two = files(&["crates/a/tests/all/main.rs", "crates/a/tests/b.rs"]);
        let message = "2 programs of integration tests, 1 at most: make them modules of one";
        assert_eq!(
            check_test_binaries(&two, &mut Allowances::default()),
            [Problem::new("crates/a", 0, message)]
        );
    }
}
