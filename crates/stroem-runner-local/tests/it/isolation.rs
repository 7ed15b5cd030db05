//! What a step can see and touch.

use stroem_core::Outcome;

use crate::harness::{case, run, run_in, runner};

#[tokio::test]
async fn a_step_sees_only_the_documented_environment() {
    let mut with_env = case("env | cut -d= -f1 | sort | tr '\\n' ' '");
    with_env.env.insert("MINE".to_owned(), "1".to_owned());
    let ran = run(with_env).await;
    let expected = "HOME LANG MINE PATH PWD SHLVL STROEM_ATTEMPT STROEM_JOB_ID STROEM_OUTPUT STROEM_STEP_NAME \
        STROEM_TASK_NAME STROEM_WORKSPACE STROEM_WORKSPACE_DIR TMPDIR _ ";
    assert_eq!(ran.out(), expected);
}

#[tokio::test]
async fn steps_do_not_see_each_others_writes() {
    let workspace = tempfile::tempdir().expect("a directory");
    std::fs::write(workspace.path().join("shared"), "original").expect("written");
    let runner = runner();
    let one = |name: &str| {
        let text =
            format!("test \"$(cat shared)\" = original && echo {name} > shared && sleep 0.2 && cat shared");
        let mut one = case(&text);
        one.workspace = Some(workspace.path().to_owned());
        run_in(&runner, one, tempfile::tempdir().expect("a directory"))
    };
    let (a, b) = tokio::join!(one("a"), one("b"));
    assert_eq!((a.outcome, a.stdout.as_slice()), (Outcome::Succeeded, b"a\n".as_slice()));
    assert_eq!((b.outcome, b.stdout.as_slice()), (Outcome::Succeeded, b"b\n".as_slice()));
    assert_eq!(std::fs::read_to_string(workspace.path().join("shared")).expect("there"), "original");
}

#[tokio::test]
async fn links_and_executable_bits_survive_the_copy() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let workspace = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(workspace.path().join("bin")).expect("made");
    let tool = workspace.path().join("bin/tool");
    std::fs::write(&tool, "#!/bin/sh\necho tool\n").expect("written");
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).expect("executable");
    symlink("bin/tool", workspace.path().join("link")).expect("linked");
    let mut uses = case("test -L link && ./link");
    uses.workspace = Some(workspace.path().to_owned());
    assert_eq!(run(uses).await.out(), "tool\n");
}
