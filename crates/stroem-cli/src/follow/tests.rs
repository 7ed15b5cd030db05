//! Following against a server of prepared answers.

use futures_util::stream;
use serde_json::json;

use super::*;
use crate::{
    terminal::tests::Captured,
    testing::{self, Answer, FakeServer, JOB, job, job_id, line, lines_event, step},
};

const END: &str = "event: end\nid: 9\ndata: {}\n\n";

fn ended(status: &str) -> Answer {
    let steps = vec![step("say", status, Some(5), Some(40))];
    Answer::json(&job(status, steps, Some(&json!({"say": {"letters": 3}}))))
}

fn log_answer(text: String) -> Answer {
    Answer::Body(200, text)
}

fn check(server: &FakeServer, show: Follow, format: Format) -> (Result<Exit, Failure>, Captured) {
    let (terminal, captured) = Terminal::captured(format);
    let exit = crate::runtime::asking(to_the_end(&server.client(), job_id(), show, &terminal));
    (exit, captured)
}

#[test]
fn a_job_is_followed_to_its_result() {
    let lines = [line("say", "Hello"), line("say", "world")];
    let server = FakeServer::new([log_answer(lines_event("4", &lines) + END), ended("completed")]);
    let (exit, captured) = check(&server, Follow::Log, Format::Text);
    assert_eq!(exit.unwrap(), Exit::Done);
    insta::assert_snapshot!(captured.out());
    assert_eq!(captured.err(), "");
}

#[test]
fn the_exit_code_is_the_jobs() {
    for (status, expected) in [
        ("completed", Exit::Done),
        ("skipped", Exit::Done),
        ("failed", Exit::Failed),
        ("cancelled", Exit::Cancelled),
    ] {
        let server = FakeServer::new([ended(status)]);
        let (exit, _) = check(&server, Follow::Quietly, Format::Text);
        assert_eq!(exit.unwrap(), expected, "{status}");
    }
}

#[test]
fn with_json_the_result_is_one_document_and_the_log_is_beside_it() {
    let server =
        FakeServer::new([log_answer(lines_event("4", &[line("say", "Hello")]) + END), ended("completed")]);
    let (exit, captured) = check(&server, Follow::Log, Format::Json);
    assert_eq!(exit.unwrap(), Exit::Done);
    let document: JobDetail = serde_json::from_str(&captured.out()).unwrap();
    assert_eq!(document.job_id, job_id());
    assert_eq!(captured.err(), "say | Hello\n");
}

#[test]
fn a_restart_of_the_server_loses_no_line_and_repeats_none() {
    let server = FakeServer::new([
        // The connection breaks inside an event, which therefore does not count.
        Answer::Breaks(lines_event("4", &[line("say", "one")]) + "event: lines\nid: 5\ndata: [{\"ts\""),
        Answer::Refuses,
        Answer::error(503, "stopping", "the server stops"),
        log_answer(lines_event("5", &[line("say", "two")]) + END),
        ended("completed"),
    ]);
    let (exit, captured) = check(&server, Follow::Log, Format::Text);
    assert_eq!(exit.unwrap(), Exit::Done);
    assert!(captured.out().starts_with("say | one\nsay | two\nrelease "), "{}", captured.out());
    let cannot = "cannot reach http://127.0.0.1:8080: Connection refused (os error 111); trying again\n";
    assert_eq!(captured.err(), cannot);
    let events = format!("GET /api/jobs/{JOB}/logs/events");
    assert_eq!(server.asked()[..2], [events.clone(), format!("{events} after 4")]);
    assert_eq!(server.asked()[3], format!("{events} after 4"));
}

#[test]
fn the_end_of_the_job_is_seen_over_a_restart_of_the_server() {
    let running = job("running", vec![step("say", "running", Some(5), None)], None);
    let server = FakeServer::new([Answer::json(&running), Answer::Refuses, Answer::Refuses, ended("failed")]);
    let (exit, captured) = check(&server, Follow::Quietly, Format::Text);
    assert_eq!(exit.unwrap(), Exit::Failed);
    assert_eq!(captured.err().lines().count(), 1, "{}", captured.err());
    let path = |version: i64| format!("GET /api/jobs/{JOB}?wait_version={version}&wait_ms=25000");
    assert_eq!(server.asked(), [path(-1), path(7), path(7), path(7)]);
}

#[test]
fn a_server_that_never_answered_is_not_waited_for() {
    for show in [Follow::Log, Follow::Quietly] {
        let (exit, captured) = check(&FakeServer::new([Answer::Refuses]), show, Format::Text);
        assert_eq!(exit.unwrap_err().exit(), Exit::Unreachable);
        assert_eq!((captured.out(), captured.err()), (String::new(), String::new()));
    }
}

#[test]
fn a_refusal_ends_the_following() {
    let refusal = || Answer::error(404, "no_such_job", "there is no such job");
    for show in [Follow::Log, Follow::Quietly] {
        let (exit, _) = check(&FakeServer::new([refusal()]), show, Format::Text);
        assert_eq!(exit.unwrap_err().exit(), Exit::Refused);
    }
}

fn interrupted(server: &FakeServer, interrupts: usize) -> (Result<Exit, Failure>, Captured) {
    let (terminal, captured) = Terminal::captured(Format::Text);
    let told = stream::iter((0..interrupts).map(|_| Ok(()))).chain(stream::pending());
    let client = server.client();
    let exit = crate::runtime::asking(until_end(&client, job_id(), Follow::Quietly, &terminal, told));
    (exit, captured)
}

#[test]
fn the_first_interrupt_cancels_the_job_and_waits_for_its_end() {
    let server = FakeServer::new([Answer::json(&json!({"status": "cancelled"})), ended("cancelled")]);
    let (exit, captured) = interrupted(&server, 1);
    assert_eq!(exit.unwrap(), Exit::Cancelled);
    assert_eq!(captured.err(), "cancelling; once more to end at once\n");
    assert_eq!(server.asked()[0], format!("POST /api/jobs/{JOB}/cancel"));
}

#[test]
fn an_interrupt_after_the_jobs_end_changes_nothing() {
    let server = FakeServer::new([
        Answer::error(409, "job_ended", "the job is already completed"),
        ended("completed"),
    ]);
    assert_eq!(interrupted(&server, 1).0.unwrap(), Exit::Done);
}

#[test]
fn the_second_interrupt_ends_at_once() {
    let server = FakeServer::new([Answer::json(&json!({"status": "cancelled"}))]);
    let (exit, captured) = interrupted(&server, 2);
    assert_eq!(exit.unwrap(), Exit::Cancelled);
    assert_eq!(captured.out(), "");
}

fn page(lines: &[stroem_api::public::LogLine], next: &str, complete: bool) -> Answer {
    Answer::json(&json!({ "logs": lines::json(lines), "next_cursor": next, "complete": complete }))
}

#[test]
fn pages_are_read_until_nothing_follows() {
    let server = FakeServer::new([
        page(&[line("a", "1")], "10", false),
        page(&[], "20", false),
        page(&[line("b", "2")], "30", false),
        page(&[], "30", false),
    ]);
    let (terminal, captured) = Terminal::captured(Format::Text);
    crate::runtime::asking(pages(&server.client(), job_id(), None, &terminal)).unwrap();
    assert_eq!(captured.out(), "a | 1\nb | 2\n");
    assert_eq!(server.asked()[3], format!("GET /api/jobs/{JOB}/logs?cursor=30"));
}

#[test]
fn one_steps_log_is_its_text_and_as_json_a_line_each() {
    let (terminal, captured) = Terminal::captured(Format::Text);
    let server = FakeServer::new([page(&[line("a", "1"), line("a", "2")], "10", true)]);
    crate::runtime::asking(pages(&server.client(), job_id(), Some("a"), &terminal)).unwrap();
    assert_eq!(captured.out(), "1\n2\n");
    let (terminal, captured) = Terminal::captured(Format::Json);
    let both = lines_event("4", &[line("a", "1"), line("b", "2")]) + END;
    let server = FakeServer::new([log_answer(both)]);
    crate::runtime::asking(log(&server.client(), job_id(), Some("b"), &terminal)).unwrap();
    let read: Vec<stroem_api::public::LogLine> =
        captured.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, [testing::line("b", "2")]);
}
