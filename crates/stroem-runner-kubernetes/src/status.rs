//! What a pod's status says about the step. Pure. Decides by reasons, which are words of the API, never by messages.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodStatus};

use crate::manifest::STEP;

/// Where a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// The step's container has not begun.
    Pending(Option<Waiting>),
    /// It runs.
    Running,
    /// It ended.
    Ended(Ended),
    /// The pod is over, whatever its containers do.
    Lost(Loss),
}

/// Why a pod waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) kind: WaitingFor,
    pub(crate) message: String,
}

/// What a pod waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitingFor {
    /// A node.
    Node,
    /// An image; it may come yet.
    Image,
    /// An image that never comes.
    ImpossibleImage,
    /// What its containers need to start.
    Start,
}

/// How the step's container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) was_out_of_memory: bool,
    /// It never ran: why.
    pub(crate) cannot_run: Option<String>,
}

/// What happened to a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Loss {
    Evicted(String),
    NodeLost(String),
    Deadline,
    /// The workspace was not unpacked, or an init container of the manifest failed.
    Init {
        container: String,
        code: i32,
        was_out_of_memory: bool,
    },
    Failed(String),
}

/// Where a pod is.
pub(crate) fn state(pod: &Pod) -> State {
    let Some(status) = &pod.status else { return State::Pending(None) };
    let failed = status.phase.as_deref() == Some("Failed");
    // Containers may still show as running then, in old clusters.
    if let Some(loss) = status.reason.as_deref().and_then(|reason| loss(reason, status, failed)) {
        return State::Lost(loss);
    }
    let step = step(status);
    if let Some(ended) = step.and_then(|step| ended(step.state.as_ref())) {
        return State::Ended(ended);
    }
    if let Some(message) = disruption(status).filter(|_| failed) {
        return State::Lost(message);
    }
    if let Some(loss) = failed_init(status) {
        return State::Lost(loss);
    }
    if failed {
        return State::Lost(Loss::Failed(said(status)));
    }
    if is_running(step) { State::Running } else { State::Pending(waiting(status)) }
}

/// Whether the step's container has begun, as far as the status tells.
pub(crate) fn has_started(pod: &Pod) -> bool {
    let step = pod.status.as_ref().and_then(step);
    is_running(step) || step.is_some_and(|step| ended(step.state.as_ref()).is_some())
}

/// Whether another container than the step's still runs.
pub(crate) fn others_run(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| {
        status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten())
    });
    let runs = |status: &ContainerStatus| status.state.as_ref().is_some_and(|state| state.running.is_some());
    statuses.filter(|status| status.name != STEP).any(runs)
}

/// What a pod that is taken away by the platform says of it.
pub(crate) fn disruption_of(pod: &Pod) -> Option<Loss> {
    let status = pod.status.as_ref()?;
    status.reason.as_deref().and_then(|reason| loss(reason, status, true)).or_else(|| disruption(status))
}

fn step(status: &PodStatus) -> Option<&ContainerStatus> {
    status.container_statuses.iter().flatten().find(|container| container.name == STEP)
}

fn is_running(step: Option<&ContainerStatus>) -> bool {
    step.and_then(|step| step.state.as_ref()).is_some_and(|state| state.running.is_some())
}

fn loss(reason: &str, status: &PodStatus, failed: bool) -> Option<Loss> {
    Some(match reason {
        "Evicted" | "Preempting" | "Preempted" => Loss::Evicted(said(status)),
        "NodeLost" | "NodeShutdown" | "Shutdown" | "Terminated" => Loss::NodeLost(said(status)),
        "DeadlineExceeded" => Loss::Deadline,
        // The node refused it: it never ran.
        _ if failed && status.container_statuses.is_none() => Loss::Evicted(said(status)),
        _ => return None,
    })
}

/// The condition that newer clusters set when they take a pod away.
fn disruption(status: &PodStatus) -> Option<Loss> {
    let conditions = status.conditions.iter().flatten();
    let target = conditions
        .filter(|condition| condition.type_ == "DisruptionTarget" && condition.status == "True")
        .find_map(|condition| {
            Some((condition.reason.as_deref()?, condition.message.clone().unwrap_or_default()))
        });
    target.map(|(reason, message)| match reason {
        "DeletionByTaintManager" | "DeletionByPodGC" => Loss::NodeLost(message),
        _ => Loss::Evicted(message),
    })
}

fn failed_init(status: &PodStatus) -> Option<Loss> {
    status.init_container_statuses.iter().flatten().find_map(|container| {
        let ended = ended(container.state.as_ref()).filter(|ended| ended.code != 0)?;
        let was_out_of_memory = ended.was_out_of_memory;
        Some(Loss::Init { container: container.name.clone(), code: ended.code, was_out_of_memory })
    })
}

fn ended(state: Option<&ContainerState>) -> Option<Ended> {
    let ContainerStateTerminated { exit_code, reason, message, .. } = state?.terminated.as_ref()?;
    let reason = reason.as_deref().unwrap_or_default();
    let cannot_run = matches!(reason, "ContainerCannotRun" | "StartError" | "ContainerStatusUnknown")
        .then(|| message.clone().unwrap_or_default());
    Some(Ended { code: *exit_code, was_out_of_memory: reason == "OOMKilled", cannot_run })
}

fn waiting(status: &PodStatus) -> Option<Waiting> {
    let scheduled = status.conditions.iter().flatten().find(|condition| condition.type_ == "PodScheduled");
    if let Some(condition) = scheduled.filter(|condition| condition.status == "False") {
        let message = condition.message.clone().unwrap_or_default();
        return Some(Waiting { kind: WaitingFor::Node, message });
    }
    let init = status.init_container_statuses.iter().flatten();
    let mut containers = init.chain(status.container_statuses.iter().flatten().filter(|c| c.name == STEP));
    containers.find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let kind = match reason {
            "ErrImagePull" | "ImagePullBackOff" | "ImageInspectError" | "RegistryUnavailable" => {
                WaitingFor::Image
            }
            "ErrImageNeverPull" | "InvalidImageName" => WaitingFor::ImpossibleImage,
            "" | "ContainerCreating" | "PodInitializing" => return None,
            _ => WaitingFor::Start,
        };
        let message = match waiting.message.as_deref() {
            None | Some("") => reason.to_owned(),
            Some(message) => format!("{reason}: {message}"),
        };
        Some(Waiting { kind, message })
    })
}

fn said(status: &PodStatus) -> String {
    let texts = [status.reason.as_deref(), status.message.as_deref()];
    let texts: Vec<&str> = texts.into_iter().flatten().filter(|text| !text.is_empty()).collect();
    if texts.is_empty() { "the pod failed without a reason".to_owned() } else { texts.join(": ") }
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "cases are written in place")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(status: Value, expected: &State) {
        let pod: Pod = serde_json::from_value(json!({"metadata": {}, "status": status})).expect("a pod");
        assert_eq!(state(&pod), *expected, "{status}");
    }

    fn step(state: Value) -> Value {
        json!([{"name": "step", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state}])
    }

    fn lost(loss: Loss) -> State {
        State::Lost(loss)
    }

    #[test]
    fn the_pods_reason_wins_over_stale_containers() {
        let running = step(json!({"running": {}}));
        for (reason, loss) in [
            ("Evicted", Loss::Evicted("Evicted: why".to_owned())),
            ("NodeLost", Loss::NodeLost("NodeLost: why".to_owned())),
            ("DeadlineExceeded", Loss::Deadline),
        ] {
            let status =
                json!({"phase": "Failed", "reason": reason, "message": "why", "containerStatuses": running});
            check(status, &lost(loss));
        }
        let refused = json!({"phase": "Failed", "reason": "OutOfcpu", "message": "full"});
        check(refused, &lost(Loss::Evicted("OutOfcpu: full".to_owned())));
        let disrupted = json!({"phase": "Failed", "conditions": [
            {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager", "message": "gone"},
        ]});
        check(disrupted, &lost(Loss::NodeLost("gone".to_owned())));
    }

    #[test]
    fn the_end_of_the_step_is_the_end() {
        let ended = |code, was_out_of_memory| Ended { code, was_out_of_memory, cannot_run: None };
        let status = |reason: &str, code: i32| json!({"phase": "Running", "containerStatuses": step(json!({"terminated": {"exitCode": code, "reason": reason}}))});
        check(status("Completed", 0), &State::Ended(ended(0, false)));
        check(status("Error", 3), &State::Ended(ended(3, false)));
        check(status("OOMKilled", 137), &State::Ended(ended(137, true)));
    }

    #[test]
    fn what_a_pod_waits_for_is_told_apart() {
        let waiting =
            |kind, message: &str| State::Pending(Some(Waiting { kind, message: message.to_owned() }));
        check(json!({}), &State::Pending(None));
        check(
            json!({"containerStatuses": step(json!({"waiting": {"reason": "ContainerCreating"}}))}),
            &State::Pending(None),
        );
        let unschedulable = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}]});
        check(unschedulable, &waiting(WaitingFor::Node, "full"));
        for (reason, kind) in [
            ("ErrImagePull", WaitingFor::Image),
            ("InvalidImageName", WaitingFor::ImpossibleImage),
            ("CreateContainerConfigError", WaitingFor::Start),
        ] {
            let status =
                json!({"containerStatuses": step(json!({"waiting": {"reason": reason, "message": "m"}}))});
            check(status, &waiting(kind, &format!("{reason}: m")));
        }
    }

    #[test]
    fn a_failed_init_container_is_named() {
        let status = json!({"initContainerStatuses": [{
            "name": "stroem-workspace", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 22}},
        }]});
        let container = "stroem-workspace".to_owned();
        check(status, &lost(Loss::Init { container, code: 22, was_out_of_memory: false }));
    }
}
