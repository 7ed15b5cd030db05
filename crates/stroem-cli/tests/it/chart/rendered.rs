//! What the chart makes of values.

use serde_json::{Value, json};
use stroem_config::Source;
use stroem_server::{Database, ServerConfig};
use stroem_worker::WorkerConfig;

use super::{DIND, Objects, PODS, cluster::Cluster, is_here, try_helm};

/// The worker's configuration as the worker reads it.
#[track_caller]
fn worker(objects: &Objects) -> (WorkerConfig, Value) {
    let text = objects.written("stroem-worker-config", "worker-config.yaml");
    let environment = vec![("STROEM__WORKER_TOKEN".to_owned(), "t".to_owned())];
    let source = Source { file: "worker-config.yaml", text, environment: &environment };
    let config = WorkerConfig::load(source, "pod-1").expect("it loads");
    let checked = stroem_config::load(source, &stroem_worker::SCHEMA).expect("it loads");
    (config, checked)
}

/// The server's configuration as the server reads it, with the variables of its container.
#[track_caller]
fn server(objects: &Objects) -> ServerConfig {
    let text = objects.written("stroem-server-config", "server-config.yaml");
    let variables = objects.pod("stroem-server")["containers"][0]["env"].as_array().expect("variables");
    let environment: Vec<(String, String)> = variables
        .iter()
        .map(|variable| {
            // What comes from a Secret has any long text here.
            let value = variable["value"].as_str().unwrap_or("postgres://of-a-secret-of-any-length");
            (variable["name"].as_str().expect("a name").to_owned(), value.to_owned())
        })
        .collect();
    let source = Source { file: "server-config.yaml", text, environment: &environment };
    ServerConfig::load(source).expect("it loads")
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().map(|item| item["name"].as_str().expect("a name")).collect()
}

#[test]
fn the_chart_passes_helms_own_check() {
    if is_here() {
        try_helm(&["lint", "helm/stroem"]).expect("no fault");
        let values = [&["lint", "helm/stroem"], &PODS[..], &DIND[..]].concat();
        try_helm(&values).expect("no fault");
    }
}

#[test]
fn the_pages_values_for_pods_give_tag_section_address_and_role() {
    if !is_here() {
        return;
    }
    let objects = Objects::of(&PODS);
    let (_, config) = worker(&objects);
    assert_eq!(config["tags"], json!(["script", "kubernetes"]));
    assert_eq!(config["server_url"], "http://stroem-server.default.svc:8080");
    assert_eq!(config["kubernetes"]["namespace"], "stroem-jobs");
    // Pods are in another namespace, so the name holds the server's.
    assert_eq!(config["kubernetes"]["server_url"], "http://stroem-server.default.svc:8080");
    assert_eq!(config["docker"], Value::Null);
    assert_eq!(objects.one("Service", "stroem-server")["spec"]["ports"][0]["port"], 8080);

    let role = objects.one("Role", "default-stroem-worker");
    assert_eq!(role["metadata"]["namespace"], "stroem-jobs");
    let rule =
        |resource: &str, verbs: &[&str]| json!({"apiGroups": [""], "resources": [resource], "verbs": verbs});
    let narrow = json!([
        rule("pods", &["create", "list", "watch", "delete"]),
        rule("pods/log", &["get"]),
        rule("secrets", &["create", "delete"]),
        rule("events", &["list", "watch"]),
    ]);
    assert_eq!(role["rules"], narrow);
    let binding = objects.one("RoleBinding", "default-stroem-worker");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(binding["metadata"]["namespace"], "stroem-jobs");
    let account = json!([{"kind": "ServiceAccount", "name": "stroem-worker", "namespace": "default"}]);
    assert_eq!(binding["subjects"], account);
    assert_eq!(objects.pod("stroem-worker")["serviceAccountName"], "stroem-worker");
    assert_eq!(objects.pod("stroem-worker")["automountServiceAccountToken"], true);
    assert_eq!(objects.pod("stroem-server")["automountServiceAccountToken"], false);
    assert!(objects.all("ClusterRole").is_empty() && objects.all("ClusterRoleBinding").is_empty());
    // It is made where it is missing, and stays with what runs in it.
    let namespace = objects.one("Namespace", "stroem-jobs");
    assert_eq!(namespace["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
}

#[test]
fn the_pages_values_for_dind_give_an_engine_beside_the_worker_over_tls() {
    if !is_here() {
        return;
    }
    let objects = Objects::of(&DIND);
    let (_, config) = worker(&objects);
    assert_eq!(config["tags"], json!(["script", "docker"]));
    assert_eq!(config["docker"]["host"], "tcp://127.0.0.1:2376");
    assert_eq!(config["docker"]["tls"]["key"], "/certs/client/key.pem");
    assert_eq!(config["kubernetes"], Value::Null);
    assert!(objects.all("Role").is_empty());

    let pod = objects.pod("stroem-worker");
    assert_eq!(pod["automountServiceAccountToken"], false);
    // It starts before the worker and ends after it.
    let engine = &pod["initContainers"][0];
    assert_eq!((&engine["name"], &engine["restartPolicy"]), (&json!("dind"), &json!("Always")));
    assert_eq!(engine["securityContext"]["privileged"], true);
    assert_eq!(engine["env"], json!([{"name": "DOCKER_TLS_CERTDIR", "value": "/certs"}]));
    let main = &pod["containers"][0];
    assert_eq!(main["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
    let mounts = |container: &Value| -> Vec<(String, String)> {
        let mounts = container["volumeMounts"].as_array().expect("mounts");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        mounts.iter().map(|mount| (text(&mount["name"]), text(&mount["mountPath"]))).collect()
    };
    assert!(mounts(engine).contains(&("certificates".to_owned(), "/certs".to_owned())));
    assert!(mounts(main).contains(&("certificates".to_owned(), "/certs/client".to_owned())));
    let volume = pod["volumes"].as_array().expect("volumes").iter().find(|v| v["name"] == "certificates");
    assert_eq!(volume.expect("a volume")["emptyDir"], json!({}));
}

#[test]
fn configurations_pass_through_over_what_the_chart_sets() {
    if !is_here() {
        return;
    }
    let values = [
        &PODS[..],
        &DIND[..],
        &[
            "--set-json",
            r#"server.config={"recovery": {"unmatched_step_timeout_secs": 7}, "metrics": {"unauthenticated": true}}"#,
            "--set-json",
            r#"worker.config={"max_concurrent": 9, "tags": ["gpu"], "docker": {"pull": "never"}, "kubernetes": {"init_image": "curl:1", "pull_policy": "Never"}}"#,
            "--set",
            "worker.serverUrl=https://stroem.example.org",
            "--set",
            "server.extraEnv.STROEM__RECOVERY__HEARTBEAT_TIMEOUT_SECS=11",
        ][..],
    ]
    .concat();
    let objects = Objects::of(&values);
    let (_, config) = worker(&objects);
    assert_eq!(config["tags"], json!(["script", "docker", "kubernetes", "gpu"]));
    assert_eq!(config["max_concurrent"], 9);
    assert_eq!(
        (&config["docker"]["pull"], &config["docker"]["host"]),
        (&json!("never"), &json!("tcp://127.0.0.1:2376"))
    );
    assert_eq!(config["kubernetes"]["init_image"], "curl:1");
    assert_eq!(config["kubernetes"]["namespace"], "stroem-jobs");
    assert_eq!(config["kubernetes"]["server_url"], "https://stroem.example.org");
    let server = server(&objects);
    assert!(server.open_metrics && server.auth.is_configured());
    let options = server.app_options();
    assert_eq!(options.unmatched_step_timeout.as_secs(), 7);
    assert_eq!(options.heartbeat_timeout.as_secs(), 11);
}

#[test]
fn a_release_is_closed_unless_it_says_otherwise() {
    if !is_here() {
        return;
    }
    for values in [&[][..], &["--set-json", r#"server.config.auth={"trusted_proxies": ["10.0.0.0/8"]}"#]] {
        let objects = Objects::of(values);
        assert!(server(&objects).auth.is_configured());
        let variables = names(&objects.pod("stroem-server")["containers"][0]["env"]);
        assert!(variables.contains(&"STROEM__AUTH__TOKENS__ADMIN__TOKEN"), "{variables:?}");
    }
    let own = r#"server.config.auth={"tokens": {"ada": {"sha256": "0000000000000000000000000000000000000000000000000000000000000000", "role": "admin"}}}"#;
    let objects = Objects::of(&["--set-json", own]);
    assert!(server(&objects).auth.is_configured());
    let variables = names(&objects.pod("stroem-server")["containers"][0]["env"]);
    assert!(!variables.contains(&"STROEM__AUTH__TOKENS__ADMIN__TOKEN"), "{variables:?}");
    let open = server(&Objects::of(&["--set", "server.config.allow_unauthenticated=true"]));
    assert!(open.allow_unauthenticated && !open.auth.is_configured());
}

#[test]
fn one_server_keeps_everything_in_its_volume_and_more_need_a_database() {
    if !is_here() {
        return;
    }
    let objects = Objects::of(&[]);
    assert!(matches!(server(&objects).database, Database::Sqlite { .. }));
    let deployment = objects.one("Deployment", "stroem-server");
    // Two servers on one volume would be one too many for a moment.
    assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
    let claim = objects.one("PersistentVolumeClaim", "stroem-server-data");
    assert_eq!(claim["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");

    for more in ["server.replicas=2", "server.autoscaling.enabled=true"] {
        let refused = try_helm(&["template", "stroem", "helm/stroem", "--set", more]).expect_err(more);
        assert!(refused.contains("set db.url or db.existingSecret"), "{refused}");
    }
    let objects =
        Objects::of(&["--set", "server.replicas=2", "--set", "db.existingSecret=pg,db.key=address"]);
    assert!(matches!(server(&objects).database, Database::Postgres { .. }));
    assert_eq!(objects.one("Deployment", "stroem-server")["spec"]["replicas"], 2);
    assert!(objects.all("PersistentVolumeClaim").is_empty());
    let pod = objects.pod("stroem-server");
    let variables = pod["containers"][0]["env"].as_array().expect("variables");
    let url = variables.iter().find(|variable| variable["name"] == "STROEM__DB__URL").expect("the address");
    assert_eq!(url["valueFrom"]["secretKeyRef"], json!({"name": "pg", "key": "address"}));
    // Secret inputs that one server sealed are opened by the other.
    let mounts = pod["containers"][0]["volumeMounts"].as_array().expect("mounts");
    assert!(mounts.iter().any(|mount| mount["mountPath"] == "/var/stroem/data/secret.key"));
    let key = objects.one("Secret", "stroem-tokens")["data"]["secret.key"].as_str().expect("a key");
    assert_eq!(key.len(), 88, "64 hexadecimal digits in base64");
    assert_eq!(objects.one("PodDisruptionBudget", "stroem-server")["apiVersion"], "policy/v1");
}

#[test]
fn what_is_secret_is_in_secrets_only() {
    if !is_here() {
        return;
    }
    let objects = Objects::of(&[
        "--set",
        "db.url=postgres://u:hidden-1@db/stroem",
        "--set",
        "server.extraSecretEnv.CLOUD_KEY=hidden-2,worker.extraSecretEnv.OTHER_KEY=hidden-3",
        "--set-json",
        r#"server.config={"auth": {"tokens": {"a": {"role": "read", "token": "hidden-4-and-longer"}}}}"#,
    ]);
    let all = serde_json::to_string(&objects.0).expect("JSON");
    for (index, object) in objects.0.iter().enumerate() {
        let text = object.to_string();
        assert!(object["kind"] == "Secret" || !text.contains("hidden-"), "{index}: {text}");
    }
    for secret in ["hidden-2", "hidden-3", "hidden-4"] {
        assert!(all.contains(secret), "{secret}");
    }
    let server = &objects.pod("stroem-server")["containers"][0];
    assert_eq!(server["envFrom"], json!([{"secretRef": {"name": "stroem-server-env"}}]));
    for (component, key) in
        [("server", "server.config.worker_token"), ("worker", "worker.config.worker_token")]
    {
        let value = format!("{key}=x");
        let refused = try_helm(&["template", "s", "helm/stroem", "--set", &value]).expect_err(component);
        assert!(refused.contains("workerToken.existingSecret"), "{refused}");
    }
}

#[test]
fn values_that_nobody_reads_are_refused() {
    if !is_here() {
        return;
    }
    for wrong in [
        "worker.kubernetes.enable=true",
        "server.replica=2",
        "worker.kubernetes.namespace=Not_A_Name",
        "worker.serverUrl=stroem:8080",
        "db.url=mysql://x",
        "worker.replicas=some",
    ] {
        let refused = try_helm(&["template", "stroem", "helm/stroem", "--set", wrong]);
        assert!(refused.is_err(), "{wrong}");
    }
}

#[test]
fn scripts_ingress_scaling_and_accounts_are_as_they_are_asked_for() {
    if !is_here() {
        return;
    }
    let objects = Objects::of(&[
        "--set-json",
        r#"worker={"startupScript": "export A=1", "autoscaling": {"enabled": true, "maxReplicas": 4}, "serviceAccount": {"create": false, "name": "own"}, "resources": {"limits": {"memory": "1Gi"}}, "extraEnv": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}], "kubernetes": {"enabled": true, "runnerStartupScripts": {"10-proxy.sh": "export HTTP_PROXY=x"}}}"#,
        "--set-json",
        r#"ingress={"enabled": true, "host": "stroem.example.org", "className": "nginx", "tlsSecret": "cert"}"#,
    ]);
    let pod = objects.pod("stroem-worker");
    let main = &pod["containers"][0];
    let mounts = main["volumeMounts"].as_array().expect("mounts");
    assert!(mounts.iter().any(|mount| mount["mountPath"] == "/etc/stroem/startup.d/90-chart.sh"));
    assert_eq!(objects.one("ConfigMap", "stroem-worker-startup")["data"]["90-chart.sh"], "export A=1\n");
    assert!(names(&main["env"]).contains(&"NODE"));
    assert_eq!(main["resources"]["limits"]["memory"], "1Gi");
    assert_eq!(pod["serviceAccountName"], "own");
    assert_eq!(objects.one("RoleBinding", "stroem-worker")["subjects"][0]["name"], "own");
    let (_, config) = worker(&objects);
    assert_eq!(config["kubernetes"]["runner_startup_configmap"], "stroem-runner-startup");
    assert_eq!(
        objects.one("ConfigMap", "stroem-runner-startup")["data"]["10-proxy.sh"],
        "export HTTP_PROXY=x"
    );
    assert_eq!(objects.one("HorizontalPodAutoscaler", "stroem-worker")["spec"]["maxReplicas"], 4);
    assert_eq!(objects.one("Deployment", "stroem-worker")["spec"]["replicas"], Value::Null);
    let ingress = &objects.one("Ingress", "stroem")["spec"];
    assert_eq!(ingress["rules"][0]["host"], "stroem.example.org");
    assert_eq!(ingress["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"], "stroem-server");
    assert_eq!(ingress["tls"][0]["secretName"], "cert");
}

/// The cluster of the tests is from before native sidecars and the newest kinds.
#[test]
fn an_older_cluster_gets_the_kinds_that_it_has() {
    let Some(cluster) = is_here().then(Cluster::find).flatten() else { return };
    let install = ["install", "stroem", "helm/stroem", "--dry-run", "server"];
    let more = ["--set", "worker.replicas=2", "--set", "worker.autoscaling.enabled=true"];
    let text = super::helm(&[&install[..], &DIND[..], &more[..]].concat());
    let objects = Objects::read(&text);
    let served = cluster.kubectl(&["api-versions"]);
    for object in &objects.0 {
        let version = object["apiVersion"].as_str().expect("a version");
        assert!(served.lines().any(|line| line == version), "{version} of {}", object["kind"]);
    }
    let pod = objects.pod("stroem-worker");
    let expected = if cluster.has_sidecars() { vec!["worker"] } else { vec!["worker", "dind"] };
    assert_eq!(names(&pod["containers"]), expected);
}
