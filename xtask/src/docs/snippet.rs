//! What a fence's info string asks for.

/// What happens with a fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Snippet {
    /// Run by a shell.
    Script,
    /// Compared with what the script before it printed.
    Output,
    /// Checked as a workflow file, and kept at this path for the blocks after it.
    Workflow(Option<String>),
    /// Checked as a workflow file that has a problem of this code.
    Wrong(String),
    /// Could be run, but is only shown, for this reason.
    Skipped(String),
    /// Run by the test of this name.
    ByTest(String),
    /// Neither code nor configuration: nothing to run.
    Shown,
}

/// Reads an info string. The error says what to write instead.
pub(crate) fn read(info: &str) -> Result<Snippet, String> {
    let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
    let rest = rest.trim();
    match (language, rest) {
        ("sh", "") => Ok(Snippet::Script),
        ("text", "output") => Ok(Snippet::Output),
        ("yaml", "workflow") => Ok(Snippet::Workflow(None)),
        ("sh" | "yaml", rest) => match rest.split_once('=') {
            Some(("skip", reason)) if !reason.trim().is_empty() => {
                Ok(Snippet::Skipped(reason.trim().to_owned()))
            }
            Some(("test", name)) if !name.trim().is_empty() => Ok(Snippet::ByTest(name.trim().to_owned())),
            Some(("wrong", code)) if language == "yaml" && !code.trim().is_empty() => {
                Ok(Snippet::Wrong(code.trim().to_owned()))
            }
            Some(("workflow", path)) if language == "yaml" => {
                workflow_path(path).map(|p| Snippet::Workflow(Some(p)))
            }
            _ if language == "sh" => Err("write `sh`, `sh test=NAME` or `sh skip=REASON`".to_owned()),
            _ => Err("write `yaml workflow`, `yaml workflow=PATH`, `yaml wrong=CODE`, `yaml test=NAME` or `yaml skip=REASON`"
                .to_owned()),
        },
        ("bash" | "shell" | "console" | "zsh", _) => {
            Err(format!("write `sh` instead of `{language}`, so that it is run"))
        }
        ("yml", _) => Err("write `yaml` instead of `yml`".to_owned()),
        ("", _) => Err("say what this block is: `sh`, `yaml workflow`, `text`, ...".to_owned()),
        _ => Ok(Snippet::Shown),
    }
}

fn workflow_path(path: &str) -> Result<String, String> {
    let inside = !path.starts_with('/') && !path.split('/').any(|part| part == "..");
    if inside && path.contains(".workflows/") {
        Ok(path.to_owned())
    } else {
        Err(format!("`{path}` must be inside a folder `.workflows` of the copy"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_info_string_says_what_happens() {
        for (info, expected) in [
            ("sh", Snippet::Script),
            ("text output", Snippet::Output),
            ("yaml workflow", Snippet::Workflow(None)),
            ("yaml workflow=a/.workflows/b.yaml", Snippet::Workflow(Some("a/.workflows/b.yaml".to_owned()))),
            ("yaml wrong=unknown_key", Snippet::Wrong("unknown_key".to_owned())),
            ("sh skip=needs a cluster", Snippet::Skipped("needs a cluster".to_owned())),
            ("yaml skip=part of a file", Snippet::Skipped("part of a file".to_owned())),
            ("sh test=it_runs_there", Snippet::ByTest("it_runs_there".to_owned())),
            ("rust", Snippet::Shown),
            ("text", Snippet::Shown),
        ] {
            assert_eq!(read(info), Ok(expected), "{info}");
        }
    }

    #[test]
    fn what_would_escape_the_tests_is_refused() {
        for info in [
            "bash",
            "console",
            "yml",
            "yaml",
            "sh skip",
            "sh skip=",
            "sh test=",
            "sh wrong=unknown_key",
            "yaml wrong=",
            "yaml workflow=../.workflows/a.yaml",
            "",
        ] {
            assert!(read(info).is_err(), "{info}");
        }
    }
}
