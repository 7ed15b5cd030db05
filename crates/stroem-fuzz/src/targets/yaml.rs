//! Workflow files: whatever is written, loading ends, and each problem has a place, a registered code and a remedy.

use stroem_workflow::{
    Diagnostic, Plan, PlanError, Severity, SourceFile, Workspace, codes, diagnostic, load,
};

use super::{Target, kind, shape};

pub(super) struct Yaml {
    cases: Vec<String>,
}

impl Yaml {
    pub(super) fn new(cases: Vec<String>) -> Self {
        Self { cases }
    }
}

const WORDS: &[&str] = &[
    "tasks:",
    "actions:",
    "triggers:",
    "secrets:",
    "connections:",
    "connection_types:",
    "mcp_servers:",
    "flow:",
    "input:",
    "output:",
    "type: script",
    "type: docker",
    "type: task",
    "script: |\n",
    "action: a",
    "depends_on: [a, b]",
    "for_each: [1, 2]",
    "when: \"{{ x }}\"",
    "retry: {}",
    "tags: []",
    "env: {}",
    "timeout: 5m",
    "on_error: []",
    "default:",
    "options: []",
    "secret: true",
    "multiple: true",
    "required: true",
    "manifest: {}",
    "properties:",
    "cron: \"0 3 * * *\"",
    "name: a",
    "- ",
    ": ",
    "? ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "\n",
    "\n  ",
    "\n    ",
    "\t",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "!x ",
    "|",
    ">-",
    "|+9",
    "---\n",
    "...\n",
    "\"",
    "'",
    "\\u0000",
    "\\x",
    "~",
    "null",
    "true",
    "yes",
    ".inf",
    "{{ ",
    " }}",
    "{% if x %}",
    "{% endif %}",
    "{{ a.output }}",
    "{{ secret.x }}",
    "{{ input.x | default(value=1) }}",
    "{#",
    "\u{feff}",
    "\u{2028}",
    "é",
    "\u{1f511}",
    "\r\n",
    "\0",
    "%YAML 1.2\n",
    "# file: .workflows/b.yaml\n",
    "# file: .workflows/x.sops.yaml\n",
];

/// Secrets shorter than this occur in other texts by chance.
const SECRET_BYTES: usize = 8;

impl Target for Yaml {
    fn name(&self) -> &'static str {
        "yaml"
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        self.cases.iter().map(|case| case.clone().into_bytes()).collect()
    }

    fn words(&self) -> &[&'static str] {
        WORDS
    }

    fn run(&self, input: &[u8]) -> Result<u64, String> {
        let text = String::from_utf8_lossy(input);
        let files = split(&text);
        let workspace = load(&files);
        for problem in &workspace.diagnostics {
            check_problem(&files, problem)?;
        }
        check_secrets(&text, &workspace)?;
        check_plans(&workspace)?;
        let again = load(&files);
        if again.diagnostics != workspace.diagnostics {
            return Err("loading twice gives different problems".to_owned());
        }
        let mut kinds: Vec<(&str, String)> =
            workspace.diagnostics.iter().map(|problem| (problem.code, shape(&problem.message))).collect();
        kinds.sort();
        kinds.dedup();
        let healthy = workspace.tasks.values().filter(|task| task.healthy).count();
        Ok(kind((kinds, workspace.tasks.len().min(3), healthy.min(3))))
    }
}

/// The files of an input. A workspace has no two files of one path.
fn split(text: &str) -> Vec<SourceFile> {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let Some(rest) = text.strip_prefix("# file: ") else { return vec![file(".workflows/a.yaml", text)] };
    let parts = rest.split("# file: ").map(|part| part.split_once('\n').unwrap_or((part, "")));
    let mut files: Vec<SourceFile> = Vec::new();
    for (path, text) in parts {
        if files.iter().all(|file| file.path != path) {
            files.push(file(path, text));
        }
    }
    files
}

fn check_problem(files: &[SourceFile], problem: &Diagnostic) -> Result<(), String> {
    if codes::find(problem.code).is_none() {
        return Err(format!("the code {} is not registered", problem.code));
    }
    if problem.message.is_empty() || problem.suggestion.as_deref().is_none_or(str::is_empty) {
        return Err(format!("a problem without words or remedy: {problem:?}"));
    }
    let of_file = files.iter().filter(|file| file.path == problem.file);
    // The end of a file is a place too: one line more than there is text.
    let lines =
        of_file.map(|file| file.text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count()).max();
    if lines.is_none_or(|lines| problem.line as usize > lines + 1) {
        return Err(format!("a problem outside its file: {problem:?}"));
    }
    for color in [true, false] {
        let rendered = diagnostic::render(problem, color);
        if !rendered.contains(problem.code) {
            return Err(format!("the code is not shown: {rendered}"));
        }
    }
    Ok(())
}

/// A secret that stands nowhere else in the files is in no message either.
fn check_secrets(text: &str, workspace: &Workspace) -> Result<(), String> {
    for (path, value) in workspace.secrets.values().filter(|(_, value)| value.len() >= SECRET_BYTES) {
        if text.matches(value).count() != 1 {
            continue;
        }
        let shows = |problem: &&Diagnostic| {
            let help = problem.suggestion.as_deref().unwrap_or_default();
            [problem.excerpt.as_str(), &problem.message, help].iter().any(|text| text.contains(value))
        };
        if let Some(problem) = workspace.diagnostics.iter().find(shows) {
            return Err(format!("the secret {path} is shown by {problem:?}"));
        }
    }
    Ok(())
}

fn check_plans(workspace: &Workspace) -> Result<(), String> {
    for (name, task) in &workspace.tasks {
        let result = workspace.plan(name.as_str());
        match &result {
            Ok(plan) if task.healthy => {
                let (json, _) = plan.to_stored();
                let read =
                    Plan::from_stored(&json).map_err(|error| format!("a plan cannot be read: {error}"))?;
                if read != *plan {
                    return Err("a plan is not the same after it was stored".to_owned());
                }
            }
            Err(PlanError::Unsupported { reasons, .. }) if task.healthy && !reasons.is_empty() => {}
            Err(PlanError::Broken { diagnostics, .. }) if !task.healthy && !diagnostics.is_empty() => {}
            _ => {
                return Err(format!(
                    "the health of a task ({}) and its plan differ: {result:?}",
                    task.healthy
                ));
            }
        }
        let file_errors = workspace
            .diagnostics
            .iter()
            .any(|problem| problem.file == task.file && problem.severity == Severity::Error);
        if file_errors && task.healthy {
            return Err("a task works although its file has errors".to_owned());
        }
    }
    drop(workspace.check_tags(&[]));
    Ok(())
}
