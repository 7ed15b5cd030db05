//! The list of exceptions: sections of `"what" = number`. Each is a ceiling that must be used up entirely, so
//! that the list only shrinks.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::{ALLOWANCES, Problem};

/// The exceptions, with what was seen of each.
#[derive(Debug, Default)]
pub(crate) struct Allowances {
    entries: BTreeMap<(String, String), Entry>,
}

#[derive(Debug)]
struct Entry {
    allowed: usize,
    line: usize,
    used: bool,
}

impl Allowances {
    /// Reads the list.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut section = None;
        let mut entries = BTreeMap::new();
        for (index, written) in text.lines().enumerate() {
            let line = index + 1;
            let written = written.trim();
            if written.is_empty() || written.starts_with('#') {
                continue;
            }
            if let Some(name) = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = Some(name.to_owned());
                continue;
            }
            let section = section.clone().with_context(|| format!("{ALLOWANCES}:{line}: no section yet"))?;
            let (key, allowed) =
                entry(written).with_context(|| format!("{ALLOWANCES}:{line}: not an entry"))?;
            if entries.insert((section, key), Entry { allowed, line, used: false }).is_some() {
                bail!("{ALLOWANCES}:{line}: this is there twice");
            }
        }
        Ok(Self { entries })
    }

    /// Compares what is there with what is allowed: `limit` without an entry, the entry's number with one.
    pub(crate) fn check(&mut self, section: &str, key: &str, limit: usize, found: usize) -> Verdict {
        let Some(entry) = self.entries.get_mut(&(section.to_owned(), key.to_owned())) else {
            return if found > limit { Verdict::TooMany { allowed: limit } } else { Verdict::Fine };
        };
        entry.used = true;
        let line = entry.line;
        match (found, entry.allowed) {
            (found, allowed) if found > allowed => Verdict::TooMany { allowed },
            (found, _) if found <= limit => Verdict::Loose(Problem::new(
                ALLOWANCES,
                line,
                format!("`{key}` needs no exception any more: remove it"),
            )),
            (found, allowed) if found < allowed => {
                Verdict::Loose(Problem::new(ALLOWANCES, line, format!("`{key}` shrank: write {found} here")))
            }
            _ => Verdict::Fine,
        }
    }

    /// Entries that no rule asked for.
    pub(crate) fn unused(&self) -> Vec<Problem> {
        let unused = self.entries.iter().filter(|(_, entry)| !entry.used);
        let message = |key: &str| format!("`{key}` does not exist (any more): remove it");
        unused.map(|((_, key), entry)| Problem::new(ALLOWANCES, entry.line, message(key))).collect()
    }
}

/// What the list says to a number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Within the limit, or exactly the exception.
    Fine,
    /// Above what is allowed.
    TooMany { allowed: usize },
    /// The exception is larger than it needs to be.
    Loose(Problem),
}

fn entry(written: &str) -> Option<(String, usize)> {
    let (key, number) = written.split_once('=')?;
    let key = key.trim().strip_prefix('"')?.strip_suffix('"')?;
    Some((key.to_owned(), number.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: usize, expected: &Verdict) {
        let mut list =
            Allowances::parse("# why\n[lines]\n\"a.rs\" = 450\n").expect("the list is well-formed");
        assert_eq!(list.check("lines", "a.rs", 400, found), *expected, "{found}");
        assert_eq!(list.unused(), []);
    }

    #[test]
    fn an_exception_is_a_ceiling_that_must_be_used_up() {
        check(450, &Verdict::Fine);
        check(451, &Verdict::TooMany { allowed: 450 });
        check(449, &Verdict::Loose(Problem::new(ALLOWANCES, 3, "`a.rs` shrank: write 449 here")));
        check(
            400,
            &Verdict::Loose(Problem::new(ALLOWANCES, 3, "`a.rs` needs no exception any more: remove it")),
        );
    }

    #[test]
    fn without_an_exception_the_limit_holds() {
        let mut list = Allowances::default();
        assert_eq!(list.check("lines", "b.rs", 400, 400), Verdict::Fine);
        assert_eq!(list.check("lines", "b.rs", 400, 401), Verdict::TooMany { allowed: 400 });
    }

    #[test]
    fn an_exception_for_nothing_is_a_problem() {
        let list = Allowances::parse("[lines]\n\"gone.rs\" = 450\n").expect("the list is well-formed");
        assert_eq!(
            list.unused(),
            [Problem::new(ALLOWANCES, 2, "`gone.rs` does not exist (any more): remove it")]
        );
    }

    #[test]
    fn a_malformed_list_is_an_error() {
        for bad in ["\"a\" = 1", "[x]\na = 1", "[x]\n\"a\" = one", "[x]\n\"a\" = 1\n\"a\" = 2"] {
            assert!(Allowances::parse(bad).is_err(), "{bad}");
        }
    }
}
