//! Pulls from a real registry, Debian's `docker-registry`, with a password; what was asked of it is counted in its log.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use stroem_core::{Outcome, PullPolicy, StepRun};
use stroem_runner::Runner;

use crate::support::{Docker, docker, image};

const SMALL: &str = "stroem-test/busybox";

/// A registry that ends with the test.
struct Registry {
    process: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Registry {
    /// Starts one that has the small image and knows `me` with this password.
    async fn start() -> Result<Self, String> {
        docker(&["image", "inspect", "--format", "{{.Id}}", SMALL])
            .map_err(|error| format!("there is no {SMALL} (`dev/docker up`): {error}"))?;
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name).display().to_string();
        let known = Command::new("htpasswd").args(["-Bbn", "me", "sec:ret"]).output();
        let known = known.map_err(|error| format!("there is no htpasswd (apache2-utils): {error}"))?;
        fs::write(at("htpasswd"), known.stdout).expect("written");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let config = format!(
            "version: 0.1\nlog: {{accesslog: {{disabled: false}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '127.0.0.1:{port}'}}\nauth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            at("data"),
            at("htpasswd")
        );
        fs::write(at("config.yml"), config).expect("written");
        let log = fs::File::create(at("log")).expect("a log");
        let process = Command::new("docker-registry")
            .args(["serve", &at("config.yml")])
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("there is no docker-registry: {error}"))?;
        let registry = Self { process, port, directory };
        for _ in 0..300 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let config = registry.config("push", "me:sec:ret");
        docker(&["tag", SMALL, &registry.image()])?;
        let folder = config.parent().expect("a folder").display().to_string();
        let pushed = docker(&["--config", &folder, "push", "-q", &registry.image()]);
        docker(&["rmi", &registry.image()])?;
        pushed.map(|_| registry)
    }

    fn image(&self) -> String {
        format!("127.0.0.1:{}/team/small:1", self.port)
    }

    /// A `config.json` with a name and a password.
    fn config(&self, folder: &str, password: &str) -> std::path::PathBuf {
        let folder = self.directory.path().join(folder);
        fs::create_dir_all(&folder).expect("made");
        let auth = STANDARD.encode(password);
        let text = format!(r#"{{"auths": {{"127.0.0.1:{}": {{"auth": "{auth}"}}}}}}"#, self.port);
        fs::write(folder.join("config.json"), text).expect("written");
        folder.join("config.json")
    }

    /// How often this was asked for and given.
    fn given(&self, what: &str) -> usize {
        let log = fs::read_to_string(self.directory.path().join("log")).expect("a log");
        log.lines().filter(|line| line.contains(what) && line.contains("\" 200 ")).count()
    }

    fn digest(&self) -> String {
        let revisions = self
            .directory
            .path()
            .join("data/docker/registry/v2/repositories/team/small/_manifests/revisions/sha256");
        let entry = fs::read_dir(revisions).expect("revisions").next().expect("one").expect("readable");
        entry.file_name().to_string_lossy().into_owned()
    }

    fn subject(&self, config: &Path, pull: PullPolicy) -> Docker {
        Docker::with(|options| {
            options.registry_config = Some(config.to_owned());
            options.pull = pull;
        })
        .expect("an engine")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = docker(&["rmi", "-f", &self.image()]);
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

macro_rules! registry {
    () => {
        match Registry::start().await {
            Ok(registry) => registry,
            Err(reason) => return stroem_runner::conformance::skip(&reason),
        }
    };
}

fn step(name: &str) -> StepRun {
    let mut spec = image(name);
    spec.cmd = Some("echo ran".to_owned());
    StepRun::Image(spec)
}

#[tokio::test]
async fn eight_steps_at_once_are_one_pull_at_a_registry_with_a_password() {
    let registry = registry!();
    let subject = registry.subject(&registry.config("right", "me:sec:ret"), PullPolicy::Missing);
    let run = || subject.run(subject.request(step(&registry.image())));
    let before = registry.given("\"GET /v2/team/small/blobs/");
    let (a, b, c, d, e, f, g, h) = tokio::join!(run(), run(), run(), run(), run(), run(), run(), run());
    for ran in [a, b, c, d, e, f, g, h] {
        assert_eq!((ran.stdout.as_str(), &ran.outcome), ("ran\n", &Outcome::Succeeded), "{ran:?}");
    }
    // What the engine has already it does not fetch; each part of the image at most once.
    let manifests = registry.given("\"HEAD /v2/team/small/manifests/1")
        + registry.given("\"GET /v2/team/small/manifests/1");
    assert!((1..=2).contains(&manifests), "{manifests} requests for the manifest");
    assert!(registry.given("\"GET /v2/team/small/blobs/") - before <= 2);
    assert_eq!(run().await.notes, Vec::<String>::new(), "it is there now");
}

#[tokio::test]
async fn a_wrong_password_is_an_image_pull_in_the_engines_words() {
    let registry = registry!();
    let subject = registry.subject(&registry.config("wrong", "me:guess"), PullPolicy::Missing);
    let ran = subject.run(subject.request(step(&registry.image()))).await;
    let Outcome::ImagePull { message } = &ran.outcome else { panic!("{ran:?}") };
    assert!(message.contains("unauthorized") || message.contains("no basic auth credentials"), "{message}");
    assert!(!message.contains("guess"), "{message}");
}

#[tokio::test]
async fn an_image_by_its_digest_is_pulled_from_a_registry_with_a_password() {
    let registry = registry!();
    let subject = registry.subject(&registry.config("right", "me:sec:ret"), PullPolicy::Missing);
    let name = format!("127.0.0.1:{}/team/small@sha256:{}", registry.port, registry.digest());
    let ran = subject.run(subject.request(step(&name))).await;
    assert_eq!((ran.stdout.as_str(), &ran.outcome), ("ran\n", &Outcome::Succeeded), "{ran:?}");
    docker(&["rmi", &name]).expect("removed");
}

#[tokio::test]
async fn images_are_collected_by_their_last_use_and_only_those_that_were_pulled_for_steps() {
    let registry = registry!();
    let file = registry.directory.path().join("images");
    let open = || {
        let (config, file) = (registry.config("right", "me:sec:ret"), file.clone());
        Docker::with(|options| (options.registry_config, options.images_file) = (Some(config), Some(file)))
            .expect("an engine")
    };
    let names = ["first", "second", "third"].map(|tag| registry.image().replace(":1", &format!(":{tag}")));
    let folder = registry.config("push", "me:sec:ret");
    let folder = folder.parent().expect("a folder").display().to_string();
    for name in &names {
        // An image of its own: one with a second name is only unnamed.
        let build = format!(
            "printf 'FROM {SMALL}\\nLABEL name={name}\\n' | DOCKER_BUILDKIT=0 docker build -q -t {name} -"
        );
        assert!(Command::new("sh").args(["-c", &build]).output().expect("sh").status.success());
        docker(&["--config", &folder, "push", "-q", name]).expect("pushed");
        docker(&["rmi", name]).expect("removed");
    }
    let is_here = |name: &str| docker(&["image", "inspect", "--format", "{{.Id}}", name]).is_ok();
    let [first, second, third] = &names;
    let subject = open();
    for name in [first, second, third, first] {
        assert_eq!(subject.run(subject.request(step(name))).await.outcome, Outcome::Succeeded);
    }
    // What was here before is used as well, and is nobody's to remove.
    assert_eq!(subject.run(subject.request(step(SMALL))).await.outcome, Outcome::Succeeded);
    // A container of somebody else keeps the third one. A process that starts again knows what the one before pulled.
    let kept = docker(&["create", third, "true"]).expect("a container");
    let subject = open();
    assert!(subject.runner.collect_one().await);
    assert_eq!([is_here(first), is_here(second), is_here(third)], [true, false, true]);
    assert!(subject.runner.collect_one().await);
    assert_eq!([is_here(first), is_here(third), is_here(SMALL)], [false, true, true]);
    assert!(!subject.runner.collect_one().await, "a container has the last one");
    docker(&["rm", &kept]).expect("removed");
    assert!(subject.runner.collect_one().await);
    assert!(!is_here(third) && is_here(SMALL));
    assert!(!subject.runner.collect_one().await);
}

#[tokio::test]
async fn a_step_that_always_pulls_asks_the_registry_each_time_and_one_that_never_does_not() {
    let registry = registry!();
    let subject = registry.subject(&registry.config("right", "me:sec:ret"), PullPolicy::Missing);
    let run = |pull| {
        let mut request = subject.request(step(&registry.image()));
        request.spec.container.pull = Some(pull);
        subject.run(request)
    };
    let never = run(PullPolicy::Never).await;
    assert!(matches!(never.outcome, Outcome::ImagePull { .. }), "{never:?}");
    let asked = || registry.given("/v2/team/small/manifests/1");
    let mut before = asked();
    for _ in 0..3 {
        assert_eq!(run(PullPolicy::Always).await.outcome, Outcome::Succeeded);
        assert!(asked() > before, "the registry was not asked again");
        before = asked();
    }
    for policy in [PullPolicy::Missing, PullPolicy::Never] {
        assert_eq!(run(policy).await.outcome, Outcome::Succeeded);
    }
    assert_eq!(asked(), before);
}
