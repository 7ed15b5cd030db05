//! The language from the outside: files in, plans, specs and diagnostics out.

mod cases;
mod plans;
mod rendering;
mod robustness;

use std::path::{Path, PathBuf};

use stroem_workflow::{Severity, SourceFile, Workspace, load};

/// The directory of the cases.
fn cases(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(kind)
}

/// The files of a case: one, or several that start with `# file: PATH`.
fn files(text: &str) -> Vec<SourceFile> {
    if !text.starts_with("# file: ") {
        return vec![SourceFile { path: ".workflows/case.yaml".to_owned(), text: text.to_owned() }];
    }
    let parts = text.split("# file: ").filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (path, text) = part.split_once('\n').expect("a path and a text");
            SourceFile { path: path.to_owned(), text: text.to_owned() }
        })
        .collect()
}

fn workspace(text: &str) -> Workspace {
    load(&files(text))
}

/// A workspace without errors.
fn healthy(text: &str) -> Workspace {
    let workspace = workspace(text);
    let errors: Vec<_> = workspace.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    workspace
}
