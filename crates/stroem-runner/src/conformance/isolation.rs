//! What a command sees, and that it cannot disturb anybody.

use std::{fs, path::Path};

use stroem_core::Outcome;

use super::{
    Subject, Verdict,
    harness::{run, script},
};

/// Nothing of the worker's own environment arrives, and everything documented does.
pub async fn a_step_sees_only_the_documented_environment(subject: &dyn Subject) -> Verdict {
    // `env -u` takes out what the shell itself adds.
    let mut probe = script("env -u PWD -u SHLVL -u OLDPWD -u _ env | cut -d= -f1 | sort | tr '\\n' ' '");
    probe.env.insert("MINE".to_owned(), "1".to_owned());
    probe.passed_env.insert("PASSED".to_owned(), "1".to_owned());
    let ran = run(subject, probe).await;
    let expected = "HOME LANG MINE PASSED PATH STROEM_ATTEMPT STROEM_JOB_ID STROEM_OUTPUT STROEM_STEP_NAME \
        STROEM_TASK_NAME STROEM_WORKSPACE STROEM_WORKSPACE_DIR TMPDIR ";
    assert_eq!(ran.out(), expected);
    Verdict::Passed
}

/// The action's `env` wins over what the worker passes; nobody wins over who the step is.
pub async fn reserved_variables_cannot_be_changed(subject: &dyn Subject) -> Verdict {
    let mut probe =
        script("echo \"$A $B $STROEM_STEP_NAME $STROEM_TASK_NAME $STROEM_WORKSPACE $STROEM_JOB_ID\"");
    for (name, value) in [("A", "action"), ("STROEM_STEP_NAME", "forged"), ("STROEM_JOB_ID", "forged")] {
        probe.env.insert(name.to_owned(), value.to_owned());
    }
    for (name, value) in [("A", "passed"), ("B", "passed"), ("STROEM_TASK_NAME", "forged")] {
        probe.passed_env.insert(name.to_owned(), value.to_owned());
    }
    let ran = run(subject, probe).await;
    let job = ran.request.lease.attempt.job;
    assert_eq!(ran.out(), format!("action passed compile build default {job}\n"));
    Verdict::Passed
}

/// Reading it ends at once.
pub async fn standard_input_is_empty(subject: &dyn Subject) -> Verdict {
    let ran = run(subject, script("cat; echo \"$?\"")).await;
    assert_eq!(ran.out(), "0\n");
    Verdict::Passed
}

/// Two steps write the same file: neither sees the other's, and the workspace stays as it was.
pub async fn the_workspace_is_a_private_writable_copy(subject: &dyn Subject) -> Verdict {
    let workspace = workspace(subject);
    let one = |name: &str| {
        let text = format!(
            "test \"$(cat shared)\" = original && echo {name} >> shared && rm sub/gone && echo x > sub/new-{name} && \
             sleep 0.3 && tail -n 1 shared && ls sub"
        );
        let mut one = script(&text);
        one.workspace = Some(workspace.clone());
        run(subject, one)
    };
    let (a, b) = tokio::join!(one("a"), one("b"));
    assert_eq!((a.outcome.clone(), a.out().as_str()), (Outcome::Succeeded, "a\nnew-a\n"));
    assert_eq!((b.outcome.clone(), b.out().as_str()), (Outcome::Succeeded, "b\nnew-b\n"));
    assert_eq!(fs::read_to_string(workspace.join("shared")).expect("there"), "original\n");
    assert!(workspace.join("sub/gone").exists() && !workspace.join("sub/new-a").exists());
    Verdict::Passed
}

/// What a workspace's files are is kept.
pub async fn links_and_executable_bits_survive(subject: &dyn Subject) -> Verdict {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let workspace = workspace(subject);
    let tool = workspace.join("sub/tool");
    fs::write(&tool, "#!/bin/sh\necho tool\n").expect("written");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o555)).expect("executable");
    symlink("sub/tool", workspace.join("link")).expect("linked");
    let mut uses = script("test -L link && ./link && test ! -x shared && echo more >> sub/tool");
    uses.workspace = Some(workspace);
    let ran = run(subject, uses).await;
    assert_eq!((ran.outcome.clone(), ran.out().as_str()), (Outcome::Succeeded, "tool\n"));
    Verdict::Passed
}

/// `workdir` is a directory of the workspace.
pub async fn the_working_directory_can_be_chosen(subject: &dyn Subject) -> Verdict {
    let mut below = script("test \"$PWD\" = \"$STROEM_WORKSPACE_DIR/sub\" && ls");
    below.workspace = Some(workspace(subject));
    below.workdir = Some("sub".to_owned());
    assert_eq!(run(subject, below).await.out(), "gone\n");
    Verdict::Passed
}

/// Both exist, are empty, writable and not those of the worker.
pub async fn home_and_tmp_are_private(subject: &dyn Subject) -> Verdict {
    let text = "for d in \"$HOME\" \"$TMPDIR\"; do test -z \"$(ls -A \"$d\")\" && touch \"$d/x\" && echo ok; done; \
                mktemp > /dev/null && echo ok";
    for _ in 0..2 {
        assert_eq!(run(subject, script(text)).await.out(), "ok\nok\nok\n");
    }
    Verdict::Passed
}

fn workspace(subject: &dyn Subject) -> std::path::PathBuf {
    let workspace = subject.directory().join("workspace");
    let write = |path: &Path, text| fs::write(path, text).expect("written");
    fs::create_dir_all(workspace.join("sub")).expect("made");
    write(&workspace.join("shared"), "original\n");
    write(&workspace.join("sub/gone"), "");
    workspace
}
