//! Image steps: the image as it is, and what the keys change. Images are built here, once.

use std::{io::Write, process::Stdio};

use stroem_core::{ByteSize, Exit, ImageSpec, Outcome, StepRun};
use stroem_runner::StopReason;

use crate::support::{IMAGE, image, script, subject};

/// An image of these lines on top of the base, tagged so that every test run finds it again.
fn built(name: &str, lines: &str) -> String {
    let tag = format!("stroem-test/{name}");
    let mut build = std::process::Command::new("docker")
        .args(["build", "-q", "-t", &tag, "-"])
        .env("DOCKER_BUILDKIT", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("docker");
    let text = format!("FROM {IMAGE}\n{lines}\n");
    build.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
    assert!(build.wait().expect("a child").success(), "{text}");
    tag
}

fn words(words: &[&str]) -> Option<Vec<String>> {
    Some(words.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn an_image_runs_as_it_is_and_keys_replace_its_parts() {
    let subject = subject!();
    let plain = IMAGE.to_owned();
    let entry = built("entrypoint", "ENTRYPOINT [\"echo\", \"entry\"]\nCMD [\"default\"]");
    let command_only = built("command", "CMD [\"echo\", \"command\"]");
    for (case, change, expected) in [
        (&entry, ImageSpec { ..image(&entry) }, "entry default\n"),
        (&entry, ImageSpec { command: words(&["a", "b c"]), ..image(&entry) }, "entry a b c\n"),
        (
            &entry,
            ImageSpec { cmd: Some("echo \"<$0>\"; echo two".to_owned()), ..image(&entry) },
            "<sh>\ntwo\n",
        ),
        // As with `docker run --entrypoint`: the image's command goes with its entrypoint.
        (&entry, ImageSpec { entrypoint: words(&["echo", "own"]), ..image(&entry) }, "own\n"),
        (&entry, ImageSpec { entrypoint: words(&["echo"]), command: words(&["c"]), ..image(&entry) }, "c\n"),
        (
            &entry,
            ImageSpec { entrypoint: words(&[]), command: words(&["echo", "bare"]), ..image(&entry) },
            "bare\n",
        ),
        (
            &entry,
            ImageSpec {
                entrypoint: words(&["env", "A=1"]),
                cmd: Some("echo $A".to_owned()),
                ..image(&entry)
            },
            "1\n",
        ),
        (&command_only, ImageSpec { ..image(&command_only) }, "command\n"),
        (&command_only, ImageSpec { cmd: Some("echo cmd".to_owned()), ..image(&command_only) }, "cmd\n"),
        (&plain, ImageSpec { command: words(&["echo", "plain"]), ..image(&plain) }, "plain\n"),
    ] {
        let ran = subject.run(subject.request(StepRun::Image(change.clone()))).await;
        assert_eq!(
            (&ran.outcome, ran.stdout.as_str()),
            (&Outcome::Succeeded, expected),
            "{case}: {change:?} {ran:?}"
        );
    }
}

#[tokio::test]
async fn a_script_really_runs_in_an_image_with_an_entrypoint() {
    let entry = built_runner("script-entrypoint", "ENTRYPOINT [\"/bin/true\"]\nCMD [\"x\"]");
    let subject = subject!(|options| options.runner_image = entry);
    let ran = subject.run(subject.request(script("echo ran; exit 3"))).await;
    assert_eq!((ran.outcome, ran.stdout.as_str()), (Outcome::Failed { exit: Exit::ExitCode(3) }, "ran\n"));
}

fn built_runner(name: &str, lines: &str) -> String {
    // Without an engine the subject says so first.
    if crate::support::docker(&["image", "inspect", IMAGE]).is_ok() {
        built(name, lines)
    } else {
        String::new()
    }
}

#[tokio::test]
async fn user_and_working_directory_of_an_image_count() {
    let subject = subject!();
    let app = built("user", "RUN useradd -u 4711 app\nUSER app\nWORKDIR /srv/data\nENV GREETING=hello");
    let mut request = subject.request(StepRun::Image(ImageSpec {
        cmd: Some("id -u; pwd; echo $GREETING $MINE; env | grep -c WORKSPACE_DIR".to_owned()),
        ..image(&app)
    }));
    request.spec.env.insert("MINE".to_owned(), "too".to_owned());
    let ran = subject.run(request.clone()).await;
    assert_eq!(ran.stdout, "4711\n/srv/data\nhello too\n0\n", "{ran:?}");
    request.spec.workdir = Some("/tmp".to_owned());
    assert!(subject.run(request).await.stdout.contains("\n/tmp\n"));
}

#[tokio::test]
async fn a_script_owns_its_workspace_whoever_the_images_user_is() {
    let app = built_runner("script-user", "RUN useradd -u 4712 app\nUSER app");
    let subject = subject!(|options| options.runner_image = app);
    let workspace = subject.path("workspace");
    std::fs::create_dir_all(workspace.join("sub")).expect("made");
    std::fs::write(workspace.join("sub/file"), "old\n").expect("written");
    let text = "id -u; echo new >> sub/file && cat sub/file && touch here \"$HOME/x\" \"$TMPDIR/x\" && stat -c %u sub/file; \
                echo '{\"a\":1}' > \"$STROEM_OUTPUT\"";
    let mut request = subject.request(script(text));
    request.workspace = Some(workspace);
    let ran = subject.run(request).await;
    assert_eq!(ran.stdout, "4712\nold\nnew\n4712\nOUTPUT: {\"a\":1}\n", "{ran:?}");
}

#[tokio::test]
async fn startup_scripts_are_sourced_before_a_script() {
    let lines = "RUN mkdir -p /etc/stroem/startup.d && echo 'export FROM_STARTUP=yes; set -- gone' > /etc/stroem/startup.d/a.sh";
    let startup = built_runner("startup", lines);
    let subject = subject!(|options| options.runner_image = startup);
    let ran = subject.run(subject.request(script("echo $FROM_STARTUP $#"))).await;
    assert_eq!((ran.outcome, ran.stdout.as_str()), (Outcome::Succeeded, "yes 0\n"));
}

#[tokio::test]
async fn what_the_engine_cannot_start_is_the_users_mistake() {
    let subject = subject!();
    let mut missing = image(IMAGE);
    missing.command = words(&["no-such-program"]);
    let ran = subject.run(subject.request(StepRun::Image(missing))).await;
    let Outcome::InvalidInput { message } = &ran.outcome else { panic!("{ran:?}") };
    assert!(message.contains("no-such-program"), "{message}");
    let mut python = subject.request(script("print(1)"));
    let StepRun::Script(spec) = &mut python.spec.run else { unreachable!("made as a script") };
    spec.language = stroem_core::Language::Go;
    let ran = subject.run(python).await;
    let expected = "the image has no program for go scripts: looked for go in ";
    assert!(ran.outcome.to_string().contains(expected), "{ran:?}");
}

#[tokio::test]
async fn memory_over_the_limit_is_out_of_memory_for_an_image_too() {
    let subject = subject!();
    let hungry = ImageSpec { command: words(&["tail", "/dev/zero"]), ..image(IMAGE) };
    let mut request = subject.request(StepRun::Image(hungry));
    let limit = ByteSize::from_mib(32);
    request.spec.resources.memory = Some(limit);
    let ran = subject.run(request).await;
    assert_eq!(ran.outcome, Outcome::OutOfMemory { limit: Some(limit), peak: None });
}

#[tokio::test]
async fn an_image_that_ignores_term_is_killed_after_the_grace() {
    let subject = subject!();
    let sleeps = ImageSpec { command: words(&["sleep", "1000"]), ..image(IMAGE) };
    let request = subject.request(StepRun::Image(sleeps));
    let name = format!("stroem-{}", request.marker());
    let (stop, stopping) = tokio::sync::watch::channel(None);
    let stop_when_running = async {
        while crate::support::docker(&["inspect", "-f", "{{.State.Running}}", &name]) != Ok("true".to_owned())
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        stop.send_replace(Some(StopReason::Cancelled));
    };
    let (ran, ()) = tokio::join!(subject.run_until(request, stopping), stop_when_running);
    assert_eq!(ran.outcome, Outcome::Cancelled);
}
