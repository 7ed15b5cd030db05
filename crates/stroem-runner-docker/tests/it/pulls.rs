//! Pulls: who pulls, when, and what is said when it does not work. The registry is a few lines of HTTP of this test: it
//! wants credentials and has images that it made itself.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use stroem_core::{Outcome, StepRun};
use stroem_runner_docker::PullPolicy;

use crate::support::{IMAGE, docker, image, script, subject};

#[tokio::test]
async fn an_image_that_nobody_has_fails_with_the_engines_words() {
    let subject = subject!(|options| options.pull_timeout = Duration::from_secs(20));
    // Nothing listens there.
    let ran = subject.run(subject.request(StepRun::Image(image("127.0.0.1:1/none:1")))).await;
    let Outcome::ImagePull { message } = &ran.outcome else { panic!("{ran:?}") };
    assert!(message.contains("connection refused"), "{message}");
    assert_eq!(ran.notes, ["pulling image 127.0.0.1:1/none:1"]);
}

#[tokio::test]
async fn a_worker_that_never_pulls_says_so() {
    let subject = subject!(|options| options.pull = PullPolicy::Never);
    let ran = subject.run(subject.request(StepRun::Image(image("stroem-test/nobody-has-this")))).await;
    let expected = "image pull failed: stroem-test/nobody-has-this is not on the engine, and neither step nor worker wants it pulled (`pull: never`)";
    assert_eq!(ran.outcome.to_string(), expected);
    assert_eq!(subject.run(subject.request(script("true"))).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_pull_that_takes_too_long_is_given_up() {
    let subject = subject!(|options| options.pull_timeout = Duration::from_millis(300));
    // It accepts connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let name = format!("127.0.0.1:{}/slow:1", silent.local_addr().expect("an address").port());
    let ran = subject.run(subject.request(StepRun::Image(image(&name)))).await;
    let Outcome::ImagePull { message } = &ran.outcome else { panic!("{ran:?}") };
    assert_eq!(*message, format!("{name} was not pulled within 0 s"));
}

/// A registry with one image, for whoever knows the password.
struct Registry {
    port: u16,
    manifests: Arc<AtomicUsize>,
    config: tempfile::TempDir,
}

const PASSWORD: &str = "me:secret";

impl Registry {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let manifests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&manifests);
        let blobs = Arc::new(Blobs::made());
        std::thread::Builder::new()
            .name("registry".to_owned())
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (blobs, counted) = (Arc::clone(&blobs), Arc::clone(&counted));
                    let serve = move || blobs.serve(stream, &counted);
                    std::thread::Builder::new().spawn(serve).expect("a thread");
                }
            })
            .expect("a thread");
        let config = tempfile::tempdir().expect("a directory");
        let auth = STANDARD.encode(PASSWORD);
        let text = format!(r#"{{"auths": {{"127.0.0.1:{port}": {{"auth": "{auth}"}}}}}}"#);
        fs::write(config.path().join("config.json"), text).expect("written");
        Self { port, manifests, config }
    }

    fn image(&self) -> String {
        format!("127.0.0.1:{}/private/tool:1", self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = docker(&["image", "rm", "-f", &self.image()]);
    }
}

/// The parts of an image: a layer with one file, and what describes it.
struct Blobs {
    layer: Vec<u8>,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

fn digest(bytes: &[u8]) -> String {
    let program = "sha256sum | cut -d ' ' -f 1";
    let mut sum = std::process::Command::new("sh")
        .args(["-c", program])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("sh");
    sum.stdin.take().expect("a pipe").write_all(bytes).expect("written");
    let output = sum.wait_with_output().expect("a child");
    format!("sha256:{}", String::from_utf8_lossy(&output.stdout).trim())
}

impl Blobs {
    fn made() -> Self {
        let mut layer = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        let text = format!("made at {:?}", std::thread::current().id());
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        layer.append_data(&mut header, "file", text.as_bytes()).expect("appended");
        let layer = layer.into_inner().expect("an archive");
        let config = serde_json::json!({
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/missing"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        })
        .to_string()
        .into_bytes();
        let part = |kind: &str, bytes: &[u8]| serde_json::json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)});
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": part("application/vnd.docker.container.image.v1+json", &config),
            "layers": [part("application/vnd.docker.image.rootfs.diff.tar", &layer)],
        })
        .to_string()
        .into_bytes();
        Self { layer, config, manifest }
    }

    fn serve(&self, stream: TcpStream, manifests: &AtomicUsize) {
        let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
        let mut stream = stream;
        loop {
            let (mut first, mut is_known) = (String::new(), false);
            if reader.read_line(&mut first).unwrap_or(0) == 0 {
                return;
            }
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                let wanted = format!("authorization: basic {}", STANDARD.encode(PASSWORD)).to_lowercase();
                is_known |= line.trim().to_lowercase() == wanted;
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut words = first.split_whitespace();
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (status, kind, body): (&str, &str, &[u8]) = if !is_known {
                let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}"#;
                ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"test\"", "application/json", body)
            } else if path.contains("/manifests/") {
                manifests.fetch_add(1, Ordering::Relaxed);
                if method == "GET" {
                    // So that others come while it is pulled.
                    std::thread::sleep(Duration::from_millis(500));
                }
                ("200 OK", "application/vnd.docker.distribution.manifest.v2+json", &self.manifest)
            } else if path.ends_with(&digest(&self.layer)) {
                ("200 OK", "application/octet-stream", &self.layer)
            } else if path.ends_with(&digest(&self.config)) {
                ("200 OK", "application/octet-stream", &self.config)
            } else {
                ("200 OK", "application/json", b"{}")
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\n\r\n",
                body.len(),
                digest(body)
            );
            let body = if method == "HEAD" { &[] } else { body };
            if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_err() {
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_private_image_is_pulled_once_for_all_who_wait_for_it() {
    let registry = Registry::start();
    let config = registry.config.path().join("config.json");
    let subject = subject!(|options| options.registry_config = Some(config));
    let run = || subject.run(subject.request(StepRun::Image(image(&registry.image()))));
    let (a, b, c) = tokio::join!(run(), run(), run());
    for ran in [&a, &b, &c] {
        // It was pulled; there is no program in it.
        assert!(
            matches!(&ran.outcome, Outcome::InvalidInput { message } if message.contains("/missing")),
            "{ran:?}"
        );
        let notes =
            [format!("pulling image {}", registry.image()), format!("pulled image {}", registry.image())];
        assert_eq!(ran.notes, notes);
    }
    // Two requests are one pull: by the tag, then by the digest.
    let asked = registry.manifests.load(Ordering::Relaxed);
    assert!((1..=2).contains(&asked), "{asked} requests");
    // It is there now, so nobody asks the registry.
    assert_eq!(run().await.notes, Vec::<String>::new());
    assert_eq!(registry.manifests.load(Ordering::Relaxed), asked);
}

#[tokio::test]
async fn a_private_image_without_credentials_is_refused_in_the_registrys_words() {
    let registry = Registry::start();
    let subject = subject!();
    let ran = subject.run(subject.request(StepRun::Image(image(&registry.image())))).await;
    let Outcome::ImagePull { message } = &ran.outcome else { panic!("{ran:?}") };
    assert!(message.contains("no basic auth credentials") || message.contains("who are you"), "{message}");
    assert!(!message.contains(IMAGE));
}

#[tokio::test]
async fn a_worker_that_always_pulls_asks_each_time() {
    let registry = Registry::start();
    let config = registry.config.path().join("config.json");
    let subject = subject!(|options| {
        options.registry_config = Some(config);
        options.pull = PullPolicy::Always;
    });
    let mut asked = 0;
    for _ in 0..2 {
        subject.run(subject.request(StepRun::Image(image(&registry.image())))).await;
        let now = registry.manifests.load(Ordering::Relaxed);
        assert!(now > asked, "asked {now} times");
        asked = now;
    }
}
