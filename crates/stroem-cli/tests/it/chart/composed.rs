//! docker-compose.yaml, started by the commands of its document, with images made here.

use std::{net::TcpListener, path::Path};

use super::{
    cluster::run,
    documented::{Programs, blocks},
    images, repository,
};

/// `docker compose`, or what was before it; none, and it says so, where neither is.
fn compose() -> Option<&'static str> {
    if run("docker", &["compose", "version"], "").is_ok() {
        return Some("exec $docker compose \"$@\"");
    }
    match run("docker-compose", &["version"], "") {
        Ok(_) => Some("exec docker-compose \"$@\""),
        Err(error) => {
            stroem_runner::conformance::skip(&format!(
                "neither `docker compose` nor docker-compose: {error}"
            ));
            None
        }
    }
}

/// Takes everything down, whatever happened.
struct Composed<'a> {
    programs: &'a Programs,
    folder: &'a Path,
    variables: &'a [(&'a str, &'a str)],
}

impl Drop for Composed<'_> {
    fn drop(&mut self) {
        let script = "docker compose logs --no-color --tail 40 >&2 || true\ndocker compose down --volumes --remove-orphans >&2 || true";
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.programs.run(script, self.folder, self.variables);
        }));
    }
}

#[test]
fn system_the_composed_installation_runs_a_job() {
    let Some(compose) = compose() else { return };
    let folder = tempfile::Builder::new().prefix("stroem-compose-").tempdir().expect("a directory");
    let Some(images) = images::Images::build(folder.path(), &["server", "worker", "postgres"]) else {
        return;
    };
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).expect("made");
    for part in ["docker-compose.yaml", "docker", "examples"] {
        let (from, to) = (repository().join(part), copy.join(part));
        run("cp", &["-r", &from.display().to_string(), &to.display().to_string()], "").expect("copied");
    }
    let programs = Programs::new();
    programs.put(
        "docker",
        &format!("docker=$(type -aP docker | sed -n 2p)\nif [ \"$1\" = compose ]; then shift; {compose}; fi\nexec $docker \"$@\""),
    );
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.expect("a free port").port().to_string();
    let project = format!("stroem-{}", images.tag());
    let variables = [
        ("STROEM_PORT", port.as_str()),
        ("STROEM_VERSION", images.tag()),
        ("COMPOSE_PROJECT_NAME", project.as_str()),
    ];
    let _composed = Composed { programs: &programs, folder: &copy, variables: &variables };
    let commands = blocks("docs/deploy/compose.md", "system_the_composed_installation_runs_a_job");
    programs.run(&commands[0], &copy, &variables);
    let printed = programs.run(&commands[1], &copy, &variables);
    assert!(printed.contains("hello") && printed.contains("completed"), "{printed}");
}
