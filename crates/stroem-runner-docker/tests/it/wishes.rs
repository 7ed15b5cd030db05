//! What a step asks of its container, on a real engine; what it may not have is tested where it is decided.

use stroem_core::{Container, Outcome, StepRun};

use crate::support::{docker, image, script, subject};

/// The engine's socket, where it is the usual one.
const SOCKET: &str = "/var/run/docker.sock";

#[tokio::test]
async fn a_step_tightens_its_own_container() {
    let subject = subject!();
    let text = "id -u; grep -E '^(NoNewPrivs|CapEff)' /proc/self/status | tr -d '\\t '; \
                touch /usr/x 2> /dev/null || echo read-only; ls /sys/class/net; \
                cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2> /dev/null; true";
    let mut request = subject.request(script(text));
    request.spec.resources.pids = Some(33);
    request.spec.container = Container {
        network: Some("none".to_owned()),
        user: Some("4713".to_owned()),
        read_only: true,
        cap_drop: vec!["ALL".to_owned()],
        ..Container::default()
    };
    let ran = subject.run(request).await;
    let expected = "4713\nCapEff:0000000000000000\nNoNewPrivs:1\nread-only\nlo\n33\n";
    assert_eq!((ran.stdout.as_str(), &ran.outcome), (expected, &Outcome::Succeeded), "{ran:?}");
}

#[tokio::test]
async fn a_step_asks_the_engine_itself_where_its_worker_allows_the_socket() {
    // The program of the host, as the image has none; what a build needs is this socket.
    let program = docker(&["info", "--format", "{{.ID}}"]).map(|_| "/usr/bin/docker");
    let Ok(program) = program else {
        return stroem_runner::conformance::skip("there is no Docker engine (`dev/docker up`)");
    };
    if !std::path::Path::new(SOCKET).exists() || !std::path::Path::new(program).exists() {
        return stroem_runner::conformance::skip(&format!("there is no {SOCKET} or no {program} here"));
    }
    let subject = subject!(|options| {
        options.allowed.mounts = vec![(SOCKET.to_owned(), false), (program.to_owned(), true)];
    });
    let name = format!("stroem-test/built-{}", std::process::id());
    let text = format!(
        "export DOCKER_BUILDKIT=0; printf 'FROM scratch\\nCOPY file /file\\n' > Dockerfile; echo x > file; docker build -q -t {name} . && docker rmi {name} > /dev/null"
    );
    let mut request = subject.request(script(&text));
    request.spec.container.mounts = [format!("{SOCKET}:{SOCKET}"), format!("{program}:{program}:ro")]
        .map(|text| text.parse().expect("a mount"))
        .to_vec();
    let ran = subject.run(request.clone()).await;
    assert!(ran.outcome == Outcome::Succeeded && ran.stdout.starts_with("sha256:"), "{ran:?}");
    let other = subject!();
    let mut again = other.request(script("true"));
    again.spec.container = request.spec.container;
    let ran = other.run(again).await;
    let Outcome::InvalidInput { message } = &ran.outcome else { panic!("{ran:?}") };
    assert!(message.contains("docker.allow.mounts"), "{message}");
}

#[tokio::test]
async fn a_network_that_is_listed_is_the_steps() {
    let name = format!("stroem-test-{}", std::process::id());
    let subject = subject!(|options| options.allowed.networks = vec![name.clone()]);
    let subnet = format!("10.234.{}", std::process::id() % 256);
    docker(&["network", "create", "--subnet", &format!("{subnet}.0/24"), &name]).expect("a network");
    let mut spec = image(crate::support::IMAGE);
    spec.cmd = Some(format!("grep -qF {subnet}. /proc/net/fib_trie && echo there"));
    let mut request = subject.request(StepRun::Image(spec));
    request.spec.container.network = Some(name.clone());
    let ran = subject.run(request).await;
    docker(&["network", "rm", &name]).expect("removed");
    assert_eq!(ran.stdout, "there\n", "{ran:?}");
}
