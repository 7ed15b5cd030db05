//! The container of an attempt, as the engine is asked for it. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Display,
};

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, ImageConfig, Mount, MountType, MountVolumeOptions,
};
use stroem_core::{ByteSize, CpuQuantity, ImageSpec, Outcome, StepRun};
use stroem_runner::RunRequest;

use crate::{
    DockerRunnerOptions,
    engine::Facts,
    labels,
    rules::Granted,
    wrapper::{HOME, RESULT, WORKSPACE, WRAPPER},
};

/// The engine keeps a log in one file, whose size it must be told: one that no step reaches.
const LOG_BYTES: &str = "1000g";

/// A container to be made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) body: ContainerCreateBody,
    /// The user that everything in it is for.
    pub(crate) user: String,
    /// Its root takes nothing.
    pub(crate) read_only: bool,
    pub(crate) memory: Option<ByteSize>,
    /// Sentences for the step's log.
    pub(crate) notes: Vec<String>,
}

/// Everything that a plan is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) request: &'a RunRequest,
    pub(crate) options: &'a DockerRunnerOptions,
    pub(crate) facts: &'a Facts,
    pub(crate) image: &'a str,
    pub(crate) config: &'a ImageConfig,
    /// What the worker lets it have.
    pub(crate) granted: &'a Granted,
}

impl Ground<'_> {
    /// The container.
    ///
    /// # Errors
    /// What the user wrote that no container can have.
    pub(crate) fn plan(self) -> Result<Plan, Outcome> {
        let Self { request, options, config, granted, .. } = self;
        let mut notes = Vec::new();
        let memory = self.memory(&mut notes);
        let mut body = ContainerCreateBody {
            image: Some(self.image.to_owned()),
            user: granted.user.clone(),
            env: Some(self.environment()?),
            labels: Some(labels::all(request, &options.owner)),
            host_config: Some(self.host_config(memory, &mut notes)),
            ..ContainerCreateBody::default()
        };
        match &request.spec.run {
            StepRun::Script(_) => {
                body.entrypoint = Some(vec!["/bin/sh".to_owned(), WRAPPER.to_owned()]);
                body.cmd = Some(Vec::new());
                let below = request.spec.workdir.as_deref().map(|path| format!("{WORKSPACE}/{path}"));
                body.working_dir = Some(below.unwrap_or_else(|| WORKSPACE.to_owned()));
            }
            StepRun::Image(image) => {
                (body.entrypoint, body.cmd) = command(image);
                body.working_dir = request.spec.workdir.clone();
            }
        }
        let user = granted.user.clone().or_else(|| config.user.clone()).unwrap_or_default();
        Ok(Plan { body, user, read_only: granted.read_only, memory, notes })
    }

    fn memory(self, notes: &mut Vec<String>) -> Option<ByteSize> {
        lowered("memory", self.request.spec.resources.memory, self.options.ceilings.memory, notes)
    }

    fn pids(self, notes: &mut Vec<String>) -> Option<u32> {
        lowered("process", self.request.spec.resources.pids, self.options.ceilings.pids, notes)
    }

    fn cpu(self, notes: &mut Vec<String>) -> Option<CpuQuantity> {
        // More than the engine's host has is no limit, and the engine refuses it.
        let limit = lowered("CPU", self.request.spec.resources.cpu, self.options.ceilings.cpu, notes)?;
        Some(self.facts.cpu.map_or(limit, |all| limit.min(all)))
    }

    fn host_config(self, memory: Option<ByteSize>, notes: &mut Vec<String>) -> HostConfig {
        let granted = self.granted;
        let bytes = memory.map(|size| i64::try_from(size.as_bytes()).unwrap_or(i64::MAX));
        let nano = |cpu: CpuQuantity| i64::from(cpu.millicores()) * 1_000_000;
        let is_script = matches!(self.request.spec.run, StepRun::Script(_));
        let mut mounts = Vec::new();
        if is_script {
            // The engine gives the top of a volume to nobody but root, unless the image has the folder: then the volume
            // takes its owner and mode, which the runner image has for everybody. A writable root needs none of that.
            mounts.push(volume(WORKSPACE, granted.read_only));
        }
        let mut tmpfs = None;
        if granted.read_only {
            if is_script {
                mounts.push(volume(HOME, false));
            }
            tmpfs = Some(HashMap::from([("/tmp".to_owned(), "exec,mode=1777".to_owned())]));
        }
        let list = |items: &[String]| (!items.is_empty()).then(|| items.to_vec());
        HostConfig {
            memory: bytes,
            // The same as the memory: nothing beyond it on a swap device.
            memory_swap: bytes,
            nano_cpus: self.cpu(notes).map(nano),
            pids_limit: self.pids(notes).map(i64::from),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            cap_drop: list(&granted.cap_drop),
            readonly_rootfs: granted.read_only.then_some(true),
            network_mode: granted.network.clone(),
            binds: list(&granted.mounts),
            mounts: Some(mounts),
            tmpfs,
            log_config: self.facts.has_local_logs.then(log_config),
            ..HostConfig::default()
        }
    }

    /// `NAME=value` for everything that is not the image's own.
    fn environment(self) -> Result<Vec<String>, Outcome> {
        let request = self.request;
        let mut all: BTreeMap<&str, &str> = BTreeMap::new();
        let is_script = matches!(request.spec.run, StepRun::Script(_));
        let (home, tmp, output) = (format!("{HOME}/home"), format!("{HOME}/tmp"), format!("{RESULT}/output"));
        let has_language = |entry: &String| entry.starts_with("LANG=");
        if is_script {
            all.extend([("HOME", home.as_str()), ("TMPDIR", tmp.as_str())]);
            if !self.config.env.as_ref().is_some_and(|env| env.iter().any(has_language)) {
                all.insert("LANG", "C.UTF-8");
            }
        }
        let given = request.passed_env.iter().chain(&request.spec.env);
        all.extend(given.map(|(name, value)| (name.as_str(), value.as_str())));
        let reserved = request.reserved_env();
        all.extend(reserved.iter().map(|(name, value)| (*name, value.as_str())));
        if is_script {
            all.extend([("STROEM_WORKSPACE_DIR", WORKSPACE), ("STROEM_OUTPUT", output.as_str())]);
        }
        all.into_iter().map(|(name, value)| variable(name, value)).collect()
    }
}

/// What a step asks for, but not more than the worker gives; a step that asks for nothing gets that.
fn lowered<T: Copy + Ord + Display>(
    what: &str,
    asked: Option<T>,
    most: Option<T>,
    notes: &mut Vec<String>,
) -> Option<T> {
    if let (Some(asked), Some(most)) = (asked, most)
        && asked > most
    {
        notes.push(format!(
            "the {what} limit of {asked} is lowered to {most}, the most that this worker gives"
        ));
    }
    asked.into_iter().chain(most).min()
}

fn variable(name: &str, value: &str) -> Result<String, Outcome> {
    let invalid = |message: String| Outcome::InvalidInput { message };
    if name.is_empty() || name.contains('=') {
        return Err(invalid(format!("env: `{name}` cannot be the name of a variable")));
    }
    if name.contains('\0') || value.contains('\0') {
        return Err(invalid(format!("env: `{name}` cannot hold a zero byte")));
    }
    Ok(format!("{name}={value}"))
}

/// Entrypoint and command of an image step. `cmd` goes through `sh -c`, behind `entrypoint` if there is one and else in
/// place of the image's, which would take it for arguments. `command` alone leaves the image's entrypoint in place.
fn command(image: &ImageSpec) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let shell = image.cmd.as_ref().map(|text| ["sh", "-c", text].map(str::to_owned).to_vec());
    match (shell, &image.entrypoint) {
        (Some(shell), Some(entrypoint)) => (Some(entrypoint.clone()), Some(shell)),
        (Some(shell), None) => (Some(shell), Some(Vec::new())),
        // An empty list takes the image's entrypoint away, which the engine knows as one empty word.
        (None, Some(none)) if none.is_empty() => (Some(vec![String::new()]), image.command.clone()),
        (None, entrypoint) => (entrypoint.clone(), image.command.clone()),
    }
}

/// A volume without a name, which goes with its container.
fn volume(target: &str, as_in_image: bool) -> Mount {
    Mount {
        target: Some(target.to_owned()),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(!as_in_image),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

fn log_config() -> HostConfigLogConfig {
    let options = [("max-size", LOG_BYTES), ("max-file", "1"), ("compress", "false")];
    HostConfigLogConfig {
        typ: Some("local".to_owned()),
        config: Some(options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
    }
}
