//! Every crate follows the workspace: its lints, its versions.

use super::Problem;

/// Problems of a member's manifest.
pub(crate) fn check(file: &str, text: &str) -> Vec<Problem> {
    let mut problems = vec![];
    if !has_setting(text, "[lints]", "workspace = true") {
        let message = "does not take the workspace's lints: add `[lints]` with `workspace = true`";
        problems.push(Problem::new(file, 0, message));
    }
    let mut section = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies") && line.contains('=') && !line.starts_with('#') {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            if !name.trim().ends_with(".workspace") && !value.contains("workspace = true") {
                let message = format!("`{}` must come from [workspace.dependencies]", name.trim());
                problems.push(Problem::new(file, index + 1, message));
            }
        }
    }
    problems
}

fn has_setting(text: &str, section: &str, setting: &str) -> bool {
    let mut inside = false;
    text.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            inside = line == section;
        }
        inside && line == setting
    })
}

#[cfg(test)]
mod tests {
    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str)]) {
        let found = super::check("Cargo.toml", text);
        assert_eq!(found.iter().map(|p| (p.line, p.message.as_str())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_crate_takes_the_workspaces_lints() {
        check("[lints]\nworkspace = true\n", &[]);
        let message = "does not take the workspace's lints: add `[lints]` with `workspace = true`";
        check("[lints.rust]\nworkspace = true\n", &[(0, message)]);
        check("[package]\nworkspace = true\n[lints]\n", &[(0, message)]);
    }

    #[test]
    fn a_version_stands_in_the_workspace_only() {
        let head = "[lints]\nworkspace = true\n[dev-dependencies]\n";
        check(&format!("{head}a.workspace = true\nb = {{ workspace = true, optional = true }}\n"), &[]);
        check(&format!("{head}a = \"1\"\n"), &[(4, "`a` must come from [workspace.dependencies]")]);
    }
}
