//! PostgreSQL's programs: where they are, and as whom they run.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The oldest version that is supported.
const VERSION_MIN: u32 = 14;
/// Where Debian and Ubuntu have the servers' programs, each version in a folder.
const VERSIONS: &str = "/usr/lib/postgresql";
/// PostgreSQL refuses to run as root; its packages make this user.
const USER: &str = "postgres";

/// Why there is no PostgreSQL to test with.
#[derive(Debug, Clone)]
pub struct Missing(pub String);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The programs of one version.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    /// Their folder; none when they are found by their names.
    folder: Option<PathBuf>,
    /// The user and group that they run as when this process is root.
    pub(super) owner: Option<(u32, u32)>,
}

impl Programs {
    pub(super) fn find() -> Result<Self, Missing> {
        let owner = if rustix::process::geteuid().is_root() { Some(user(USER)?) } else { None };
        let by_name = Self { folder: None, owner };
        if let Some(version) = by_name.version() {
            return by_name.if_new_enough(version);
        }
        let folders =
            fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
        let newest = folders
            .filter_map(|folder| {
                let programs = Self { folder: Some(folder), owner };
                Some((programs.version()?, programs))
            })
            .max_by_key(|(version, _)| *version);
        let (version, programs) =
            newest.ok_or_else(|| Missing("PostgreSQL is not installed (no `initdb`)".to_owned()))?;
        programs.if_new_enough(version)
    }

    fn if_new_enough(self, version: u32) -> Result<Self, Missing> {
        if version >= VERSION_MIN {
            return Ok(self);
        }
        Err(Missing(format!("PostgreSQL {version} is older than {VERSION_MIN}")))
    }

    fn version(&self) -> Option<u32> {
        let output = Command::new(self.path("initdb")).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.folder.as_ref().map_or_else(|| PathBuf::from(program), |folder| folder.join(program))
    }

    /// What to write before a program's name so that it does not run as root.
    pub(super) fn prefix(&self) -> Vec<String> {
        let Some((user, group)) = self.owner else { return Vec::new() };
        ["setpriv", &format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups", "--"]
            .map(str::to_owned)
            .to_vec()
    }

    /// Runs a program to its end.
    ///
    /// # Panics
    /// When it fails; with what it wrote.
    pub(super) fn run(&self, program: &str, arguments: &[&str], log: &Path) {
        let path = self.path(program);
        let mut words = self.prefix();
        words.push(path.to_string_lossy().into_owned());
        // A file and no pipe: a server that is started keeps it open.
        let output = fs::File::options().append(true).create(true).open(log).expect("the log can be written");
        let status = Command::new(&words[0])
            .args(&words[1..])
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => {
                let said = fs::read_to_string(log).unwrap_or_default();
                panic!("{program} {arguments:?} failed ({status}):\n{said}");
            }
            Err(error) if error.kind() == ErrorKind::NotFound => panic!("`{}` is missing", words[0]),
            Err(error) => panic!("`{}` cannot be started: {error}", words[0]),
        }
    }

    /// Gives a file or folder to the user that the programs run as.
    pub(super) fn give(&self, path: &Path) {
        if let Some((user, group)) = self.owner {
            std::os::unix::fs::chown(path, Some(user), Some(group)).expect("root may give files away");
        }
    }
}

fn user(name: &str) -> Result<(u32, u32), Missing> {
    let missing = || Missing(format!("PostgreSQL does not run as root, and there is no user `{name}`"));
    let users = fs::read_to_string("/etc/passwd").map_err(|_| missing())?;
    let line = users.lines().find(|line| line.split(':').next() == Some(name)).ok_or_else(missing)?;
    let mut fields = line.split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok()).ok_or_else(missing);
    Ok((number()?, number()?))
}
