//! What a script step finds in its container: its program, the wrapper, the workspace.

use std::path::Path;

use stroem_core::{Language, Outcome, ScriptBody, ScriptSpec};
use stroem_runner::{RunRequest, Within, words as split_words};

use crate::{
    upload::{Contents, File},
    wrapper::{self, Interpreter, Program},
};

/// Everything that is unpacked at once; a read-only root takes nothing, so that its two volumes are filled one by one.
pub(crate) fn parts(contents: Contents, is_read_only: bool) -> Vec<(String, Contents)> {
    if !is_read_only {
        return vec![("/".to_owned(), contents)];
    }
    let below = |root: &str, path: &str| path.strip_prefix(root).map(|rest| format!(".{rest}"));
    let part = |root: &str| Contents {
        owner: contents.owner,
        directories: contents.directories.iter().filter_map(|path| below(root, path)).collect(),
        files: contents
            .files
            .iter()
            .filter_map(|file| Some(File { path: below(root, &file.path)?, text: file.text.clone() }))
            .collect(),
        tree: contents.tree.clone().and_then(|(from, to)| Some((from, below(root, &to)?))),
    };
    [".stroem", "workspace"].map(|root| (format!("/{root}"), part(root))).into()
}

/// Blocking. Paths that lead out of the workspace are refused here, where it lies.
pub(crate) fn of(request: &RunRequest, script: &ScriptSpec) -> Result<Contents, Outcome> {
    let empty = Path::new("/var/empty/no-workspace");
    let workspace = request.workspace.as_deref();
    if let Some(path) = &request.spec.workdir {
        Within::Workdir.find(workspace.unwrap_or(empty), path)?;
    }
    let relative = |path: &str| path.trim_start_matches('/').to_owned();
    let mut files = Vec::new();
    let file = match &script.body {
        ScriptBody::Inline(text) => {
            let path = format!("{}/script{}", wrapper::HOME, script.language.file_ending());
            files.push(File { path: relative(&path), text: text.clone().into_bytes() });
            path
        }
        ScriptBody::File(path) => {
            Within::Source.find(workspace.unwrap_or(empty), path)?;
            format!("{}/{path}", wrapper::WORKSPACE)
        }
    };
    let invalid = |message: String| Outcome::InvalidInput { message };
    let interpreter = match &script.interpreter {
        Some(text) => Interpreter::Words(
            split_words::split(text).map_err(|error| invalid(format!("interpreter: {error}")))?,
        ),
        None => Interpreter::Of(script.language),
    };
    if script.args.iter().any(|argument| argument.contains('\0')) {
        return Err(invalid("args: an argument cannot hold a zero byte".to_owned()));
    }
    // Modules that are installed beside a script stand where its program looks for them.
    let beside = matches!(script.body, ScriptBody::File(_)) && script.language != Language::Go;
    let program = Program {
        interpreter: &interpreter,
        language: script.language,
        file: &file,
        arguments: &script.args,
        dependencies: &script.dependencies,
        scratch: if beside { wrapper::WORKSPACE } else { wrapper::HOME },
    };
    let text = program.text().map_err(invalid)?;
    files.push(File { path: relative(wrapper::WRAPPER), text: text.wrapper.into_bytes() });
    let more = text.files.into_iter();
    files.extend(more.map(|(path, text)| File { path: relative(&path), text: text.into_bytes() }));
    let home = relative(wrapper::HOME);
    let directories = ["", "/home", "/tmp", "/result"].map(|name| format!("{home}{name}"));
    let mut directories: Vec<String> = directories.into();
    directories.push(relative(wrapper::WORKSPACE));
    let tree = workspace.map(|from| (from.to_owned(), relative(wrapper::WORKSPACE)));
    Ok(Contents { directories, files, tree, ..Contents::default() })
}
