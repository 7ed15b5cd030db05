//! Twenty jobs through each fault at each step of the protocol, one test for each pair.

use std::time::Duration;

use super::{
    Fault, Plan, ProtocolStep, Rule,
    fault::When,
    run::{Chaos, Load},
};

async fn check(step: ProtocolStep, fault: Fault) {
    let seconds = if step == ProtocolStep::Heartbeat { 0.3 } else { 0.06 };
    let load = Load { jobs: 20, steps: 2, seconds, workers: 1, limit: Duration::from_secs(60) };
    let rare = matches!(step, ProtocolStep::Register | ProtocolStep::Workspace | ProtocolStep::Leave);
    // A kill takes seconds, a cut nothing.
    let calls = match fault {
        Fault::KillServer if rare => vec![1],
        Fault::KillServer | Fault::KillWorker if rare => vec![1],
        Fault::KillServer | Fault::KillWorker => vec![3],
        _ if rare => vec![1, 2],
        _ => vec![1, 2, 5, 9, 10],
    };
    let mut rules = vec![Rule { step, fault, when: When::At(calls) }];
    match step {
        // The worker registers again, without the leases that it had.
        ProtocolStep::Register => {
            rules.push(Rule { step: ProtocolStep::Claim, fault: Fault::KillWorker, when: When::At(vec![3]) });
        }
        ProtocolStep::Leave => {
            rules.push(Rule { step: ProtocolStep::Claim, fault: Fault::Drain, when: When::At(vec![3]) });
        }
        _ => {}
    }
    let (tally, plan) = Chaos::start(load, Plan::new(rules, 0)).await.run(load).await;
    assert!(plan.done()[&(step, fault)] > 0, "nothing went wrong: {plan:?}");
    assert_eq!(tally.steps, 40);
    let may_repeat = fault == Fault::KillWorker || step == ProtocolStep::Register;
    assert!(may_repeat || tally.attempts == 40, "{tally:?}");
}

#[tokio::test]
async fn system_jobs_survive_a_register_cut_before_the_server() {
    check(ProtocolStep::Register, Fault::CutRequest).await;
}

#[tokio::test]
async fn system_jobs_survive_a_register_whose_reply_is_cut() {
    check(ProtocolStep::Register, Fault::CutReply).await;
}

#[tokio::test]
async fn system_jobs_survive_a_server_killed_after_a_register() {
    check(ProtocolStep::Register, Fault::KillServer).await;
}

#[tokio::test]
async fn system_jobs_survive_a_worker_killed_at_a_register() {
    check(ProtocolStep::Register, Fault::KillWorker).await;
}

#[tokio::test]
async fn system_jobs_survive_a_claim_cut_before_the_server() {
    check(ProtocolStep::Claim, Fault::CutRequest).await;
}

#[tokio::test]
async fn system_jobs_survive_a_claim_whose_reply_is_cut() {
    check(ProtocolStep::Claim, Fault::CutReply).await;
}

#[tokio::test]
async fn system_jobs_survive_a_server_killed_after_a_claim() {
    check(ProtocolStep::Claim, Fault::KillServer).await;
}

#[tokio::test]
async fn system_jobs_survive_a_worker_killed_at_a_claim() {
    check(ProtocolStep::Claim, Fault::KillWorker).await;
}

#[tokio::test]
async fn system_jobs_survive_a_started_report_cut_before_the_server() {
    check(ProtocolStep::Started, Fault::CutRequest).await;
}

#[tokio::test]
async fn system_jobs_survive_a_started_report_whose_reply_is_cut() {
    check(ProtocolStep::Started, Fault::CutReply).await;
}

#[tokio::test]
async fn system_jobs_survive_a_server_killed_after_a_started_report() {
    check(ProtocolStep::Started, Fault::KillServer).await;
}

#[tokio::test]
async fn system_jobs_survive_a_worker_killed_at_a_started_report() {
    check(ProtocolStep::Started, Fault::KillWorker).await;
}

#[tokio::test]
async fn system_jobs_survive_a_chunk_report_cut_before_the_server() {
    check(ProtocolStep::Chunks, Fault::CutRequest).await;
}

#[tokio::test]
async fn system_jobs_survive_a_chunk_report_whose_reply_is_cut() {
    check(ProtocolStep::Chunks, Fault::CutReply).await;
}

#[tokio::test]
async fn system_jobs_survive_a_server_killed_after_a_chunk_report() {
    check(ProtocolStep::Chunks, Fault::KillServer).await;
}

#[tokio::test]
async fn system_jobs_survive_a_worker_killed_at_a_chunk_report() {
    check(ProtocolStep::Chunks, Fault::KillWorker).await;
}

#[tokio::test]
async fn system_jobs_survive_an_ended_report_cut_before_the_server() {
    check(ProtocolStep::Ended, Fault::CutRequest).await;
}

#[tokio::test]
async fn system_jobs_survive_an_ended_report_whose_reply_is_cut() {
    check(ProtocolStep::Ended, Fault::CutReply).await;
}

#[tokio::test]
async fn system_jobs_survive_a_server_killed_after_an_ended_report() {
    check(ProtocolStep::Ended, Fault::KillServer).await;
}

#[tokio::test]
async fn system_jobs_survive_a_worker_killed_at_an_ended_report() {
    check(ProtocolStep::Ended, Fault::KillWorker).await;
}

#[tokio::test]
async fn system_jobs_survive_a_heartbeat_cut_before_the_server() {
    check(ProtocolStep::Heartbeat, Fault::CutRequest).await;
}

#[tokio::test]
async fn system_jobs_survive_a_heartbeat_whose_reply_is_cut() {
    check(ProtocolStep::Heartbeat, Fault::CutReply).await;
}

#[tokio::test]
async fn system_jobs_survive_a_server_killed_after_a_heartbeat() {
    check(ProtocolStep::Heartbeat, Fault::KillServer).await;
}

#[tokio::test]
async fn system_jobs_survive_a_worker_killed_at_a_heartbeat() {
    check(ProtocolStep::Heartbeat, Fault::KillWorker).await;
}

#[tokio::test]
async fn system_jobs_survive_a_workspace_download_cut_before_the_server() {
    check(ProtocolStep::Workspace, Fault::CutRequest).await;
}

#[tokio::test]
async fn system_jobs_survive_a_workspace_download_whose_reply_is_cut() {
    check(ProtocolStep::Workspace, Fault::CutReply).await;
}

#[tokio::test]
async fn system_jobs_survive_a_server_killed_after_a_workspace_download() {
    check(ProtocolStep::Workspace, Fault::KillServer).await;
}

#[tokio::test]
async fn system_jobs_survive_a_worker_killed_at_a_workspace_download() {
    check(ProtocolStep::Workspace, Fault::KillWorker).await;
}

#[tokio::test]
async fn system_jobs_survive_a_leave_cut_before_the_server() {
    check(ProtocolStep::Leave, Fault::CutRequest).await;
}

#[tokio::test]
async fn system_jobs_survive_a_leave_whose_reply_is_cut() {
    check(ProtocolStep::Leave, Fault::CutReply).await;
}

#[tokio::test]
async fn system_jobs_survive_a_server_killed_after_a_leave() {
    check(ProtocolStep::Leave, Fault::KillServer).await;
}

#[tokio::test]
async fn system_jobs_survive_a_worker_killed_at_a_leave() {
    check(ProtocolStep::Leave, Fault::KillWorker).await;
}
