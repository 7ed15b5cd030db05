//! The images of server and worker, with programs that were built before, and with each other.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{STROEM, System, folder, wait_for};

const RUNNER: &str = "stroem-test/stroem-runner";

fn docker(arguments: &[&str]) -> Result<String, String> {
    let ran = Command::new("docker").args(arguments).env("DOCKER_BUILDKIT", "0").output();
    let ran = ran.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if ran.status.success() { Ok(text(&ran.stdout)) } else { Err(text(&ran.stderr)) }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a build needs of the repository, the programs built before.
fn context() -> Result<tempfile::TempDir, String> {
    let context = tempfile::tempdir().expect("a directory");
    let (from, to) = (root().join("docker"), context.path().join("docker"));
    fs::create_dir_all(context.path().join("prebuilt/page")).expect("made");
    fs::write(context.path().join("prebuilt/page/index.html"), "<!doctype html>\n").expect("written");
    fs::create_dir(&to).expect("made");
    for name in ["tools", "tools.txt", "entrypoint", "program"] {
        fs::copy(from.join(name), to.join(name)).expect("copied");
    }
    for name in ["stroem-worker", "stroem-server"] {
        let built = Path::new(STROEM).with_file_name(name);
        if !built.exists() {
            return Err(format!("{name} is not built (`cargo build --workspace`)"));
        }
        let small = context.path().join("prebuilt").join(name);
        let stripped = Command::new("strip").arg("-o").arg(&small).arg(&built).status();
        if !stripped.is_ok_and(|status| status.success()) {
            fs::copy(&built, &small).expect("copied");
        }
    }
    Ok(context)
}

/// Containers, images and a network that end with the test.
struct Things {
    name: String,
}

impl Things {
    fn build(&self, part: &str, context: &Path) {
        let file = root().join("docker").join(part).join("Dockerfile");
        let (file, tag) = (file.display().to_string(), self.of(part));
        let mut arguments =
            vec!["build", "-q", "-f", &file, "-t", &tag, "--build-arg", "RUNNER=stroem-test/stroem-runner"];
        arguments.extend(["--build-arg", "RUST=debian:bookworm"]);
        if part == "server" {
            arguments.extend(["--build-arg", "NODE=debian:bookworm", "--build-arg", "BASE=debian:bookworm"]);
        }
        let context = context.display().to_string();
        arguments.push(&context);
        docker(&arguments).expect("the image is built");
    }

    fn of(&self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }

    /// Starts a container of an image with this configuration, below `/etc/stroem/test`; its address.
    fn start(&self, part: &str, config: &str, files: &Path) -> String {
        fs::write(files.join(format!("{part}.yaml")), config).expect("written");
        let (name, mount) = (self.of(part), format!("{}:/etc/stroem/test:ro", files.display()));
        let startup = format!("{}/startup.d:/etc/stroem/startup.d:ro", files.display());
        let file = format!("STROEM_CONFIG=/etc/stroem/test/{part}.yaml");
        docker(&[
            "run",
            "-d",
            "--name",
            &name,
            "--network",
            &self.name,
            "-v",
            &mount,
            "-v",
            &startup,
            "-e",
            &file,
            &name,
        ])
        .expect("it starts");
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        docker(&["inspect", "--format", format, &name]).expect("an address")
    }
}

impl Drop for Things {
    fn drop(&mut self) {
        for part in ["worker", "server"] {
            let name = self.of(part);
            let _ = docker(&["rm", "-f", "-v", &name]);
            let _ = docker(&["rmi", "-f", &name]);
        }
        let _ = docker(&["network", "rm", &self.name]);
    }
}

#[tokio::test]
async fn system_the_images_of_server_and_worker_run_a_job_and_the_worker_has_the_tools() {
    if let Err(error) = docker(&["image", "inspect", "--format", "{{.Id}}", RUNNER]) {
        return stroem_runner::conformance::skip(&format!("there is no {RUNNER} (`dev/docker up`): {error}"));
    }
    let context = match context() {
        Ok(context) => context,
        Err(reason) => return stroem_runner::conformance::skip(&reason),
    };
    let things = Things { name: format!("stroem-test-{}", std::process::id()) };
    things.build("worker", context.path());
    things.build("server", context.path());
    docker(&["network", "create", &things.name]).expect("a network");
    let table = fs::read_to_string(root().join("docker/tools.txt")).expect("the table");
    let names = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let names: Vec<&str> = names.filter_map(|row| row.split_whitespace().next()).collect();
    let script = format!(
        "for t in {}; do command -v $t > /dev/null || grep -q ^$t: /usr/share/stroem/missing-tools || exit 1; done; echo \"OUTPUT: \\\"$WHO\\\"\"",
        names.join(" ")
    );
    let workspace = folder(&format!(
        "tasks:\n  main:\n    flow:\n      tools:\n        type: script\n        script: |\n          {script}\n      \
         python: {{type: script, language: python, script: 'print(\"OUTPUT: 7\")'}}\n"
    ));
    // A start-up script is sourced by the entrypoint, so what it exports can be passed on.
    fs::create_dir(workspace.path().join("startup.d")).expect("made");
    fs::write(workspace.path().join("startup.d/10-who.sh"), "export WHO=startup\n").expect("written");
    let server = "listen: 0.0.0.0:8080\nallow_unauthenticated: true\nworker_token: t0ken\ndata_dir: /var/stroem/data\n\
                  workspaces:\n  default: {path: /etc/stroem/test}\n";
    let address = things.start("server", server, workspace.path());
    let worker = format!(
        "server_url: http://{address}:8080\nworker_token: t0ken\nworker_name: w1\nworkspace_cache_dir: /var/stroem/cache\npass_env: [WHO]\n"
    );
    let system = System::of_server_at(&format!("http://{address}:8080"));
    wait_for("the server answers", async || system.client.health().await.is_ok()).await;
    things.start("worker", &worker, workspace.path());
    let job = system.execute("main").await;
    let detail = serde_json::to_value(system.ended(job).await).expect("JSON");
    assert_eq!(detail["status"], "completed", "{detail:#}");
    assert_eq!(
        (&detail["steps"][0]["output"], &detail["steps"][1]["output"]),
        (&"startup".into(), &7.into()),
        "{detail:#}"
    );
}
