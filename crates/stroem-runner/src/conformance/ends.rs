//! How commands end, and what is run in the first place.

use std::fs;

use stroem_core::{ByteSize, Exit, Outcome, ScriptBody};

use super::{
    Subject, Verdict,
    harness::{run, script},
};

/// Code 0 succeeds, every other code is reported as it is.
pub async fn exit_codes_are_told_apart(subject: &dyn Subject) -> Verdict {
    for (text, outcome) in [
        ("true", Outcome::Succeeded),
        ("false", Outcome::Failed { exit: Exit::ExitCode(1) }),
        ("exit 3", Outcome::Failed { exit: Exit::ExitCode(3) }),
        ("exit 255", Outcome::Failed { exit: Exit::ExitCode(255) }),
        // Plain shell semantics: a failed command in the middle does not end the script.
        ("false; true", Outcome::Succeeded),
    ] {
        let ran = run(subject, script(text)).await;
        assert_eq!(ran.outcome, outcome, "{text}");
        ran.assert_clean(subject).await;
    }
    Verdict::Passed
}

/// Arguments are positional, and nothing expands them.
pub async fn arguments_arrive_as_they_are(subject: &dyn Subject) -> Verdict {
    let mut with_args = script("for a in \"$@\"; do echo \"<$a>\"; done");
    with_args.args = ["a b", "", "$HOME", "*", "line\nbreak", "ø"].map(str::to_owned).to_vec();
    let ran = run(subject, with_args).await;
    assert_eq!(ran.out(), "<a b>\n<>\n<$HOME>\n<*>\n<line\nbreak>\n<ø>\n");
    Verdict::Passed
}

/// `interpreter` is a program with arguments, and the script its last one.
pub async fn the_interpreter_can_be_replaced(subject: &dyn Subject) -> Verdict {
    let mut strict = script("false; echo not reached");
    strict.interpreter = Some("sh -e".to_owned());
    let ran = run(subject, strict).await;
    assert_eq!(
        (ran.outcome.clone(), ran.out()),
        (Outcome::Failed { exit: Exit::ExitCode(1) }, String::new())
    );
    Verdict::Passed
}

/// A `source` is run where it lies, with the interpreter of its language.
pub async fn a_source_file_runs_inside_the_workspace(subject: &dyn Subject) -> Verdict {
    let workspace = subject.directory().join("source");
    fs::create_dir_all(workspace.join("bin")).expect("made");
    // Not executable: it is the interpreter that runs.
    fs::write(workspace.join("bin/go.sh"), "test \"$PWD\" = \"$STROEM_WORKSPACE_DIR\" && echo \"$0 $1\"")
        .expect("written");
    let mut file = script("");
    file.body = ScriptBody::File("bin/go.sh".to_owned());
    file.args = vec!["one".to_owned()];
    file.workspace = Some(workspace);
    let ran = run(subject, file).await;
    assert_eq!(ran.outcome, Outcome::Succeeded);
    assert!(ran.out().ends_with("/bin/go.sh one\n"), "{}", ran.out());
    Verdict::Passed
}

/// Neither `source` nor `workdir` leads out of the workspace.
pub async fn paths_outside_the_workspace_are_refused(subject: &dyn Subject) -> Verdict {
    for path in ["../../etc/passwd", "/etc/passwd", "missing.sh"] {
        let mut file = script("");
        file.body = ScriptBody::File(path.to_owned());
        let ran = run(subject, file).await;
        assert!(matches!(ran.outcome, Outcome::InvalidInput { .. }), "{path}: {:?}", ran.outcome);
        assert!(!ran.order.contains(&"started"), "{path}");
        ran.assert_clean(subject).await;
    }
    for path in ["..", "/tmp", "missing"] {
        let mut elsewhere = script("true");
        elsewhere.workdir = Some(path.to_owned());
        let ran = run(subject, elsewhere).await;
        assert!(matches!(ran.outcome, Outcome::InvalidInput { .. }), "{path}: {:?}", ran.outcome);
    }
    Verdict::Passed
}

/// A command that ends at once cannot race with whoever waits for it.
pub async fn a_hundred_fast_commands_give_a_hundred_results(subject: &dyn Subject) -> Verdict {
    for _ in 0..25 {
        let four = || async {
            let ran = run(subject, script("echo done")).await;
            assert_eq!((ran.outcome.clone(), ran.out().as_str()), (Outcome::Succeeded, "done\n"));
            ran.assert_clean(subject).await;
        };
        tokio::join!(four(), four(), four(), four());
    }
    Verdict::Passed
}

/// `STROEM_OUTPUT` becomes one more line of stdout, on a line of its own.
pub async fn the_output_file_becomes_a_line(subject: &dyn Subject) -> Verdict {
    for (text, expected) in [
        (
            r#"printf '{\n  "a": 1\n}\n' > "$STROEM_OUTPUT"; printf 'no newline'"#,
            "no newline\nOUTPUT: {   \"a\": 1 }\n",
        ),
        (r#"echo '{"a":1}' > "$STROEM_OUTPUT"; echo line"#, "line\nOUTPUT: {\"a\":1}\n"),
        (r#"echo '[1]' > "$STROEM_OUTPUT""#, "OUTPUT: [1]\n"),
        (r#": > "$STROEM_OUTPUT"; echo empty"#, "empty\n"),
        (r#"mkdir "$STROEM_OUTPUT"; echo folder"#, "folder\n"),
    ] {
        let ran = run(subject, script(text)).await;
        assert_eq!((ran.outcome.clone(), ran.out().as_str()), (Outcome::Succeeded, expected), "{text}");
    }
    Verdict::Passed
}

/// Only a command that succeeded has an output.
pub async fn a_failed_command_has_no_output_file(subject: &dyn Subject) -> Verdict {
    let ran = run(subject, script("echo '{}' > \"$STROEM_OUTPUT\"; exit 4")).await;
    assert_eq!(
        (ran.outcome.clone(), ran.out()),
        (Outcome::Failed { exit: Exit::ExitCode(4) }, String::new())
    );
    Verdict::Passed
}

/// The outcome names limit and peak, and a neighbour goes on.
pub async fn a_step_over_its_memory_limit_ends_as_out_of_memory(subject: &dyn Subject) -> Verdict {
    if let Some(reason) = subject.no_memory_limit() {
        return Verdict::Skipped(reason);
    }
    let limit = ByteSize::from_mib(40);
    let mut hungry = script("head -c 400000000 /dev/zero | tail -c 400000000 > /dev/null");
    hungry.memory = Some(limit);
    let neighbour = script("sleep 1; echo fine");
    let (hungry, neighbour) = tokio::join!(run(subject, hungry), run(subject, neighbour));
    let Outcome::OutOfMemory { limit: reported, peak } = hungry.outcome else {
        panic!("{:?}", hungry.outcome)
    };
    assert_eq!(reported, Some(limit));
    assert!(peak.is_none_or(|peak| peak.as_bytes() > limit.as_bytes() / 2), "{peak:?}");
    assert_eq!(hungry.peak_memory, peak);
    assert_eq!((neighbour.outcome.clone(), neighbour.out().as_str()), (Outcome::Succeeded, "fine\n"));
    hungry.assert_clean(subject).await;
    Verdict::Passed
}
