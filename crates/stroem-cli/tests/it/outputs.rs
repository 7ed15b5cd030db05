//! What each command prints, as one picture: a change of what people read is seen in the review.

use std::fmt::Write as _;

use crate::harness::{System, folder, out, stroem};

const WORKFLOW: &str = "actions:\n  greet: {type: script, script: 'echo hello', description: Says hello}\ntasks:\n  ok:\n    description: Greets twice\n    flow:\n      a: {action: greet}\n      b: {type: script, depends_on: [a], script: 'echo \"OUTPUT: {\\\"n\\\": 1}\"'}\n  waits:\n    flow:\n      a: {type: script, script: 'true', tags: [gpu]}\ntriggers:\n  nightly: {type: scheduler, cron: '0 2 * * *', task: ok}\n";

/// Runs a command and adds what it printed, without what differs from run to run.
fn add(text: &mut String, hide: &[(&str, &str)], arguments: &[&str]) -> String {
    let ran = stroem(arguments);
    let shown = |words: &str| {
        let hidden = hide.iter().fold(words.to_owned(), |words, (what, with)| words.replace(what, with));
        hidden.lines().map(steady).collect::<Vec<_>>().join("\n")
    };
    let command = shown(&arguments.join(" "));
    let _infallible = write!(text, "$ stroem {command}\n{}\n", shown(&out(&ran)));
    let told = shown(&String::from_utf8_lossy(&ran.stderr));
    if !told.is_empty() {
        let _infallible = writeln!(text, "(beside) {}", told.replace('\n', "\n(beside) "));
    }
    if ran.status.code() != Some(0) {
        let _infallible = writeln!(text, "(exit code {})", ran.status.code().expect("it ended by itself"));
    }
    text.push('\n');
    out(&ran)
}

/// A line with ids, times and durations replaced, and columns two spaces apart, as their widths follow from those.
fn steady(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut gap = false;
    for word in line.split(' ') {
        match word {
            "" => gap = true,
            _ => {
                let spaces = if words.is_empty() && !gap {
                    ""
                } else if gap {
                    "  "
                } else {
                    " "
                };
                words.push(format!("{spaces}{}", hidden(word)));
                gap = false;
            }
        }
    }
    words.concat()
}

fn hidden(word: &str) -> &str {
    let is_id = word.len() == 36 && word.chars().filter(|c| *c == '-').count() == 4;
    let is_time = word.len() == 20 && word.ends_with('Z') && word.contains('T');
    let is_span = word.strip_suffix('s').is_some_and(|number| number.parse::<f64>().is_ok());
    let is_revision = word.len() == 12 && word.chars().all(|c| c.is_ascii_hexdigit());
    match (is_id, is_time, is_span, is_revision) {
        (true, ..) => "[id]",
        (_, true, ..) => "[time]",
        (_, _, true, _) => "[span]",
        (.., true) => "[revision]",
        _ => word,
    }
}

#[test]
fn local_commands_print_as_designed() {
    let dir = folder(WORKFLOW);
    let path = dir.path().to_string_lossy().into_owned();
    let config = dir.path().join("worker.yaml");
    std::fs::write(&config, "worker_token: t\n").expect("written");
    let config = config.to_string_lossy().into_owned();
    let hide = [(path.as_str(), "FOLDER")];
    let mut text = String::new();
    for arguments in [
        &["validate", &path][..],
        &["tasks", "--path", &path],
        &["actions", "--path", &path],
        &["triggers", "--path", &path],
        &["inspect", "ok", "--path", &path],
        &["run", "ok", "--path", &path],
        &["run", "okk", "--path", &path],
        &["config", "check", "worker", &config],
        &["db", "copy", &path, "postgres://db/jobs"],
        &["db", "copy", &format!("sqlite:{path}/nowhere"), &format!("sqlite:{path}/data")],
    ] {
        add(&mut text, &hide, arguments);
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn system_remote_commands_print_as_designed() {
    let dir = folder(WORKFLOW);
    let mut system = System::start(dir.path()).await;
    let (address, data) = (system.address.clone(), system.dir().to_string_lossy().into_owned());
    let hide = [(address.as_str(), "SERVER"), (data.as_str(), "DIR")];
    let mut text = String::new();
    let mut ask = |arguments: &[&str]| add(&mut text, &hide, &[arguments, &["--server", &address]].concat());
    ask(&["workspaces"]);
    ask(&["workers"]);
    ask(&["trigger", "ok", "--wait"]);
    let followed = ask(&["trigger", "ok", "--follow"]);
    let id = followed.split(' ').find(|word| word.len() == 36).expect("an id").to_owned();
    ask(&["status", &id]);
    ask(&["logs", &id]);
    ask(&["rerun", &id, "--wait"]);
    let waiting = ask(&["trigger", "waits"]).trim().to_owned();
    system.step_is(waiting.parse().expect("an id"), "a", "ready").await;
    ask(&["explain", &waiting, "a"]);
    ask(&["cancel", &waiting]);
    ask(&["jobs"]);
    ask(&["jobs", "--source-type", "rerun"]);
    ask(&["workers", "drain", "w1"]);
    ask(&["workers", "resume", "w1"]);
    ask(&["trigger", "okk"]);
    system.kill_server();
    let (from, to) = (format!("sqlite:{data}/server"), format!("sqlite:{data}/copy"));
    add(&mut text, &hide, &["db", "copy", &from, &to]);
    add(&mut text, &hide, &["db", "copy", &from, &to]);
    insta::assert_snapshot!(text);
}
