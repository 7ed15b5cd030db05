//! What a cluster does to a running pod, and the typed cause that comes of it.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use stroem_core::{ByteSize, Exit, HumanDuration, Outcome, StartPhase};
use stroem_runner::{RunRequest, StopReason, conformance::Subject};

use crate::support::{Pods, Ran, image, request, run, run_until, wait_for};

/// Runs a script that does not end by itself; calls for the fault when it runs.
async fn struck(pods: &Pods, request: RunRequest, fault: impl AsyncFnOnce(&str)) -> Ran {
    let running = run(&pods.runner, request.clone());
    let strike = async {
        let pod = wait_for("the step runs", async || {
            pods.pod(&request).await.filter(|pod| {
                let statuses =
                    pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
                let mut steps = statuses.filter(|status| status.name == "step");
                steps.any(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()))
            })
        })
        .await;
        fault(pod.metadata.name.as_deref().expect("a name")).await;
    };
    let (ran, ()) = tokio::join!(running, strike);
    assert_eq!(pods.left_of(&request).await, Vec::<String>::new());
    ran
}

async fn patch(pods: &Pods, pod: &str, reason: &str, message: &str) {
    let status = json!({"status": {"phase": "Failed", "reason": reason, "message": message}});
    let patch = Patch::Merge(status);
    pods.api::<Pod>().patch_status(pod, &PatchParams::default(), &patch).await.expect("patched");
}

#[tokio::test]
async fn an_eviction_is_told_with_its_message() {
    let Some(pods) = Pods::new().await else { return };
    let ran = struck(&pods, request("echo begun; sleep 1000"), async |pod| {
        patch(&pods, pod, "Evicted", "The node was low on resource: memory.").await;
    })
    .await;
    let message = "Evicted: The node was low on resource: memory.".to_owned();
    assert_eq!(ran.outcome, Outcome::Evicted { phase: StartPhase::Started, message });
    assert_eq!(ran.stdout, "begun\n");
}

#[tokio::test]
async fn a_lost_node_is_told_apart_from_an_eviction() {
    let Some(pods) = Pods::new().await else { return };
    let ran = struck(&pods, request("sleep 1000"), async |pod| {
        patch(&pods, pod, "NodeLost", "Node node1 which was running pod is unresponsive").await;
    })
    .await;
    assert!(matches!(ran.outcome, Outcome::NodeLost { phase: StartPhase::Started, .. }), "{:?}", ran.outcome);
}

#[tokio::test]
async fn a_pod_deleted_by_hand_ends_its_step_as_evicted() {
    let Some(pods) = Pods::new().await else { return };
    for step in [request("sleep 1000"), image("sleep 1000")] {
        let ran = struck(&pods, step, async |pod| {
            pods.api::<Pod>().delete(pod, &DeleteParams::default().grace_period(1)).await.expect("deleted");
        })
        .await;
        let Outcome::Evicted { phase, message } = &ran.outcome else { panic!("{:?}", ran.outcome) };
        assert_eq!(*phase, StartPhase::Started);
        assert!(message.contains("the pod was deleted"), "{message}");
    }
}

#[tokio::test]
async fn an_image_over_its_memory_limit_ends_as_out_of_memory() {
    let Some(pods) = Pods::new().await else { return };
    let mut hungry = image("head -c 400000000 /dev/zero | tail -c 400000000 > /dev/null");
    let limit = ByteSize::from_mib(40);
    hungry.spec.resources.memory = Some(limit);
    let ran = run(&pods.runner, hungry).await;
    assert_eq!(ran.outcome, Outcome::OutOfMemory { limit: Some(limit), peak: None });
}

#[tokio::test]
async fn the_pods_own_deadline_is_a_time_out() {
    let Some(pods) = Pods::new().await else { return };
    let mut endless = request("sleep 1000");
    endless.spec.timeout = Some(HumanDuration::from_secs(7));
    crate::support::set_manifest(&mut endless, json!({"spec": {"activeDeadlineSeconds": 4}}));
    let ran = run(&pods.runner, endless.clone()).await;
    assert_eq!(ran.outcome, Outcome::TimedOut { limit: HumanDuration::from_secs(7) });
    assert_eq!(pods.left_of(&endless).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stop_ends_an_image_by_term() {
    let Some(pods) = Pods::new().await else { return };
    let polite = image("trap 'echo bye; exit 3' TERM; echo go; while true; do sleep 0.1; done");
    let (stop, stopping) = tokio::sync::watch::channel(None);
    let running = run_until(&pods.runner, polite.clone(), stopping);
    let told = async {
        wait_for("the step is followed", async || pods.runner.runner.requests().get("get pods/log").copied())
            .await;
        stop.send_replace(Some(StopReason::Cancelled));
    };
    let (ran, ()) = tokio::join!(running, told);
    assert_eq!(ran.outcome, Outcome::Cancelled);
    assert!(ran.stdout.ends_with("bye\n"), "{}", ran.stdout);
    assert_eq!(pods.left_of(&polite).await, Vec::<String>::new());
}

#[tokio::test]
async fn images_run_as_they_are_or_as_their_keys_say() {
    let Some(pods) = Pods::new().await else { return };
    let code = run(&pods.runner, image("echo \"$GREETING $STROEM_STEP_NAME\" >&2; exit 9"));
    let mut words = image("");
    words.spec.env.insert("GREETING".to_owned(), "$(HOME) it's".to_owned());
    let stroem_core::StepRun::Image(spec) = &mut words.spec.run else { unreachable!() };
    (spec.cmd, spec.entrypoint) = (None, Some(vec!["sh".to_owned(), "-c".to_owned()]));
    spec.command = Some(vec!["echo \"$GREETING\" '$(X)'; ls /workspace".to_owned()]);
    let (code, words) = tokio::join!(code, run(&pods.runner, words));
    assert_eq!(
        (code.outcome, code.stdout.as_str()),
        (Outcome::Failed { exit: Exit::ExitCode(9) }, " step\n")
    );
    assert!(words.stdout.starts_with("$(HOME) it's $(X)\n"), "{}", words.stdout);
    assert!(words.stdout.contains("No such file"), "an image has no workspace: {}", words.stdout);
    let mut missing = image("");
    let stroem_core::StepRun::Image(spec) = &mut missing.spec.run else { unreachable!() };
    (spec.cmd, spec.entrypoint) = (None, Some(vec!["no-such-program".to_owned()]));
    let ran = run(&pods.runner, missing).await;
    assert!(
        matches!(&ran.outcome, Outcome::InvalidInput { message } if message.contains("no-such-program")),
        "{:?}",
        ran.outcome
    );
}
