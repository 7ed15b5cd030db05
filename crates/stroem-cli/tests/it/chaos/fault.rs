//! What can go wrong at which step of the worker protocol, and when it is to.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use stroem_api::worker::{PollRequest, PollResponse, Report, ReportKind};

/// A step of the worker protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ProtocolStep {
    Register,
    /// A poll whose answer claims a step; before it is answered, one that has a free slot.
    Claim,
    /// A report that says that a process started.
    Started,
    /// A report with log chunks.
    Chunks,
    /// A report that says how an attempt ended.
    Ended,
    Heartbeat,
    Workspace,
    Leave,
}

impl ProtocolStep {
    pub(crate) const ALL: [Self; 8] = [
        Self::Register,
        Self::Claim,
        Self::Started,
        Self::Chunks,
        Self::Ended,
        Self::Heartbeat,
        Self::Workspace,
        Self::Leave,
    ];

    /// The steps that a request is, as far as it says.
    pub(crate) fn of_request(path: &str, body: &Bytes) -> Vec<Self> {
        match path {
            "/worker/register" => vec![Self::Register],
            "/worker/heartbeat" => vec![Self::Heartbeat],
            "/worker/leave" => vec![Self::Leave],
            "/worker/poll" => {
                let poll: PollRequest = serde_json::from_slice(body).expect("a poll");
                if poll.free_slots > 0 { vec![Self::Claim] } else { Vec::new() }
            }
            "/worker/report" => Self::of_report(&Report::decode(body.clone()).expect("a report")),
            _ if path.starts_with("/worker/workspaces/") => vec![Self::Workspace],
            _ => Vec::new(),
        }
    }

    fn of_report(report: &Report) -> Vec<Self> {
        let said = |is: fn(&ReportKind) -> bool| report.attempts.iter().any(|attempt| is(&attempt.kind));
        let steps = [
            (Self::Chunks, !report.chunks.is_empty()),
            (Self::Started, said(|kind| matches!(kind, ReportKind::Started { .. }))),
            (Self::Ended, said(|kind| matches!(kind, ReportKind::Ended { .. }))),
        ];
        steps.into_iter().filter(|(_, is)| *is).map(|(step, _)| step).collect()
    }

    /// Whether an answer makes the call what its request could only hope for.
    pub(crate) fn confirmed(self, answer: &Bytes) -> bool {
        let claims =
            || serde_json::from_slice::<PollResponse>(answer).is_ok_and(|poll| !poll.claims.is_empty());
        self != Self::Claim || claims()
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The request does not reach the server.
    CutRequest,
    /// The server does what is asked; its reply does not reach the worker.
    CutReply,
    /// The server is killed once it has answered; the reply reaches the worker.
    KillServer,
    /// The server is killed once it has answered, and nobody hears the reply.
    KillServerAndCutReply,
    /// The worker is killed when the server has answered.
    KillWorker,
    /// The worker is told to drain and leave; nothing is cut.
    Drain,
}

impl Fault {
    pub(crate) fn is_before_the_server(self) -> bool {
        self == Self::CutRequest
    }
}

/// At which calls of a protocol step a fault comes, counted from 1.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) step: ProtocolStep,
    pub(crate) fault: Fault,
    pub(crate) when: When,
}

/// Which calls are hit.
#[derive(Debug, Clone)]
pub(crate) enum When {
    /// These.
    At(Vec<u64>),
    /// One of the next that many, again and again, by chance.
    OneIn(u64),
}

/// All rules, with what they have done.
#[derive(Debug)]
pub(crate) struct Plan(Mutex<State>);

#[derive(Debug)]
struct State {
    rules: Vec<Counted>,
    chance: u64,
    over: bool,
    calls: BTreeMap<ProtocolStep, u64>,
}

#[derive(Debug)]
struct Counted {
    rule: Rule,
    seen: u64,
    next: u64,
    done: u64,
}

impl Plan {
    pub(crate) fn new(rules: Vec<Rule>, seed: u64) -> Self {
        let mut chance = seed;
        let counted = rules.into_iter().map(|rule| {
            let next = match &rule.when {
                When::At(_) => 0,
                When::OneIn(calls) => 1 + random(&mut chance) % calls,
            };
            Counted { rule, seen: 0, next, done: 0 }
        });
        let rules = counted.collect();
        Self(Mutex::new(State { rules, chance, over: false, calls: BTreeMap::new() }))
    }

    /// From now on nothing goes wrong.
    pub(crate) fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).over = true;
    }

    /// A call is at one of these steps, before or after the server has it: what goes wrong?
    pub(crate) fn fault(&self, steps: &[ProtocolStep], before_the_server: bool) -> Option<Fault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { rules, chance, over, calls } = &mut *state;
        if !before_the_server {
            steps.iter().for_each(|step| *calls.entry(*step).or_default() += 1);
        }
        if *over {
            return None;
        }
        let concerned = rules.iter_mut().filter(|counted| {
            steps.contains(&counted.rule.step)
                && counted.rule.fault.is_before_the_server() == before_the_server
        });
        let mut chosen: Option<Fault> = None;
        for counted in concerned {
            counted.seen += 1;
            let hit = match &counted.rule.when {
                When::At(calls) => calls.contains(&counted.seen),
                When::OneIn(_) => counted.seen >= counted.next,
            };
            if hit && chosen.is_none() {
                chosen = Some(counted.rule.fault);
                counted.done += 1;
                if let When::OneIn(calls) = counted.rule.when {
                    counted.next = counted.seen + 1 + random(chance) % calls;
                }
            }
        }
        chosen
    }

    /// How often each rule struck.
    pub(crate) fn done(&self) -> BTreeMap<(ProtocolStep, Fault), u64> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.rules.iter().map(|counted| ((counted.rule.step, counted.rule.fault), counted.done)).collect()
    }

    /// How many calls of a step the server has answered.
    pub(crate) fn answered(&self, step: ProtocolStep) -> u64 {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.calls.get(&step).copied().unwrap_or(0)
    }
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
