//! What is special about processes on a host.

use stroem_core::{CpuQuantity, Exit, Language, Outcome, StepRun};

use crate::support::{Local, path, request};

#[tokio::test]
async fn a_signal_that_nobody_here_sent_is_the_outcome() {
    let local = Local::new();
    let ran = local.run(request(1, local.path("a"), Language::Shell, "kill -SEGV $$")).await;
    assert_eq!(ran.outcome, Outcome::Failed { exit: Exit::Signal(11) });
}

#[tokio::test]
async fn each_language_runs_with_its_toolchain() {
    let local = Local::new();
    for (number, language, programs, text) in [
        (1, Language::Shell, &["bash", "sh"][..], "echo hello \"$1\""),
        (2, Language::Python, &["uv", "python3", "python"], "import sys; print('hello', sys.argv[1])"),
        (3, Language::Javascript, &["bun", "node"], "console.log('hello', process.argv[2])"),
    ] {
        let is_here =
            |name: &&str| path().split(':').any(|dir| std::path::Path::new(dir).join(name).is_file());
        if !programs.iter().any(is_here) {
            stroem_runner::conformance::skip(&format!("none of {} is here", programs.join(", ")));
            continue;
        }
        let mut request = request(number, local.path("a"), language, text);
        let StepRun::Script(script) = &mut request.spec.run else { unreachable!("made as a script") };
        script.args = vec!["a b".to_owned()];
        let ran = local.run(request).await;
        assert_eq!((ran.outcome, ran.stdout.as_str()), (Outcome::Succeeded, "hello a b\n"), "{language:?}");
    }
}

#[tokio::test]
async fn a_missing_toolchain_is_named_with_what_was_looked_for() {
    let local = Local::new();
    let mut request = request(1, local.path("a"), Language::Python, "print(1)");
    request.spec.env.insert("PATH".to_owned(), "/nonexistent".to_owned());
    let ran = local.run(request).await;
    let expected = "runner error: no program for python scripts on this worker: looked for uv, python3, python in /nonexistent";
    assert_eq!(ran.outcome.to_string(), expected);
}

#[tokio::test]
async fn a_script_that_is_not_a_program_of_this_host_is_the_users_error() {
    let local = Local::new();
    let mut request = request(1, local.path("a"), Language::Shell, "true");
    let StepRun::Script(script) = &mut request.spec.run else { unreachable!("made as a script") };
    script.interpreter = Some("no-such-program -x".to_owned());
    let ran = local.run(request).await;
    assert!(
        matches!(&ran.outcome, Outcome::InvalidInput { message } if message.contains("no-such-program")),
        "{ran:?}"
    );
}

#[tokio::test]
async fn arguments_beyond_what_the_system_takes_are_the_users_error() {
    let local = Local::new();
    let mut request = request(1, local.path("a"), Language::Shell, "true");
    request.spec.env.insert("BIG".to_owned(), "x".repeat(4 << 20));
    let ran = local.run(request).await;
    assert_eq!(ran.outcome.to_string(), "args and env are together larger than the system allows");
}

#[tokio::test]
async fn no_descriptor_of_the_worker_is_inherited() {
    // 0 to 2, and the one that `ls` has open to look.
    let local = Local::new();
    let ran =
        local.run(request(1, local.path("a"), Language::Shell, "exec ls /proc/self/fd | tr '\\n' ' '")).await;
    assert!(ran.stdout.starts_with("0 1 2 ") && ran.stdout.split_whitespace().count() <= 5, "{}", ran.stdout);
}

#[tokio::test]
async fn signals_are_as_a_fresh_process_has_them() {
    // This process ignores SIGPIPE, as every Rust program does.
    let local = Local::new();
    let ran = local
        .run(request(1, local.path("a"), Language::Shell, "grep -E 'Sig(Blk|Ign)' /proc/self/status"))
        .await;
    assert_eq!(ran.stdout, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

#[tokio::test]
async fn the_script_is_in_no_process_list() {
    let local = Local::new();
    let ran = local
        .run(request(1, local.path("a"), Language::Shell, "tr '\\0' ' ' < /proc/$$/cmdline # hidden"))
        .await;
    assert!(ran.stdout.contains("/a/script.sh") && !ran.stdout.contains("hidden"), "{}", ran.stdout);
}

#[tokio::test]
async fn a_cpu_limit_is_kept_or_named() {
    let local = Local::new();
    let mut limited = request(1, local.path("a"), Language::Shell, "cat /proc/self/cgroup");
    limited.spec.resources.cpu = Some(CpuQuantity::from_millicores(500));
    let ran = local.run(limited).await;
    let is_member = ran.stdout.lines().any(|line| line.contains("stroem-"));
    let is_named = ran.notes.iter().any(|note| note.starts_with("the CPU limit of 500m is not kept: "));
    assert!(is_member || is_named, "{ran:?}");
}

#[tokio::test]
async fn a_workspace_that_cannot_be_read_is_the_runners_error() {
    let local = Local::new();
    let mut request = request(1, local.path("a"), Language::Shell, "true");
    request.workspace = Some(local.path("not-there"));
    let ran = local.run(request).await;
    assert!(matches!(ran.outcome, Outcome::RunnerError { .. }), "{ran:?}");
    assert!(!local.path("a").exists());
}

#[tokio::test]
async fn what_a_step_made_unwritable_is_removed_all_the_same() {
    let local = Local::new();
    let text = "mkdir -p \"$TMPDIR/a/b\"; touch \"$TMPDIR/a/b/c\"; chmod 500 \"$TMPDIR/a/b\" \"$TMPDIR/a\"";
    let ran = local.run(request(1, local.path("a"), Language::Shell, text)).await;
    assert_eq!(ran.outcome, Outcome::Succeeded);
    assert!(!local.path("a").exists());
}
