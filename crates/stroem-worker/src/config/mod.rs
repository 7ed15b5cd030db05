//! `worker-config.yaml`: strict, with `STROEM__A__B` variables over it. Text, variables and the host's name arrive as
//! data; the program reads them.

mod schema;

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use stroem_config::{Place, Problem, Source};
use stroem_core::{
    ByteSize, CpuQuantity, HumanDuration, Resources, RunnerKind, Secret, Tag, TagSet, WorkerName, limits,
};

pub use schema::SCHEMA;

/// The configuration, checked.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The server's address.
    pub server_url: String,
    /// Registers the worker.
    pub worker_token: Secret,
    /// Its name.
    pub worker_name: WorkerName,
    /// How many steps run at once.
    pub max_concurrent: u32,
    /// The period of the fallback when the server does not hold polls open.
    pub poll_interval_secs: u64,
    /// Where revisions are unpacked.
    pub workspace_cache_dir: PathBuf,
    /// `tags` and `capabilities` together.
    pub tags: TagSet,
    /// The image of script steps in containers and pods.
    pub runner_image: Option<String>,
    /// Set when steps may run on a Docker engine.
    pub docker: Option<DockerSection>,
    /// Set when steps may run as pods.
    pub kubernetes: Option<KubernetesSection>,
    /// Takes only steps that ask for all custom tags.
    pub exclusive: bool,
    /// Spool and files of running steps.
    pub state_dir: PathBuf,
    /// Variables that every step gets.
    pub passed_env: BTreeMap<String, String>,
    /// How long running steps may go on after SIGTERM.
    pub drain_timeout_secs: u64,
    /// Limits.
    pub limits: LimitsSection,
    /// Marks of the disks.
    pub disk: DiskSection,
}

/// `docker:`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DockerSection {
    /// The engine's address.
    pub host: Option<String>,
    /// For an engine that speaks TLS.
    pub tls: Option<TlsSection>,
    /// `always`, `missing` or `never`.
    pub pull: String,
    /// How long one pull may take.
    pub pull_timeout: HumanDuration,
    /// Docker's `config.json`.
    pub registry_config: Option<PathBuf>,
    /// What no step gets more of.
    pub limits: CeilingsSection,
    /// Goes before the image's user.
    pub user: Option<String>,
    /// The root is read-only.
    pub read_only: bool,
    /// Capabilities that are dropped.
    pub cap_drop: Vec<String>,
    /// The network's name.
    pub network: Option<String>,
    /// What every container gets of the engine's host.
    pub mounts: Vec<String>,
    /// What a step may ask for besides.
    pub allow: AllowSection,
}

/// `docker.allow`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowSection {
    mounts: Vec<String>,
    /// Names of networks.
    pub networks: Vec<String>,
}

impl AllowSection {
    /// Paths on the engine's host, each with whether it may only be read.
    pub fn mounts(&self) -> Vec<(String, bool)> {
        let read_only = |path: &String| path.strip_suffix(":ro").map(|bare| (bare.to_owned(), true));
        self.mounts.iter().map(|path| read_only(path).unwrap_or_else(|| (path.clone(), false))).collect()
    }
}

/// `docker.tls`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// Who may have signed the engine's certificate.
    pub ca: PathBuf,
    /// The client's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// `docker.limits`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CeilingsSection {
    /// Processor time, checked by the table.
    cpu: Option<String>,
    /// Memory.
    pub memory: Option<ByteSize>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

impl CeilingsSection {
    /// Processor time.
    ///
    /// # Panics
    /// Never: the table checks the amount.
    pub fn cpu(&self) -> Option<CpuQuantity> {
        self.cpu.as_ref().map(|cpu| cpu.parse().expect("the table checked it"))
    }
}

impl DockerSection {
    /// Fills in what Docker's own variables say and the section leaves out.
    fn over(mut self, environment: &[(String, String)]) -> Self {
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let home = variable("HOME").map(|home| PathBuf::from(home).join(".docker"));
        self.host = self.host.or_else(|| variable("DOCKER_HOST"));
        if self.tls.is_none() && variable("DOCKER_TLS_VERIFY").is_some() {
            let folder = variable("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| home.clone());
            self.tls = folder.map(|folder| TlsSection {
                ca: folder.join("ca.pem"),
                cert: folder.join("cert.pem"),
                key: folder.join("key.pem"),
            });
        }
        if self.registry_config.is_none() {
            let folder = variable("DOCKER_CONFIG").map(PathBuf::from).or(home);
            self.registry_config = folder.map(|folder| folder.join("config.json"));
        }
        self
    }
}

/// `kubernetes:`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesSection {
    /// Where pods are created.
    pub namespace: String,
    /// The image that downloads the workspace.
    pub init_image: String,
    /// Holds start-up scripts.
    pub runner_startup_configmap: Option<String>,
    /// The server's address as pods reach it.
    pub server_url: Option<String>,
    /// The file with address and credentials.
    pub kubeconfig: Option<PathBuf>,
    /// Its context.
    pub context: Option<String>,
    /// How long a pod may wait.
    pub pending_timeout: HumanDuration,
    /// The account that pods run as.
    pub service_account: Option<String>,
    /// Labels of nodes.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that pods tolerate.
    pub tolerations: Vec<TolerationSection>,
    /// Names of Secrets.
    pub pull_secrets: Vec<String>,
    /// `IfNotPresent`, `Always` or `Never`.
    pub pull_policy: String,
    /// Limits of pods whose step sets none.
    pub resources: ResourcesSection,
    /// `privileged`, `host_path`, `host_namespaces`.
    pub allow: Vec<String>,
}

/// `kubernetes.tolerations`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TolerationSection {
    /// The taint's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `Equal` or `Exists`.
    pub operator: String,
    /// The taint's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The taint's effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

/// `kubernetes.resources`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourcesSection {
    /// Processor time, checked by the table.
    pub cpu: Option<String>,
    /// Memory.
    pub memory: Option<ByteSize>,
}

impl ResourcesSection {
    /// As a step's own limits.
    ///
    /// # Panics
    /// Never: the table checks the amount.
    pub fn limits(&self) -> Resources {
        let cpu = self.cpu.as_ref().map(|cpu| cpu.parse().expect("the table checked it"));
        Resources { cpu, memory: self.memory, pids: None }
    }
}

/// `limits:`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsSection {
    /// Of a log line.
    pub line: ByteSize,
    /// Of a step's output.
    pub output: ByteSize,
    /// Of a step's log.
    pub log: ByteSize,
    /// Of the workspace cache.
    pub cache_size: ByteSize,
    /// Between TERM and KILL.
    pub grace: HumanDuration,
}

/// `disk:`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSection {
    /// From here on what can be had again is removed.
    pub collect_at_percent: u32,
    /// From here on no step is taken.
    pub stop_at_percent: u32,
}

/// As the table gives it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    server_url: String,
    worker_token: Secret,
    worker_name: Option<WorkerName>,
    max_concurrent: u32,
    poll_interval_secs: u64,
    workspace_cache_dir: PathBuf,
    tags: Vec<Tag>,
    capabilities: Vec<Tag>,
    runner_image: Option<String>,
    docker: Option<DockerSection>,
    kubernetes: Option<KubernetesSection>,
    exclusive: bool,
    state_dir: Option<PathBuf>,
    pass_env: Vec<String>,
    drain_timeout_secs: u64,
    limits: LimitsSection,
    disk: DiskSection,
}

impl WorkerConfig {
    /// Reads the configuration; `host_name` names the worker when the file does not.
    ///
    /// # Errors
    /// Every problem that was found.
    ///
    /// # Panics
    /// Never: the table gives what the struct takes, which a test shows.
    pub fn load(source: Source<'_>, host_name: &str) -> Result<Self, Vec<Problem>> {
        let value = stroem_config::load(source, &SCHEMA)?;
        let written: Written =
            serde_json::from_value(value).expect("the table and the struct have the same keys");
        Self::check(written, source, host_name)
    }

    fn check(written: Written, source: Source<'_>, host_name: &str) -> Result<Self, Vec<Problem>> {
        let tags: TagSet = written.tags.into_iter().chain(written.capabilities).collect();
        let mut problems: Vec<Problem> = [
            ("docker", written.docker.is_some(), cfg!(feature = "docker")),
            ("kubernetes", written.kubernetes.is_some(), cfg!(feature = "kubernetes")),
        ]
        .into_iter()
        .filter_map(|(name, is_section, is_built)| match (is_section, is_built) {
            (true, false) => Some(not_built(source.file, name)),
            (false, _) if tags.contains(name) => Some(no_section(source.file, name)),
            (true, true) | (false, _) => None,
        })
        .collect();
        let disk = written.disk;
        if disk.collect_at_percent > disk.stop_at_percent {
            problems.push(late_collection(source.file, disk));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let worker_name = written.worker_name.unwrap_or_else(|| name_of_host(host_name));
        let variable = |name: &String| source.environment.iter().find(|(known, _)| known == name).cloned();
        Ok(Self {
            server_url: written.server_url,
            worker_token: written.worker_token,
            max_concurrent: written.max_concurrent,
            poll_interval_secs: written.poll_interval_secs,
            tags,
            runner_image: written.runner_image,
            docker: written.docker.map(|docker| docker.over(source.environment)),
            kubernetes: written.kubernetes,
            exclusive: written.exclusive,
            state_dir: written
                .state_dir
                .unwrap_or_else(|| state_dir(&written.workspace_cache_dir, &worker_name)),
            workspace_cache_dir: written.workspace_cache_dir,
            passed_env: written.pass_env.iter().filter_map(variable).collect(),
            drain_timeout_secs: written.drain_timeout_secs,
            limits: written.limits,
            disk: written.disk,
            worker_name,
        })
    }

    /// Why a runner that this program does not have is missing, in words for whoever looks for its tag.
    pub fn missing_runner(&self, kind: RunnerKind) -> String {
        let section = match kind {
            RunnerKind::Local => return "this build of the worker has no local runner".to_owned(),
            RunnerKind::Docker => self.docker.is_some(),
            RunnerKind::Pod => self.kubernetes.is_some(),
        };
        let name = kind.required_tag();
        if section {
            format!("this version of the worker has no {name} runner yet")
        } else {
            format!("the worker's configuration has no section `{name}:`")
        }
    }
}

/// Beside the cache, one for each worker of a host.
fn state_dir(cache_dir: &std::path::Path, name: &WorkerName) -> PathBuf {
    let beside = cache_dir.parent().map_or_else(PathBuf::new, std::path::Path::to_path_buf);
    beside.join("worker-state").join(crate::state::dir_name(name.as_str()))
}

/// A host's name as a worker's: what names cannot have becomes `-`.
fn name_of_host(host_name: &str) -> WorkerName {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    let name: String = host_name.chars().take(limits::NAME_LENGTH).map(plain).collect();
    let fallback = || WorkerName::new("worker").expect("these letters are a name");
    WorkerName::new(&name).unwrap_or_else(|_| fallback())
}

fn no_section(file: &str, name: &str) -> Problem {
    let place = Place::File { file: file.into(), line: 1, column: 1 };
    let message = format!("the tag `{name}` is there, but no section `{name}:`");
    Problem::new(place, message).suggest(format!("write `{name}: {{}}`, or take the tag out"))
}

fn late_collection(file: &str, disk: DiskSection) -> Problem {
    let place = Place::File { file: file.into(), line: 1, column: 1 };
    let (collect, stop) = (disk.collect_at_percent, disk.stop_at_percent);
    let message = format!(
        "`disk.collect_at_percent` is {collect} and `disk.stop_at_percent` {stop}: the worker would stop before it makes room"
    );
    Problem::new(place, message).suggest("make the first one the smaller")
}

fn not_built(file: &str, name: &str) -> Problem {
    let place = Place::File { file: file.into(), line: 1, column: 1 };
    let message = format!("this program was built without what the section `{name}` needs");
    Problem::new(place, message).suggest(format!("build it with `--features {name}`, or remove the section"))
}

#[cfg(test)]
mod tests;
