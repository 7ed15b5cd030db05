//! Starts servers, and sees to it that they end.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::fs::{FlockOperation, flock};

use super::{Database, Missing, programs::Programs};

/// How long the shared server stays without a test that uses it.
const SHARED_IDLE_SECS: u32 = 20;
/// The same for a server of one test.
const PRIVATE_IDLE_SECS: u32 = 1;
const KEEPER: &str = include_str!("keeper.sh");
/// For every server.
const SETTINGS: &str = "max_connections = 300\nlog_min_messages = warning\n";
/// Besides, unless it is asked for what it has by itself: nothing has to survive a loss of power, and much is done at once.
const FAST_SETTINGS: &str = "fsync = off\nfull_page_writes = off\nshared_buffers = 64MB\nmax_wal_size = 512MB\n\
                             autovacuum_naptime = 2s\n";

/// How a private server is to be.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// It listens on 127.0.0.1 too.
    pub tcp: bool,
    /// It speaks TLS with this certificate and this key, both PEM files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// It has PostgreSQL's own settings, among them its durability: for measurements.
    pub durable: bool,
    /// It writes down every statement that it is sent, see [`Server::statements`].
    pub statements: bool,
}

/// How a server is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Connections are told and ended.
    Fast,
    /// As after a crash: everything stops at once and the log is replayed.
    Immediate,
}

/// A running server, which stays while this is held.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    home: PathBuf,
    port: u16,
    /// Locked, shared by all who use the server.
    _users: File,
}

impl Server {
    pub(super) fn shared() -> Result<Self, Missing> {
        let programs = Programs::find()?;
        let home = base().join("shared");
        make_folder(&home);
        Ok(Self::in_folder(programs, home, &Setup::default(), (SHARED_IDLE_SECS, "no")))
    }

    pub(super) fn private(setup: &Setup) -> Result<Self, Missing> {
        let programs = Programs::find()?;
        make_folder(&base());
        let home = tempfile::Builder::new().prefix("private-").tempdir_in(base()).expect("a folder").keep();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o711)).expect("it is ours");
        Ok(Self::in_folder(programs, home, setup, (PRIVATE_IDLE_SECS, "yes")))
    }

    fn in_folder(programs: Programs, home: PathBuf, setup: &Setup, (idle_secs, remove): (u32, &str)) -> Self {
        // While this is locked nobody else starts or ends the server.
        let lock = open(&home.join("lock"));
        flock(&lock, FlockOperation::LockExclusive).expect("a lock can be waited for");
        let users = open(&home.join("users"));
        flock(&users, FlockOperation::LockShared).expect("a lock can be waited for");
        let port_file = home.join("data/port");
        let running = programs.is_running(&home).then(|| fs::read_to_string(&port_file).ok()?.parse().ok());
        let port = running.flatten().unwrap_or_else(|| start(&programs, &home, setup));
        fs::write(&port_file, port.to_string()).expect("the port can be written down");
        keep(&programs, &home, idle_secs, remove);
        Self { programs, home, port, _users: users }
    }

    /// The URL of a database, by the socket file.
    pub fn url(&self, database: &str) -> String {
        let socket = self.socket().display().to_string();
        format!("postgresql://postgres@/{database}?host={}&port={}", socket.replace('/', "%2F"), self.port)
    }

    /// The port, on 127.0.0.1 if [`Setup::tcp`] asked for it, and in the name of the socket file.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The socket file.
    pub fn socket_file(&self) -> PathBuf {
        self.socket().join(format!(".s.PGSQL.{}", self.port))
    }

    /// A new empty database, dropped with the value.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn database(self) -> Database {
        Database::new(self)
    }

    /// Stops the server and starts it again; returns when it takes connections.
    ///
    /// # Panics
    /// When it does not.
    pub fn restart(&self, how: Restart) {
        let mode = if how == Restart::Fast { "fast" } else { "immediate" };
        self.programs.run(
            "pg_ctl",
            &["-D", &self.data(), "-w", "-m", mode, "-l", &log(&self.home), "restart"],
            &said(&self.home),
        );
    }

    /// Stops the server at once.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&self) {
        self.programs.run(
            "pg_ctl",
            &["-D", &self.data(), "-w", "-m", "immediate", "stop"],
            &said(&self.home),
        );
    }

    /// Starts the server again after [`Self::stop`].
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&self) {
        self.programs.run(
            "pg_ctl",
            &["-D", &self.data(), "-w", "-l", &log(&self.home), "start"],
            &said(&self.home),
        );
    }

    /// Runs SQL in a database; answers the values, a row in each line.
    ///
    /// # Panics
    /// When it fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.programs.path("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h"])
            .arg(self.socket())
            .args(["-p", &self.port.to_string(), "-U", "postgres", "-d", database, "-c", sql])
            .stdin(Stdio::null())
            .output()
            .expect("psql starts");
        assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The statements that it was sent so far, when it was set up to write them down.
    ///
    /// # Panics
    /// When its log cannot be read.
    pub fn statements(&self) -> Vec<String> {
        let log = fs::read_to_string(log(&self.home)).expect("the server's log can be read");
        let sent = |line: &&str| line.contains("LOG:  statement: ") || line.contains("LOG:  execute ");
        log.lines().filter(sent).map(str::to_owned).collect()
    }

    fn socket(&self) -> PathBuf {
        self.home.join("socket")
    }

    fn data(&self) -> String {
        self.home.join("data").display().to_string()
    }
}

/// One folder for each user of the machine, so that nobody needs another's files.
fn base() -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    std::env::temp_dir().join(format!("stroem-postgres-{user}"))
}

fn make_folder(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder for servers can be made");
    for folder in [folder, &base()] {
        // Others may pass through, such as the user that the server runs as, and see nothing.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).expect("it is ours");
    }
}

fn open(file: &Path) -> File {
    File::options().append(true).create(true).open(file).expect("a lock file can be made")
}

fn log(home: &Path) -> String {
    home.join("data/server.log").display().to_string()
}

/// What the programs write that start and stop the server.
fn said(home: &Path) -> PathBuf {
    home.join("programs.log")
}

impl Programs {
    fn is_running(&self, home: &Path) -> bool {
        let data = home.join("data").display().to_string();
        let mut words = self.prefix();
        words.push(self.path("pg_ctl").to_string_lossy().into_owned());
        let status = Command::new(&words[0])
            .args(&words[1..])
            .args(["-D", &data, "status"])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }
}

/// Makes the files anew and starts the server; answers its port.
fn start(programs: &Programs, home: &Path, setup: &Setup) -> u16 {
    let (data, socket, said) = (home.join("data"), home.join("socket"), said(home));
    for folder in [&data, &socket] {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir(folder).expect("a folder of the server can be made");
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("it is ours");
        programs.give(folder);
    }
    let _ = fs::remove_file(&said);
    let data_text = data.display().to_string();
    programs.run(
        "initdb",
        &[
            "-D",
            &data_text,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ],
        &said,
    );
    let port = free_port();
    let addresses = if setup.tcp { "127.0.0.1" } else { "" };
    let mut settings = format!(
        "{SETTINGS}port = {port}\nlisten_addresses = '{addresses}'\nunix_socket_directories = '{}'\n",
        socket.display()
    );
    if !setup.durable {
        settings.push_str(FAST_SETTINGS);
    }
    if let Some((certificate, key)) = &setup.tls {
        for (file, name) in [(certificate, "server.crt"), (key, "server.key")] {
            let copy = data.join(name);
            fs::copy(file, &copy).expect("the certificate can be copied");
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).expect("it is ours");
            programs.give(&copy);
        }
        settings.push_str("ssl = on\n");
    }
    if setup.statements {
        settings.push_str("log_statement = 'all'\n");
    }
    let file = data.join("postgresql.conf");
    let defaults = fs::read_to_string(&file).expect("initdb made it");
    fs::write(&file, format!("{defaults}\n{settings}")).expect("the settings can be written");
    programs.run("pg_ctl", &["-D", &data_text, "-w", "-t", "60", "-l", &log(home), "start"], &said);
    port
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// Starts the keeper of a server unless there is one.
fn keep(programs: &Programs, home: &Path, idle_secs: u32, remove: &str) {
    let keeper = open(&home.join("keeper"));
    if flock(&keeper, FlockOperation::NonBlockingLockExclusive).is_err() {
        return;
    }
    drop(keeper);
    let mut command = Command::new("setsid");
    command.args(["--fork", "sh", "-c", KEEPER, "keeper"]).arg(home).args([&idle_secs.to_string(), remove]);
    command.args(programs.prefix()).arg(programs.path("pg_ctl"));
    // It outlives this process, so it holds nothing of it.
    let started =
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(started.is_ok_and(|status| status.success()), "the server's keeper cannot be started");
}
