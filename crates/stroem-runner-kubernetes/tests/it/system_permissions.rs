//! What the worker's account may do is asked before it is needed.

use k8s_openapi::api::{
    core::v1::{Secret, ServiceAccount},
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
    config::Kubeconfig,
};
use serde_json::json;
use stroem_core::Outcome;
use stroem_runner::Runner;
use stroem_runner_kubernetes::{KubernetesOptions, KubernetesRunner};

use crate::support::{self, NAMESPACE, Pods, request, run, wait_for};

#[tokio::test]
async fn the_narrow_role_is_enough() {
    let Some(pods) = Pods::new().await else { return };
    assert_eq!(pods.runner.health().await, Ok(()));
    // Asked again it costs nothing, once the pods are watched.
    let ran = run(&pods.runner, request("true")).await;
    assert_eq!(ran.outcome, Outcome::Succeeded);
    let before = pods.runner.runner.requests();
    assert_eq!(pods.runner.health().await, Ok(()));
    assert_eq!(pods.runner.runner.requests(), before);
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_unavailable() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("kubeconfig");
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    });
    std::fs::write(&config, text.to_string()).expect("written");
    let mut options = KubernetesOptions::new(NAMESPACE, "http://127.0.0.1:9");
    options.kubeconfig = Some(config);
    let refused = KubernetesRunner::new(options.clone()).health().await.expect_err("nobody is there");
    assert!(refused.0.starts_with("the cluster cannot be reached: "), "{refused}");
    options.kubeconfig = Some(directory.path().join("missing"));
    let refused = KubernetesRunner::new(options).health().await.expect_err("no credentials");
    assert!(refused.0.starts_with("there are no credentials for a cluster: "), "{refused}");
}

#[tokio::test]
async fn missing_permissions_are_named() {
    let Some((admin, _, config)) = support::cluster().await else { return };
    let name = format!("stroem-test-narrow-{}", std::process::id());
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), NAMESPACE);
    let roles: Api<Role> = Api::namespaced(admin.clone(), NAMESPACE);
    let bindings: Api<RoleBinding> = Api::namespaced(admin.clone(), NAMESPACE);
    let secrets: Api<Secret> = Api::namespaced(admin.clone(), NAMESPACE);
    let meta = json!({"metadata": {"name": name}});
    let post = PostParams::default();
    accounts
        .create(&post, &serde_json::from_value(meta.clone()).expect("an account"))
        .await
        .expect("created");
    let role = json!({"metadata": {"name": name}, "rules": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "list", "watch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "delete"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
    ]});
    roles.create(&post, &serde_json::from_value(role).expect("a role")).await.expect("created");
    let binding = json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
    });
    bindings.create(&post, &serde_json::from_value(binding).expect("a binding")).await.expect("created");
    let token = json!({
        "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": name}},
        "type": "kubernetes.io/service-account-token",
    });
    secrets.create(&post, &serde_json::from_value(token).expect("a Secret")).await.expect("created");
    let token = wait_for("the account has a token", async || {
        let data = secrets.get(&name).await.expect("a Secret").data?;
        Some(String::from_utf8(data.get("token")?.0.clone()).expect("text"))
    })
    .await;
    let directory = tempfile::tempdir().expect("a directory");
    let written = Kubeconfig::read_from(&config).expect("a kubeconfig");
    let mut written = serde_json::to_value(written).expect("JSON");
    written["users"][0]["user"] = json!({ "token": token });
    let path = directory.path().join("kubeconfig");
    std::fs::write(&path, written.to_string()).expect("written");
    let mut options = KubernetesOptions::new(NAMESPACE, "http://127.0.0.1:9");
    options.kubeconfig = Some(path);
    let refused = KubernetesRunner::new(options).health().await;
    let delete = DeleteParams::default();
    bindings.delete(&name, &delete).await.expect("deleted");
    roles.delete(&name, &delete).await.expect("deleted");
    secrets.delete(&name, &delete).await.expect("deleted");
    accounts.delete(&name, &delete).await.expect("deleted");
    let refused = refused.expect_err("two are missing").to_string();
    let expected = "the worker's account may not delete pods, get pods/log in namespace stroem-jobs";
    assert_eq!(refused, expected);
}
