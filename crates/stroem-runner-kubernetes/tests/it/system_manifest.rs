//! Manifests: what they change, what they may not, and that nothing secret gets into any object.

use k8s_openapi::api::core::v1::{Event, Pod, Secret};
use kube::api::ListParams;
use serde_json::json;
use stroem_core::{Outcome, StepRun};
use stroem_runner::conformance::Subject;

use crate::support::{Pods, image, request, run, set_manifest, wait_for};

#[tokio::test]
async fn a_pod_with_a_sidecar_ends_when_its_step_does() {
    let Some(pods) = Pods::new().await else { return };
    let mut with_sidecar = request("until test -e /shared/ready; do sleep 0.1; done; echo together");
    set_manifest(
        &mut with_sidecar,
        json!({
            "metadata": {"annotations": {"team": "ops"}, "labels": {"team": "ops"}},
            "spec": {
                "volumes": [{"name": "shared", "emptyDir": {}}],
                "containers": [
                    {"name": "main", "volumeMounts": [{"name": "shared", "mountPath": "/shared"}]},
                    {
                        "name": "sidecar", "image": crate::support::IMAGE,
                        "command": ["sh", "-c", "trap 'exit 0' TERM; touch /shared/ready; while true; do sleep 0.1; done"],
                        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
                    },
                ],
                "tolerations": [{"operator": "Exists"}],
            },
        }),
    );
    let running = run(&pods.runner, with_sidecar.clone());
    let look = wait_for("the pod is there", async || pods.pod(&with_sidecar).await);
    let (ran, pod) = tokio::join!(running, look);
    assert_eq!((ran.outcome, ran.stdout.as_str()), (Outcome::Succeeded, "together\n"));
    assert_eq!(pods.left_of(&with_sidecar).await, Vec::<String>::new());
    let spec = pod.spec.expect("a spec");
    let names: Vec<&str> = spec.containers.iter().map(|container| container.name.as_str()).collect();
    assert_eq!(names, ["step", "sidecar"]);
    assert_eq!(spec.containers[0].volume_mounts.as_ref().map(Vec::len), Some(4), "the step kept its own");
    assert_eq!(pod.metadata.annotations.expect("annotations")["team"], "ops");
    assert_eq!(spec.automount_service_account_token, Some(false));
}

#[tokio::test]
async fn what_reaches_the_node_is_refused_before_anything_is_created() {
    let Some(pods) = Pods::new().await else { return };
    for (manifest, named) in [
        (json!({"spec": {"hostNetwork": true}}), "`spec.hostNetwork`"),
        (json!({"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}), "`hostPath`"),
        (
            json!({"spec": {"containers": [{"name": "main", "securityContext": {"privileged": true}}]}}),
            "`privileged`",
        ),
        (json!({"spec": {"nodeSelectr": {"a": "b"}}}), "a pod has no `spec.nodeSelectr`"),
        (json!({"nodeSelector": {"a": "b"}}), "did you mean `spec.nodeSelector`?"),
    ] {
        let mut refused = request("true");
        set_manifest(&mut refused, manifest);
        let ran = run(&pods.runner, refused).await;
        assert!(
            matches!(&ran.outcome, Outcome::InvalidInput { message } if message.contains(named)),
            "{:?}",
            ran.outcome
        );
    }
    assert_eq!(pods.runner.runner.requests().get("create pods"), None);
}

#[tokio::test]
async fn no_object_but_the_secret_shows_anything_of_the_step() {
    let Some(pods) = Pods::new().await else { return };
    let hidden =
        ["hidden-in-the-script", "hidden-in-the-environment", "hidden-in-an-argument", "download-token-"];
    let mut script = request("test -n hidden-in-the-script; echo \"$TOKEN\" \"$1\"; sleep 2");
    script.spec.env.insert("TOKEN".to_owned(), hidden[1].to_owned());
    let StepRun::Script(spec) = &mut script.spec.run else { unreachable!() };
    spec.args = vec![hidden[2].to_owned()];
    script.workspace = Some(pods.directory().to_owned());
    let mut container = image("test -n hidden-in-the-script; echo \"$TOKEN\"; sleep 2");
    container.spec.env.insert("TOKEN".to_owned(), hidden[1].to_owned());
    for (step, keys) in [(script, 6), (container, 2)] {
        let running = run(&pods.runner, step.clone());
        let look = async {
            let pod = wait_for("the step runs", async || {
                pods.pod(&step).await.filter(|pod| {
                    pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"))
                })
            })
            .await;
            let name = pod.metadata.name.clone().expect("a name");
            let secret = pods.api::<Secret>().get(&name).await.expect("its Secret");
            assert_eq!(
                secret.data.as_ref().map(|data| data.len()),
                Some(keys),
                "{:?}",
                secret.data.map(|d| d.into_keys().collect::<Vec<_>>())
            );
            let owner = &secret.metadata.owner_references.expect("an owner")[0];
            assert_eq!(
                (owner.kind.as_str(), owner.uid.as_str()),
                ("Pod", pod.metadata.uid.as_deref().expect("a uid"))
            );
            let events = pods.api::<Event>().list(&ListParams::default()).await.expect("events").items;
            let all = pods.api::<Pod>().list(&ListParams::default()).await.expect("pods").items;
            serde_json::to_string(&json!([pod, all, events])).expect("JSON")
        };
        let (ran, seen) = tokio::join!(running, look);
        assert_eq!(ran.outcome, Outcome::Succeeded);
        assert!(ran.stdout.contains(hidden[1]), "the step itself has it: {}", ran.stdout);
        for text in hidden {
            assert!(!seen.contains(text), "{text} can be read in {seen}");
        }
    }
}

#[tokio::test]
async fn a_secret_in_a_manifest_is_refused() {
    let Some(pods) = Pods::new().await else { return };
    let mut shown = request("true");
    shown.spec.secrets = vec![stroem_core::Secret::new("hunter2".to_owned())];
    set_manifest(&mut shown, json!({"metadata": {"annotations": {"password": "it is hunter2"}}}));
    let ran = run(&pods.runner, shown).await;
    assert!(
        matches!(&ran.outcome, Outcome::InvalidInput { message } if message.contains("readable")),
        "{:?}",
        ran.outcome
    );
    assert_eq!(pods.runner.runner.requests().get("create pods"), None);
}
