//! Faults by chance at every step of the protocol, all at once.

use std::time::Duration;

use super::{
    Fault, Plan, ProtocolStep, Rule,
    fault::When,
    run::{Chaos, Load},
};
use crate::size;

/// Of how many calls of a step one is cut, one costs the server its life, and one the worker. An attempt may be lost
/// with its worker twice and not three times, so workers die rarely enough for that.
fn rates(step: ProtocolStep) -> [u64; 3] {
    match step {
        ProtocolStep::Register | ProtocolStep::Leave => [4, 8, size::sized(24, 8)],
        ProtocolStep::Workspace => [4, 8, size::sized(50, 24)],
        ProtocolStep::Heartbeat => [10, size::sized(40, 100), size::sized(200, 100)],
        ProtocolStep::Claim | ProtocolStep::Started | ProtocolStep::Chunks | ProtocolStep::Ended => {
            [size::sized(20, 50), size::sized(150, 1_000), size::sized(400, 1_000)]
        }
    }
}

fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    for step in ProtocolStep::ALL {
        let [cut, server, worker] = rates(step);
        let faults = [
            (Fault::CutRequest, cut),
            (Fault::CutReply, cut),
            (Fault::KillServer, server),
            (Fault::KillServerAndCutReply, server),
            (Fault::KillWorker, worker),
        ];
        rules.extend(faults.map(|(fault, calls)| Rule { step, fault, when: When::OneIn(calls) }));
    }
    let drains = size::sized(80, 200);
    rules.push(Rule { step: ProtocolStep::Claim, fault: Fault::Drain, when: When::OneIn(drains) });
    rules
}

#[tokio::test]
async fn proof_jobs_survive_random_faults_at_every_protocol_step() {
    let load = Load {
        jobs: size::sized(20, 1_000),
        steps: 10,
        seconds: 0.05,
        workers: 3,
        limit: Duration::from_secs(size::sized(100, 5_400)),
    };
    let plan = Plan::new(rules(), size::seed());
    let (tally, plan) = Chaos::start(load, plan).await.run(load).await;
    size::say(&format!("{} jobs: {tally:?}", load.jobs));
    for step in ProtocolStep::ALL {
        size::say(&format!("{step:?}: {} calls answered", plan.answered(step)));
    }
    for ((step, fault), times) in plan.done() {
        size::say(&format!("{step:?} {fault:?}: {times}"));
        assert!(times > 0 || !size::is_full(), "{fault:?} at {step:?} never happened");
    }
    assert_eq!(tally.steps, load.jobs * load.steps);
}
