//! Relative links of documents lead to something.

use super::Problem;
use crate::markdown;

/// Problems of a document's links; `files` are the files of the repository.
pub(crate) fn check(file: &str, text: &str, files: &[String]) -> Vec<Problem> {
    let mut problems = vec![];
    for (line, prose) in markdown::prose(text) {
        for target in markdown::links(&prose) {
            if let Some(message) = refusal(file, text, files, target) {
                problems.push(Problem::new(file, line, message));
            }
        }
    }
    problems
}

fn refusal(file: &str, text: &str, files: &[String], target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    if path.is_empty() {
        let known = markdown::anchors(text).iter().any(|known| known == anchor);
        return (!known).then(|| format!("no heading here makes `#{anchor}`"));
    }
    let Some(path) = resolve(file, path) else {
        return Some(format!("`{path}` leaves the repository"));
    };
    let folder = format!("{path}/");
    let exists = files.iter().any(|known| *known == path || known.starts_with(&folder));
    (!exists).then(|| format!("`{target}` leads nowhere"))
}

/// The path from the root of `link` written in `file`.
fn resolve(file: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    #[track_caller]
    fn check(link: &str, expected: &[&str]) {
        let files = ["README.md", "docs/A.md", "docs/adr/0001-b.md"].map(str::to_owned);
        let text = format!("# Head line\n[x]({link})\n");
        let found = super::check("docs/A.md", &text, &files);
        assert_eq!(found.iter().map(|p| p.message.as_str()).collect::<Vec<_>>(), expected, "{link}");
    }

    #[test]
    fn a_link_to_a_file_folder_or_heading_is_fine() {
        for link in
            ["../README.md", "adr/0001-b.md#context", "adr/", "adr", "#head-line", "https://x.invalid/y"]
        {
            check(link, &[]);
        }
    }

    #[test]
    fn a_link_to_nothing_is_a_problem() {
        check("B.md", &["`B.md` leads nowhere"]);
        check("../../x", &["`../../x` leaves the repository"]);
        check("#other", &["no heading here makes `#other`"]);
    }
}
