//! An installation on the real cluster, with exactly the values of the page and what this cluster asks for beside them:
//! nothing can be pulled, volumes are made by hand, and no Service is reached by its name.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use stroem_api::{
    ApiClient, HttpTransport,
    public::{JobDetail, LoginRequest},
};
use stroem_core::{JobId, Secret};

use super::{
    DIND, PODS,
    cluster::{Cluster, run},
    documented::{Programs, blocks},
    helm,
    images::Images,
    is_here, repository,
};
use crate::harness::{STROEM, wait_for};

const WORKFLOW: &str = "tasks:
  shop:
    flow:
      local: {type: script, script: 'echo local on $(hostname) $FROM_THE_STARTUP_SCRIPT'}
      pod: {type: script, runner: pod, depends_on: [local], script: 'cat note.txt; echo \"OUTPUT: {\\\"where\\\": \\\"pod\\\"}\"'}
      image: {type: pod, image: 'debian:bookworm', cmd: 'echo as it is', depends_on: [local]}
  boxes:
    flow:
      script: {type: script, runner: docker, script: 'cat note.txt'}
      image: {type: docker, image: stroem-test/busybox, cmd: 'echo as it is'}
";

/// A release in a namespace of its own. What it made is removed at its end, whatever happens.
struct Release {
    cluster: Cluster,
    namespace: String,
    volume: String,
    role: String,
    binding: String,
    folder: tempfile::TempDir,
    images: Option<Images>,
}

impl Release {
    fn prepare(images: &[&str]) -> Option<Self> {
        let cluster = is_here().then(Cluster::find).flatten()?;
        let folder = tempfile::tempdir().expect("a directory");
        let namespace = format!("stroem-chart-{}", std::process::id());
        let mut release = Self {
            cluster,
            volume: format!("{namespace}-data"),
            role: format!("role/{namespace}-stroem-worker"),
            binding: format!("rolebinding/{namespace}-stroem-worker"),
            namespace,
            folder,
            images: None,
        };
        release.images = Some(Images::build(release.folder.path(), images)?);
        release.make_surroundings();
        Some(release)
    }

    /// What a cluster has that somebody runs: a namespace, a volume for the claim, and files for a workspace.
    fn make_surroundings(&self) {
        let data = self.folder.path().join("data");
        std::fs::create_dir(&data).expect("made");
        // A volume of a host knows no group, and the server is not root.
        run("chmod", &["0777", &data.display().to_string()], "").expect("chmod");
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": self.volume},
            "spec": {
                "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": data}, "claimRef": {"namespace": self.namespace, "name": "stroem-server-data"},
            },
        });
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        let files = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "workspace", "namespace": self.namespace},
            "data": {"main.yaml": WORKFLOW, "note.txt": "a note of the workspace\n"},
        });
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [namespace, volume, files]});
        self.cluster.apply(&list);
    }

    /// What this cluster asks for, beside the page's values.
    fn values(&self, runner_image: &str) -> PathBuf {
        let file = self.folder.path().join("values.yaml");
        let tag = self.images.as_ref().map(Images::tag).expect("they are made first");
        let image = json!({"tag": tag, "pullPolicy": "Never"});
        let mount = |path: &str, of: &str| json!({"name": "workspace", "mountPath": path, "subPath": of});
        let values = json!({
            "server": {
                "config": {"workspaces": {"default": {"path": "/workspaces/default"}}},
                "extraVolumes": [{"name": "workspace", "configMap": {"name": "workspace"}}],
                "extraVolumeMounts": [
                    mount("/workspaces/default/.workflows/main.yaml", "main.yaml"),
                    mount("/workspaces/default/note.txt", "note.txt"),
                ],
                "image": image,
            },
            "worker": {
                "config": {
                    "runner_image": runner_image, "drain_timeout_secs": 5, "pass_env": ["FROM_THE_STARTUP_SCRIPT"],
                },
                "image": image,
                "startupScript": "export FROM_THE_STARTUP_SCRIPT='as it was told'",
                "terminationGracePeriodSeconds": 10,
                "dind": {
                    "image": {"repository": "stroem-test/dind", "tag": "latest", "pullPolicy": "Never"},
                    // All capabilities cannot be had everywhere; these do.
                    "securityContext": {
                        "privileged": Value::Null,
                        "capabilities": {"add": ["SYS_ADMIN", "NET_ADMIN", "MKNOD", "SYS_PTRACE"]},
                    },
                },
            },
        });
        std::fs::write(&file, values.to_string()).expect("written");
        file
    }

    fn helm(&self, command: &str, more: &[&str]) -> String {
        let file = self.values("debian:bookworm").display().to_string();
        let fixed = [command, "stroem", "helm/stroem", "--namespace", &self.namespace, "--values", &file];
        helm(&[&fixed[..], &PODS[..], more].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.cluster.json(&[&["--namespace", &self.namespace], arguments].concat())
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl(&[&["--namespace", self.namespace.as_str()], arguments].concat())
    }

    /// The only pod of a component, once it is ready.
    async fn ready(&self, component: &str) -> Value {
        let mut found = Value::Null;
        wait_for(&format!("the {component} is ready"), async || {
            let selector = format!("app.kubernetes.io/component={component}");
            let pods = self.json(&["get", "pods", "--selector", &selector]);
            let pods = pods["items"].as_array().cloned().unwrap_or_default();
            let is_ready = |pod: &Value| pod["status"]["containerStatuses"][0]["ready"] == true;
            found = pods.into_iter().find(is_ready).unwrap_or_default();
            !found.is_null()
        })
        .await;
        found
    }

    /// What the release has where the pods of steps run.
    fn of_jobs(&self) -> [&str; 2] {
        [&self.role, &self.binding]
    }

    /// `helm` and `kubectl` of the documents, in the namespace of this release and with the values of this cluster.
    fn programs(&self) -> Programs {
        let programs = Programs::new();
        let (namespace, values) = (&self.namespace, self.values("debian:bookworm").display().to_string());
        programs.put(
            "helm",
            &format!(
                "exec python3 dev/helm \"$@\" --namespace {namespace} --values {values} --set worker.replicas=0"
            ),
        );
        programs
            .put("kubectl", &format!("exec $(type -aP kubectl | sed -n 2p) --namespace {namespace} \"$@\""));
        programs
    }

    fn log(&self, component: &str) -> String {
        let selector = format!("app.kubernetes.io/component={component}");
        let arguments = ["--namespace", &self.namespace, "logs", "--tail", "60", "--selector", &selector];
        self.cluster.try_kubectl(&arguments).unwrap_or_else(|error| error)
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        // A test that failed may have left any part of it.
        let uninstall = ["uninstall", "stroem", "--namespace", &self.namespace];
        let _ = super::try_helm(&uninstall);
        for arguments in [
            vec!["delete", "namespace", &self.namespace, "--ignore-not-found"],
            vec!["delete", "persistentvolume", &self.volume, "--ignore-not-found"],
            [&["--namespace", "stroem-jobs", "delete", "--ignore-not-found"][..], &self.of_jobs()].concat(),
        ] {
            let _ = self.cluster.try_kubectl(&arguments);
        }
    }
}

async fn ended(client: &ApiClient, job: JobId, release: &Release) -> JobDetail {
    let mut detail = None;
    for _ in 0..120 {
        let now = client.job_after(job, i64::MAX, 1_000).await.expect("a job");
        if now.completed_at.is_some() {
            return now;
        }
        detail = Some(now);
    }
    panic!("not ended: {detail:?}\n{}\n{}", release.log("server"), release.log("worker"));
}

/// A worker with an engine beside it, in a release of its own.
#[tokio::test]
async fn system_the_pages_values_install_and_a_job_runs_in_a_container() {
    let Some(release) = Release::prepare(&["server", "worker", "dind"]) else { return };
    let values = release.values("stroem-test/busybox").display().to_string();
    let fixed = ["stroem", "helm/stroem", "--namespace", &release.namespace, "--values", &values];
    let more = ["--set", "worker.config.docker.pull=never"];
    helm(&[&["install"], &fixed[..], &DIND, &more, &["--set", "worker.replicas=0"]].concat());
    let server = release.ready("server").await;
    let address = format!("http://{}:8080", server["status"]["podIP"].as_str().expect("an address"));
    let url = format!("worker.serverUrl={address}");
    helm(&[&["upgrade"], &fixed[..], &DIND, &more, &["--set", &url]].concat());
    let secret = ["get", "secret", "stroem-tokens", "--output", "jsonpath={.data.admin-token}"];
    let token = run("base64", &["--decode"], &release.kubectl(&secret)).expect("base64");
    let transport = Arc::new(HttpTransport::new(&address).expect("an address"));
    let client = ApiClient::new(transport, Some(Secret::new(token)));
    wait_for("the worker has its engine", async || {
        let workers = client.workers().await.unwrap_or_default();
        workers.iter().any(|worker| {
            worker.status == "active"
                && worker.withdrawn_tags.is_empty()
                && worker.tags == ["docker", "script"]
        })
    })
    .await;
    let job = client.execute("default", "boxes", Map::new()).await.expect("a job").job_id;
    let detail = ended(&client, job, &release).await;
    let log = client.logs(job, None, None).await.expect("a page").logs;
    assert_eq!(detail.status.as_str(), "completed", "{log}");
    assert!(log.contains("a note of the workspace") && log.contains("as it is"), "{log}");
}

#[tokio::test]
async fn system_the_pages_values_install_and_a_job_runs_as_a_pod() {
    let Some(release) = Release::prepare(&["server", "worker"]) else { return };
    // Nobody resolves the Service's name here, so the worker comes when the server's address is known.
    let programs = release.programs();
    let commands =
        blocks("docs/deploy/kubernetes.md", "system_the_pages_values_install_and_a_job_runs_as_a_pod");
    programs.run(&commands[0], &repository(), &[]);
    let server = release.ready("server").await;
    let address = format!("http://{}:8080", server["status"]["podIP"].as_str().expect("an address"));
    let tokens = release.json(&["get", "secret", "stroem-tokens"])["data"].clone();
    let url = format!("worker.serverUrl={address}");
    release.helm("upgrade", &["--set", "worker.replicas=1", "--set", &url]);
    // An upgrade makes no new tokens, and what did not change goes on.
    assert_eq!(release.json(&["get", "secret", "stroem-tokens"])["data"], tokens);
    assert_eq!(release.ready("server").await["metadata"]["uid"], server["metadata"]["uid"]);

    let transport = Arc::new(HttpTransport::new(&address).expect("an address"));
    let stranger = ApiClient::new(transport.clone(), None);
    let refused = stranger.workers().await.expect_err("closed").to_string();
    assert!(refused.contains("token"), "{refused}");
    let token = Secret::new(programs.run(&commands[1], &repository(), &[]));
    let client = ApiClient::new(transport, Some(token.clone()));
    wait_for("the worker is registered with both tags", async || {
        let workers = client.workers().await.unwrap_or_default();
        let withdrawn: Vec<_> = workers.iter().flat_map(|worker| &worker.withdrawn_tags).collect();
        assert!(withdrawn.is_empty(), "{withdrawn:?}");
        workers.iter().any(|worker| worker.tags == ["kubernetes", "script"] && worker.status == "active")
    })
    .await;

    let job = client.execute("default", "shop", Map::new()).await.expect("a job").job_id;
    let detail = ended(&client, job, &release).await;
    let log = client.logs(job, None, None).await.expect("a page").logs;
    assert_eq!(detail.status.as_str(), "completed", "{log}");
    for line in ["local on stroem-worker-", "as it was told", "a note of the workspace", "as it is"] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert_eq!(detail.output, Some(json!({"pod": {"where": "pod"}, "image": null})));

    let cli = |arguments: &[&str], token: &Secret| {
        let fixed = ["--server", &address, "--token", token.expose()];
        run(STROEM, &[arguments, &fixed[..]].concat(), "")
    };
    assert!(cli(&["jobs"], &token).expect("jobs").contains("shop"));
    let wrong = LoginRequest { token: Secret::new("a-token-that-nobody-has".to_owned()) };
    assert!(cli(&["jobs"], &wrong.token).expect_err("refused").contains("does not know the token"));

    helm(&["uninstall", "stroem", "--namespace", &release.namespace]);
    let kept = release.kubectl(&["get", "pvc,secret", "--output", "name"]);
    assert!(kept.contains("stroem-server-data") && kept.contains("secret/stroem-tokens"), "{kept}");
    wait_for("its pods are gone", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        release.kubectl(&["get", "pods", "--output", "name"]).is_empty()
    })
    .await;
    let jobs = ["--namespace", "stroem-jobs", "get", "--ignore-not-found", "--output", "name"];
    let mut left = release.cluster.kubectl(&[&jobs[..], &release.of_jobs()].concat());
    let of_job = format!("stroem.dev/job={job}");
    left += &release.cluster.kubectl(&[&jobs[..], &["pods,secrets", "--selector", &of_job]].concat());
    assert_eq!(left, "");
}
