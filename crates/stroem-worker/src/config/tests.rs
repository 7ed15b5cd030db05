//! The seed page's snippets load; mistakes are named.

use super::*;

fn load(text: &str, environment: &[(&str, &str)]) -> Result<WorkerConfig, Vec<String>> {
    let environment: Vec<_> = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    WorkerConfig::load(Source { file: "worker-config.yaml", text, environment: &environment }, "host-7")
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

const TOKEN: (&str, &str) = ("STROEM__WORKER_TOKEN", "t");

fn tags(config: &WorkerConfig) -> String {
    config.tags.queue_key()
}

/// A configuration that users find in the repository.
fn example(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/config").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_docker_snippet_of_the_page_loads() {
    let config = load(&example("worker-docker.yaml"), &[TOKEN]).unwrap();
    assert_eq!(tags(&config), "docker,script");
    let docker = config.docker.as_ref().unwrap();
    assert_eq!((&docker.host, &docker.tls, docker.pull.as_str()), (&None, &None, "missing"));
    assert_eq!(docker.pull_timeout, HumanDuration::from_secs(600));
    assert_eq!(config.runner_image.as_deref(), Some("ghcr.io/fremvaerk/stroem-runner:latest"));
    assert_eq!(
        config.missing_runner(RunnerKind::Docker),
        "this version of the worker has no docker runner yet"
    );
}

#[test]
fn the_kubernetes_snippet_of_the_page_loads() {
    let kubernetes = load(&example("worker-kubernetes.yaml"), &[TOKEN]).unwrap().kubernetes.unwrap();
    assert_eq!(
        (kubernetes.namespace.as_str(), kubernetes.init_image.as_str()),
        ("stroem-jobs", "curlimages/curl:latest")
    );
}

#[test]
fn everything_about_pods_can_be_set() {
    let text = "
kubernetes:
  namespace: jobs
  server_url: http://server.strom:8080
  kubeconfig: /etc/stroem/kubeconfig
  context: prod
  pending_timeout: 90s
  service_account: steps
  node_selector: {kubernetes.io/arch: amd64}
  tolerations:
    - key: gpu
      effect: NoSchedule
    - operator: Exists
  pull_secrets: [registry]
  pull_policy: Always
  resources: {cpu: 500m, memory: 512Mi}
  allow: [host_path]
";
    let section = load(text, &[TOKEN]).unwrap().kubernetes.unwrap();
    assert_eq!(section.pending_timeout, HumanDuration::from_secs(90));
    assert_eq!(section.node_selector["kubernetes.io/arch"], "amd64");
    assert_eq!(
        serde_json::json!(section.tolerations),
        serde_json::json!([{"key": "gpu", "operator": "Equal", "effect": "NoSchedule"}, {"operator": "Exists"}])
    );
    let limits = section.resources.limits();
    assert_eq!((limits.cpu.unwrap().millicores(), limits.memory), (500, Some(ByteSize::from_mib(512))));
    assert_eq!((section.allow, section.pull_policy.as_str()), (vec!["host_path".to_owned()], "Always"));
}

#[test]
fn the_full_snippet_of_the_page_loads() {
    let config = load(&example("worker.yaml"), &[]).unwrap();
    assert_eq!(config.server_url, "http://stroem-server:8080");
    assert_eq!(config.worker_token.expose(), "your-token");
    assert_eq!(config.worker_name.as_str(), "worker-1");
    assert_eq!((config.max_concurrent, config.poll_interval_secs), (4, 2));
    assert_eq!(config.workspace_cache_dir, PathBuf::from("/var/stroem/workspace-cache"));
    assert_eq!(config.state_dir, PathBuf::from("/var/stroem/worker-state/worker-1"));
    assert_eq!(tags(&config), "docker,kubernetes,script");
    assert!(config.docker.is_some());
    let kubernetes = config.kubernetes.unwrap();
    assert_eq!(
        (kubernetes.namespace.as_str(), kubernetes.init_image.as_str()),
        ("stroem-jobs", "curlimages/curl:latest")
    );
}

#[test]
fn the_tags_snippet_of_the_page_loads() {
    // What the snippet leaves out comes from variables.
    let sections = [TOKEN, ("STROEM__DOCKER__PULL", "missing"), ("STROEM__KUBERNETES__NAMESPACE", "jobs")];
    let config = load(&example("worker-tags.yaml"), &sections).unwrap();
    assert_eq!(tags(&config), "docker,gpu,kubernetes,script");
    assert!(config.docker.is_some() && config.kubernetes.is_some());
}

#[test]
fn a_tag_without_its_section_is_an_error() {
    let expected = |name: &str| {
        format!(
            "worker-config.yaml:1:1: the tag `{name}` is there, but no section `{name}:` (write `{name}: {{}}`, or take the tag out)"
        )
    };
    let found = load(&example("worker-tags.yaml"), &[TOKEN]).unwrap_err();
    assert_eq!(found, [expected("docker"), expected("kubernetes")]);
}

#[test]
fn the_runner_image_has_a_default() {
    let config = load("", &[TOKEN]).unwrap();
    assert_eq!(config.runner_image.as_deref(), Some("ghcr.io/fremvaerk/stroem-runner:latest"));
    assert_eq!(config.docker, None);
}

#[test]
fn variables_of_docker_fill_in_what_the_section_leaves_out() {
    let variables = [
        TOKEN,
        ("HOME", "/h"),
        ("DOCKER_HOST", "tcp://dind:2376"),
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_CERT_PATH", "/certs"),
    ];
    let docker = load("docker: {}", &variables).unwrap().docker.unwrap();
    assert_eq!(docker.host.as_deref(), Some("tcp://dind:2376"));
    let tls = TlsSection {
        ca: "/certs/ca.pem".into(),
        cert: "/certs/cert.pem".into(),
        key: "/certs/key.pem".into(),
    };
    assert_eq!(docker.tls, Some(tls));
    assert_eq!(docker.registry_config, Some("/h/.docker/config.json".into()));
    let own = "docker: {host: 'unix:///run/docker.sock', registry_config: /etc/c.json, tls: {ca: a, cert: b, key: c}}";
    let docker = load(own, &variables).unwrap().docker.unwrap();
    assert_eq!(docker.host.as_deref(), Some("unix:///run/docker.sock"));
    assert_eq!(docker.registry_config, Some("/etc/c.json".into()));
    assert_eq!(docker.tls.unwrap().cert, PathBuf::from("b"));
}

#[test]
fn the_rules_for_containers_can_be_set() {
    let text = "
docker:
  pull: always
  pull_timeout: 90s
  limits: {cpu: 500m, memory: 1Gi, pids: 200}
  user: '1000:1000'
  read_only: true
  cap_drop: [ALL]
  network: none
  mounts: ['/var/run/docker.sock:/var/run/docker.sock']
  allow: {mounts: [/var/run/docker.sock, '/data:ro'], networks: [jobs]}
disk: {collect_at_percent: 70, stop_at_percent: 80}
";
    let config = load(text, &[TOKEN]).unwrap();
    assert_eq!((config.disk.collect_at_percent, config.disk.stop_at_percent), (70, 80));
    let docker = config.docker.unwrap();
    let allowed = [("/var/run/docker.sock".to_owned(), false), ("/data".to_owned(), true)];
    assert_eq!((docker.allow.mounts().as_slice(), docker.allow.networks.len()), (&allowed[..], 1));
    assert_eq!((docker.pull.as_str(), docker.pull_timeout), ("always", HumanDuration::from_secs(90)));
    assert_eq!(docker.limits.cpu().map(CpuQuantity::millicores), Some(500));
    assert_eq!((docker.limits.memory, docker.limits.pids), (Some(ByteSize(1 << 30)), Some(200)));
    assert_eq!((docker.user.as_deref(), docker.read_only), (Some("1000:1000"), true));
    assert_eq!((docker.cap_drop.len(), docker.network.as_deref(), docker.mounts.len()), (1, Some("none"), 1));
}

#[test]
fn without_a_file_variables_and_defaults_are_enough() {
    let config =
        load("", &[TOKEN, ("STROEM__TAGS", "script,gpu"), ("STROEM__DOCKER__HOST", "tcp://dind:2375")])
            .unwrap();
    assert_eq!(config.worker_name.as_str(), "host-7");
    assert_eq!((config.max_concurrent, config.poll_interval_secs, config.drain_timeout_secs), (4, 2, 60));
    assert_eq!(tags(&config), "gpu,script");
    assert_eq!(config.docker.unwrap().host.as_deref(), Some("tcp://dind:2375"));
    assert_eq!(config.limits.log, ByteSize(1 << 30));
    assert_eq!(config.state_dir, PathBuf::from(".stroem/worker-state/host-7"));
}

#[test]
fn capabilities_are_tags_and_named_variables_are_passed() {
    let text = "capabilities: [gpu]\npass_env: [LANG_EXTRA, MISSING]";
    let config = load(text, &[TOKEN, ("LANG_EXTRA", "x"), ("OTHER", "y")]).unwrap();
    assert_eq!(tags(&config), "gpu,script");
    assert_eq!(config.passed_env, BTreeMap::from([("LANG_EXTRA".to_owned(), "x".to_owned())]));
}

#[test]
fn every_mistake_is_named() {
    for (text, expected) in [
        (
            "max_concurent: 3",
            "worker-config.yaml:1:1: unknown key `max_concurent` (did you mean `max_concurrent`?)",
        ),
        (
            "docker: {allow: {mounts: [/data/../etc]}}",
            "worker-config.yaml:1:27: `docker.allow.mounts[0]`: write an absolute path without `.`, `..` and doubled `/`, with `:ro` behind it if it may only be read",
        ),
        (
            "disk: {stop_at_percent: 60}",
            "worker-config.yaml:1:1: `disk.collect_at_percent` is 85 and `disk.stop_at_percent` 60: the worker would stop before it makes room (make the first one the smaller)",
        ),
        (
            "docker:\n  hots: a",
            "worker-config.yaml:2:3: unknown key `hots` in `docker` (did you mean `host`?)",
        ),
        (
            "max_concurrent: 0",
            "worker-config.yaml:1:17: `max_concurrent`: `0` is not a whole number from 1 to 10000",
        ),
        (
            "docker: {pull: sometimes}",
            "worker-config.yaml:1:16: `docker.pull`: `sometimes` is not one of `always`, `missing`, `never`",
        ),
        (
            "docker: {tls: {ca: a, cert: b}}",
            "worker-config.yaml:1:15: `docker.tls.key` is missing (write it here, or set STROEM__DOCKER__TLS__KEY)",
        ),
        ("tags: script", "worker-config.yaml:1:7: `tags` must be a list, not a text (write `[script]`)"),
        (
            "kubernetes:\n  resources: {cpu: lots}",
            "worker-config.yaml:2:20: `kubernetes.resources.cpu`: `lots` is not an amount of CPU: write for example `500m`, `0.5` or `2`",
        ),
        (
            "kubernetes:\n  allow: [everything]",
            "worker-config.yaml:2:11: `kubernetes.allow[0]`: `everything` is not one of `privileged`, `host_path`, `host_namespaces`",
        ),
        (
            "worker_name: 'a/b'",
            "worker-config.yaml:1:14: `worker_name`: `/` cannot be part of the name of a worker (letters, digits, `_`, `-`, `.` and spaces inside can)",
        ),
    ] {
        assert_eq!(load(text, &[TOKEN]).unwrap_err(), [expected], "{text}");
    }
    let missing =
        "worker-config.yaml:1:1: `worker_token` is missing (write it here, or set STROEM__WORKER_TOKEN)";
    assert_eq!(load("", &[]).unwrap_err(), [missing]);
    assert!(load("", &[("STROEM__WORKER_TOKEN", "a b")]).unwrap_err()[0].contains("worker_token"));
    assert!(load("tags: ['{{ input.tag }}']", &[TOKEN]).unwrap_err()[0].contains("cannot be a tag"));
}
