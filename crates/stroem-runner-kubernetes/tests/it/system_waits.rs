//! Pods that wait: visibly, inside their budget, and then with a cause.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::json;
use stroem_core::{Outcome, StepRun};
use stroem_runner::conformance::Subject;

use crate::support::{self, Pods, image, request, run, wait_for};

#[tokio::test]
async fn an_image_that_cannot_be_pulled_fails_with_the_clusters_words() {
    let Some(pods) = Pods::with(|options| options.pending_timeout = Duration::from_secs(3)).await else {
        return;
    };
    let mut missing = image("true");
    let StepRun::Image(spec) = &mut missing.spec.run else { unreachable!() };
    spec.image = "stroem.invalid/no/such-image:1".to_owned();
    let ran = run(&pods.runner, missing.clone()).await;
    let Outcome::ImagePull { message } = &ran.outcome else { panic!("{:?}", ran.outcome) };
    // The pod's status; its events say the same at more length, but a busy kubelet sends them too late for 3 seconds.
    assert!(message.contains("stroem.invalid/no/such-image:1") && message.contains("ImagePull"), "{message}");
    assert!(ran.notes.iter().any(|note| note.starts_with("pod pending: ErrImagePull")), "{:?}", ran.notes);
    assert_eq!(pods.left_of(&missing).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_unschedulable_pod_waits_visibly_and_then_fails() {
    let Some(pods) = Pods::with(|options| {
        options.pending_timeout = Duration::from_secs(3);
        options.defaults.node_selector.insert("stroem-test".to_owned(), "nowhere".to_owned());
    })
    .await
    else {
        return;
    };
    let nowhere = request("true");
    let ran = run(&pods.runner, nowhere.clone()).await;
    let Outcome::Unschedulable { message } = &ran.outcome else { panic!("{:?}", ran.outcome) };
    assert!(message.contains("nodes are available"), "{message}");
    assert!(ran.notes.iter().any(|note| note.starts_with("pod pending: 0/")), "{:?}", ran.notes);
    assert_eq!(pods.left_of(&nowhere).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_pod_over_a_quota_waits_visibly_and_runs_when_there_is_room() {
    let Some((admin, _, credentials)) = support::cluster().await else { return };
    let name = format!("stroem-test-quota-{}", std::process::id());
    let namespaces: Api<Namespace> = Api::all(admin.clone());
    let namespace = json!({"metadata": {"name": name}});
    let namespace = serde_json::from_value(namespace).expect("a namespace");
    namespaces.create(&PostParams::default(), &namespace).await.expect("a namespace");
    let quotas: Api<ResourceQuota> = Api::namespaced(admin.clone(), &name);
    let quota = json!({"metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}});
    quotas
        .create(&PostParams::default(), &serde_json::from_value(quota).expect("a quota"))
        .await
        .expect("a quota");
    wait_for("the quota counts", async || {
        let status = quotas.get("full").await.expect("a quota").status?;
        status.used.filter(|used| !used.is_empty())
    })
    .await;
    let pods = Pods::with(|options| {
        options.namespace.clone_from(&name);
        options.kubeconfig = Some(credentials);
    })
    .await
    .expect("there is a cluster");
    let running = run(&pods.runner, request("echo room"));
    let make_room = async {
        // It is asked for again and again, until there is room.
        wait_for("the pod was refused", async || {
            pods.runner.runner.requests().get("create pods").copied().filter(|count| *count > 1)
        })
        .await;
        quotas.delete("full", &DeleteParams::default()).await.expect("deleted");
    };
    let (ran, ()) = tokio::join!(running, make_room);
    namespaces.delete(&name, &DeleteParams::default()).await.expect("deleted");
    assert_eq!((ran.outcome, ran.stdout.as_str()), (Outcome::Succeeded, "room\n"));
    assert!(ran.notes.iter().any(|note| note.contains("exceeded quota: full")), "{:?}", ran.notes);
}
