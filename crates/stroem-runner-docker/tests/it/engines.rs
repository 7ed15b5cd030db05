//! Engines that are elsewhere: another one on TCP and TLS, with a data root of its own, which cannot see the worker's
//! files, as a sidecar cannot.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use stroem_core::{Outcome, StepRun};
use stroem_runner::{Runner, conformance::Subject};
use stroem_runner_docker::{DockerRunner, TlsFiles};

use crate::support::{Docker, docker, image, options, script};

/// A small image, which the other engine gets as a file.
const SMALL: &str = "stroem-test/busybox";

/// Where an engine listens, on a network of its own.
struct Place {
    port: u16,
    near: String,
    far: String,
}

impl Place {
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let [high, low] = (port & !3).to_be_bytes();
        Self { port, near: format!("10.231.{high}.{}", low + 1), far: format!("10.231.{high}.{}", low + 2) }
    }
}

/// An engine that ends with the test.
struct Engine {
    process: Child,
    address: String,
    directory: tempfile::TempDir,
}

impl Engine {
    /// Starts one with these arguments and gives it the small image; the folder `hidden` is empty for it.
    async fn start(place: &Place, hidden: &Path, tls: &[String]) -> Result<Self, String> {
        docker(&["image", "inspect", "--format", "{{.Id}}", SMALL])
            .map_err(|error| format!("there is no {SMALL} (`dev/docker up`): {error}"))?;
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().to_owned();
        let at = |name: &str| root.join(name).display().to_string();
        let Place { port, near, far } = place;
        let socket = format!("unix://{}", at("docker.sock"));
        let (here, there) = (format!("st{port}a"), format!("st{port}b"));
        // Namespaces of its own: the worker's folder is empty in its view of the disk, and what it does to networks
        // nobody else sees. /etc/docker holds its name, /run/containerd would lead it to the containerd of others.
        let program = format!(
            "set -e; ip link set lo up; while ! ip addr add {far}/30 dev {there}; do sleep 0.1; done; ip link set {there} up; \
             mkdir -p /etc/docker /run/containerd; for d in '{}' /etc/docker /run/containerd; do mount -t tmpfs none \"$d\"; done; \
             exec dockerd --data-root '{}' --exec-root '{}' --pidfile '{}' --host '{socket}' \
             --host tcp://{far}:{port} --bridge none --iptables=false {}",
            hidden.display(),
            at("data"),
            at("exec"),
            at("pid"),
            tls.join(" ")
        );
        let log = fs::File::create(at("log")).expect("a log");
        let process = Command::new("unshare")
            .args(["--mount", "--net", "sh", "-c", &program])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut engine = Self { process, address: format!("tcp://{far}:{port}"), directory };
        let link = format!(
            "set -e; pid={}; while [ /proc/$pid/ns/net -ef /proc/self/ns/net ]; do sleep 0.05; done; \
             ip link add {here} type veth peer name {there} netns $pid; ip addr add {near}/30 dev {here}; ip link set {here} up",
            engine.process.id()
        );
        let linked = Command::new("timeout")
            .args(["20", "sh", "-c", &link])
            .output()
            .map_err(|error| error.to_string())?;
        if !linked.status.success() {
            return Err(format!(
                "no network for a second engine: {}",
                String::from_utf8_lossy(&linked.stderr)
            ));
        }
        for _ in 0..600 {
            if docker(&["--host", &socket, "version"]).is_ok() {
                let image = at("image.tar");
                docker(&["save", "-o", &image, SMALL])?;
                docker(&["--host", &socket, "load", "-i", &image])?;
                return Ok(engine);
            }
            if engine.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = fs::read_to_string(at("log")).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        Err(format!("no second Docker engine starts here: {}", last.join(" | ")))
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.directory.path().join("docker.sock").display())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // TERM, so that it unmounts what it mounted.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").arg(&pid).status();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn an_engine_on_tcp_that_cannot_see_the_workers_files_runs_scripts_and_images() {
    let mine = tempfile::tempdir().expect("a directory");
    let engine = match Engine::start(&Place::new(), mine.path(), &[]).await {
        Ok(engine) => engine,
        Err(reason) => return stroem_runner::conformance::skip(&reason),
    };
    let subject = Docker::with(|options| {
        options.host = Some(engine.address.clone());
        options.runner_image = SMALL.to_owned();
        options.hardening.network = Some("none".to_owned());
    })
    .expect("a subject");
    let local = DockerRunner::new(options()).expect("options").engine_id().await.expect("the first engine");
    assert_ne!(subject.runner.engine_id().await.expect("the second engine"), local);
    assert_eq!(
        subject.runner.data_root().await,
        None,
        "its images are on another host's disk, for all that is known"
    );
    let socket = engine.socket();
    let near = Docker::with(|options| options.host = Some(socket)).expect("a subject");
    assert_eq!(near.runner.data_root().await, Some(engine.directory.path().join("data")));
    let workspace = mine.path().join("workspace");
    fs::create_dir_all(workspace.join("sub")).expect("made");
    fs::write(workspace.join("sub/file"), "of the worker\n").expect("written");
    let mut request = subject.request(script(
        "cat sub/file; echo changed > sub/file; sleep 1000 & echo '{\"a\": 1}' > \"$STROEM_OUTPUT\"",
    ));
    request.workspace = Some(workspace.clone());
    let ran = subject.run(request).await;
    assert_eq!(ran.stdout, "of the worker\nOUTPUT: {\"a\": 1}\n", "{ran:?}");
    // The shell of this image is another one, and the wrapper works in it.
    assert!(ran.notes.iter().any(|note| note.contains("(sleep 1000)")), "{ran:?}");
    assert_eq!(fs::read_to_string(workspace.join("sub/file")).expect("there"), "of the worker\n");
    let mut small = image(SMALL);
    small.cmd = Some("echo from an image".to_owned());
    assert_eq!(subject.run(subject.request(StepRun::Image(small))).await.stdout, "from an image\n");
    let left = docker(&["--host", &engine.socket(), "ps", "-aq"]).expect("the second engine");
    let volumes = docker(&["--host", &engine.socket(), "volume", "ls", "-q"]).expect("the second engine");
    assert_eq!((left.as_str(), volumes.as_str()), ("", ""));
}

/// Makes an authority and two certificates of it.
fn certificates(directory: &Path, address: &str) -> Result<(), String> {
    let program = "set -e; cd \"$1\"
        subject() { openssl req -newkey rsa:2048 -nodes -keyout \"$1-key.pem\" -out \"$1.csr\" -subj \"/CN=$1\"; }
        sign() { openssl x509 -req -in \"$1.csr\" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -out \"$1.pem\" -extfile \"$1.ext\"; }
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca-key.pem -out ca.pem -subj /CN=authority
        printf 'subjectAltName=IP:%s\nextendedKeyUsage=serverAuth\n' \"$2\" > server.ext
        echo 'extendedKeyUsage=clientAuth' > client.ext
        subject server; sign server; subject client; sign client";
    let made = Command::new("sh").args(["-c", program, "sh"]).arg(directory).arg(address).output();
    let made = made.map_err(|error| error.to_string())?;
    if made.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&made.stderr).into_owned()) }
}

#[tokio::test]
async fn an_engine_on_tls_takes_a_client_that_knows_it_and_nobody_else() {
    let mine = tempfile::tempdir().expect("a directory");
    let files = tempfile::tempdir().expect("a directory");
    let at = |name: &str| files.path().join(name);
    let place = Place::new();
    if let Err(reason) = certificates(files.path(), &place.far) {
        return stroem_runner::conformance::skip(&format!("openssl makes no certificates: {reason}"));
    }
    let flag = |flag: &str, name: &str| format!("--{flag} '{}'", at(name).display());
    let tls = [
        "--tlsverify".to_owned(),
        flag("tlscacert", "ca.pem"),
        flag("tlscert", "server.pem"),
        flag("tlskey", "server-key.pem"),
    ];
    let engine = match Engine::start(&place, mine.path(), &tls).await {
        Ok(engine) => engine,
        Err(reason) => return stroem_runner::conformance::skip(&reason),
    };
    let client = |ca: &str| TlsFiles { ca: at(ca), cert: at("client.pem"), key: at("client-key.pem") };
    let with = |tls: Option<TlsFiles>| {
        Docker::with(|options| {
            options.host = Some(engine.address.clone());
            options.tls = tls;
            options.runner_image = SMALL.to_owned();
            options.hardening.network = Some("none".to_owned());
        })
        .expect("a subject")
    };
    let subject = with(Some(client("ca.pem")));
    subject.runner.health().await.expect("it answers");
    let mut request = subject.request(script("cat file"));
    fs::write(mine.path().join("file"), "over TLS\n").expect("written");
    request.workspace = Some(mine.path().to_owned());
    let ran = subject.run(request).await;
    assert_eq!((ran.outcome, ran.stdout.as_str()), (Outcome::Succeeded, "over TLS\n"));
    // An authority that did not sign the engine's certificate, and no certificate at all.
    for tls in [Some(client("client.pem")), None] {
        let refused = with(tls).runner().health().await.expect_err("it is not trusted").to_string();
        assert!(refused.contains("cannot be reached"), "{refused}");
    }
    let missing = DockerRunner::new(stroem_runner_docker::DockerRunnerOptions {
        host: Some(engine.address.clone()),
        tls: Some(client("no-such.pem")),
        ..options()
    });
    assert!(missing.expect_err("no such file").to_string().contains("no-such.pem"));
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_named_with_its_address_and_found_when_it_comes() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("docker.sock");
    let address = format!("unix://{}", socket.display());
    let runner = DockerRunner::new(stroem_runner_docker::DockerRunnerOptions {
        host: Some(address.clone()),
        ..options()
    })
    .expect("options");
    let reason = runner.health().await.expect_err("nothing is there").to_string();
    let expected = format!("the Docker engine at {address} cannot be reached: ");
    assert!(reason.starts_with(&expected) && reason.contains("No such file"), "{reason}");
    if let Err(reason) = docker(&["version"]) {
        return stroem_runner::conformance::skip(&reason);
    }
    std::os::unix::fs::symlink("/var/run/docker.sock", &socket).expect("linked");
    runner.health().await.expect("it came");
}
