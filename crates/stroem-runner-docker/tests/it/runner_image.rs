//! The image that is released for script steps, as `dev/docker up` builds it here: without the programs that no registry
//! has, which `docker/tools.txt` tells.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use stroem_core::{Language, Mount, Outcome, StepRun};
use stroem_runner::RunRequest;

use crate::support::{Docker, docker, image, script};

const IMAGE: &str = "stroem-test/stroem-runner";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A runner with the image, or the end of the test where there is none. The paths may be mounted.
macro_rules! runner {
    ($($path:expr),*) => {{
        if let Err(error) = docker(&["image", "inspect", "--format", "{{.Id}}", IMAGE]) {
            return stroem_runner::conformance::skip(&format!("there is no {IMAGE} (`dev/docker up`): {error}"));
        }
        Docker::with(|options| {
            options.runner_image = IMAGE.to_owned();
            options.allowed.mounts = vec![$(($path, false)),*];
        })
        .expect("an engine")
    }};
}

fn mount(text: &str) -> Mount {
    text.parse().expect("a mount")
}

/// Name, version, `-` for that of the Debian release, and how the program tells it.
fn tools() -> Vec<(String, String, String)> {
    let table = fs::read_to_string(root().join("docker/tools.txt")).expect("the table");
    let rows = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut tools: Vec<_> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split_whitespace().collect();
            (cells[0].to_owned(), cells[1].to_owned(), cells[6..].join(" "))
        })
        .collect();
    tools.dedup();
    tools
}

/// Tools that the table has no checksum for, whatever their source.
fn without_checksum() -> Vec<String> {
    let table = fs::read_to_string(root().join("docker/tools.txt")).expect("the table");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|row| row.split_whitespace().collect())
        .collect();
    let is_known = |name: &str| rows.iter().any(|row| row[0] == name && (row[2] == "apt" || row[5] != "-"));
    tools().into_iter().map(|(name, ..)| name).filter(|name| !is_known(name)).collect()
}

#[tokio::test]
async fn every_tool_of_the_table_is_in_the_runner_image_in_its_version() {
    let subject = runner!();
    let missing = subject.run(subject.request(script("cat /usr/share/stroem/missing-tools"))).await.stdout;
    let missing: Vec<&str> = missing.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(missing, without_checksum(), "only what nobody could fetch is missing");
    for (name, version, tells) in tools() {
        if missing.contains(&name.as_str()) {
            continue;
        }
        let ran =
            subject.run(subject.request(script(&format!("exec 2>&1; command -v {name} && {tells}")))).await;
        assert_eq!(ran.outcome, Outcome::Succeeded, "{name}: {ran:?}");
        assert!(version == "-" || ran.stdout.contains(&version), "{name} {version}: {ran:?}");
    }
}

#[tokio::test]
async fn yq_of_the_runner_image_reads_and_writes_yaml_json_and_xml() {
    let subject = runner!();
    let text = r#"set -e
        yq --version | grep -o mikefarah/yq
        printf 'a:\n  b: [1, two]\n' > x.yaml
        yq '.a.b[1]' x.yaml
        yq -o json -I 0 . x.yaml
        echo '{"k": {"v": 7}}' | yq -p json -o yaml .
        echo '<k><v>8</v></k>' | yq -p xml -o json -I 0 .
        yq -o xml . x.yaml"#;
    let ran = subject.run(subject.request(script(text))).await;
    let expected = "mikefarah/yq\ntwo\n{\"a\":{\"b\":[1,\"two\"]}}\nk:\n  v: 7\n{\"k\":{\"v\":\"8\"}}\n<a>\n  <b>1</b>\n  <b>two</b>\n</a>\n";
    assert_eq!((ran.stdout.as_str(), &ran.outcome), (expected, &Outcome::Succeeded), "{ran:?}");
}

#[tokio::test]
async fn the_entrypoint_of_the_runner_image_sources_startup_scripts() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("10-first.sh"), "export WHO=first\n").expect("written");
    fs::write(directory.path().join("20-second.sh"), "export WHO=\"$WHO and second\"\n").expect("written");
    fs::write(directory.path().join("30-not-a-script"), "export WHO=nobody\n").expect("written");
    let from = directory.path().display().to_string();
    let subject = runner!(from.clone());
    let mut spec = image(IMAGE);
    spec.command = Some(["sh", "-c", "echo \"$WHO\"; echo $$"].map(str::to_owned).to_vec());
    let mut request = subject.request(StepRun::Image(spec));
    request.spec.container.mounts = vec![mount(&format!("{from}:/etc/stroem/startup.d"))];
    let ran = subject.run(request.clone()).await;
    // The main process is the first one, so that signals reach it.
    assert_eq!(ran.stdout, "first and second\n1\n", "{ran:?}");
    let mut request = subject.request(script("echo \"$WHO\""));
    request.spec.container.mounts = vec![mount(&format!("{from}:/etc/stroem/startup.d"))];
    assert_eq!(subject.run(request).await.stdout, "first and second\n");
}

fn with_workspace(subject: &Docker, text: &str, files: &[(&str, &str)]) -> RunRequest {
    let workspace = subject.path("workspace");
    for (path, text) in files {
        let path = workspace.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    let mut request = subject.request(script(text));
    request.workspace = Some(workspace);
    request
}

#[tokio::test]
async fn a_script_writes_to_its_workspace_whatever_its_user_and_root() {
    let subject = runner!();
    for (user, read_only) in [(None, false), (Some("4713"), false), (None, true), (Some("4713"), true)] {
        let text = "cat sub/file; echo x > new; mkdir made; echo y > sub/file; echo y > \"$HOME/a\"; echo y > \"$TMPDIR/a\"; cat new";
        let mut request = with_workspace(&subject, text, &[("sub/file", "old\n")]);
        request.spec.container.user = user.map(str::to_owned);
        request.spec.container.read_only = read_only;
        let ran = subject.run(request).await;
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("old\nx\n", ""), "{user:?} {read_only}");
    }
}

#[tokio::test]
async fn the_python_example_of_the_page_runs_in_the_runner_image() {
    let wheels = root().join("target/docker/wheelhouse");
    if !wheels.is_dir() {
        return stroem_runner::conformance::skip("there is no target/docker/wheelhouse (`dev/docker up`)");
    }
    let from = wheels.canonicalize().expect("a folder").display().to_string();
    let subject = runner!(from.clone());
    let analyze = "import pandas, requests\n\
                   print(pandas.DataFrame({'a': [1, 2]}).a.sum(), requests.Request('GET', 'http://x').prepare().url)\n";
    let text = "uv pip install pandas requests --system\nuv run python /workspace/scripts/analyze.py\n";
    let mut request = with_workspace(&subject, text, &[("scripts/analyze.py", analyze)]);
    // The wheels come from a folder, as there is no index here.
    request.spec.container.mounts = vec![mount(&format!("{from}:/wheels:ro"))];
    request.spec.env.extend(
        [("UV_FIND_LINKS", "/wheels"), ("UV_OFFLINE", "1")].map(|(a, b)| (a.to_owned(), b.to_owned())),
    );
    let ran = subject.run(request).await;
    assert_eq!((ran.stdout.as_str(), &ran.outcome), ("3 http://x/\n", &Outcome::Succeeded), "{ran:?}");
}

#[tokio::test]
async fn packages_of_a_python_script_are_installed_in_its_container() {
    let wheels = root().join("target/docker/wheelhouse");
    if !wheels.is_dir() {
        return stroem_runner::conformance::skip("there is no target/docker/wheelhouse (`dev/docker up`)");
    }
    let from = wheels.canonicalize().expect("a folder").display().to_string();
    let subject = runner!(from.clone());
    let request = |text: &str| {
        let mut request = subject.request(script(text));
        let StepRun::Script(spec) = &mut request.spec.run else { unreachable!("a script") };
        spec.language = Language::Python;
        spec.dependencies = vec!["requests".to_owned()];
        request.spec.container.mounts = vec![mount(&format!("{from}:/wheels:ro"))];
        let links = [("UV_FIND_LINKS", "/wheels"), ("UV_OFFLINE", "1")];
        request.spec.env.extend(links.map(|(a, b)| (a.to_owned(), b.to_owned())));
        request
    };
    let ran = subject.run(request("import requests\nprint(requests.__name__)\n")).await;
    assert_eq!((ran.stdout.as_str(), &ran.outcome), ("requests\n", &Outcome::Succeeded), "{ran:?}");
    let mut missing = request("print(1)\n");
    let StepRun::Script(spec) = &mut missing.spec.run else { unreachable!("a script") };
    spec.dependencies = vec!["there-is-no-such-package".to_owned()];
    let ran = subject.run(missing).await;
    assert!(matches!(ran.outcome, Outcome::Failed { .. }), "{ran:?}");
    assert!(ran.stderr.contains("there-is-no-such-package"), "{ran:?}");
}

/// A registry of npm packages with one package, on an address that containers reach.
#[expect(clippy::disallowed_methods, reason = "a registry for one test")]
fn registry() -> String {
    let gateway = docker(&["network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"]);
    let listener = TcpListener::bind((gateway.expect("a bridge"), 0)).expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let directory = tempfile::tempdir().expect("a directory");
    let package = directory.path().join("package");
    fs::create_dir(&package).expect("made");
    fs::write(
        package.join("package.json"),
        r#"{"name": "greeting", "version": "1.2.3", "main": "index.js"}"#,
    )
    .expect("written");
    fs::write(package.join("index.js"), "module.exports = (who) => `hello ${who}`;\n").expect("written");
    let tar = Command::new("tar")
        .arg("-C")
        .arg(directory.path())
        .args(["-czf", "-", "package"])
        .output()
        .expect("tar");
    let about = format!(
        r#"{{"name": "greeting", "dist-tags": {{"latest": "1.2.3"}}, "versions": {{"1.2.3": {{"name": "greeting", "version": "1.2.3",
            "dist": {{"tarball": "{address}/greeting/-/greeting-1.2.3.tgz"}}}}}}}}"#
    );
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            serve(stream, about.as_bytes(), &tar.stdout);
        }
    });
    address
}

/// One request of a connection.
fn serve(mut stream: TcpStream, about: &[u8], tar: &[u8]) {
    let mut lines = BufReader::new(stream.try_clone().expect("cloned")).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let _headers = lines.take_while(|line| !line.is_empty()).count();
    let (status, body) = match first.split_whitespace().nth(1) {
        Some("/greeting") => ("200 OK", about),
        Some(path) if path.ends_with(".tgz") => ("200 OK", tar),
        _ => ("404 Not Found", &b"{}"[..]),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

#[tokio::test]
async fn the_typescript_example_of_the_page_runs_in_the_runner_image() {
    let subject = runner!();
    let files = [
        ("package.json", r#"{"name": "reports", "dependencies": {"greeting": "^1.0.0"}}"#),
        (
            "scripts/report.ts",
            "import greet from 'greeting';\nconst who: string = 'reader';\nconsole.log(greet(who));\n",
        ),
    ];
    let text = "cd /workspace\nbun install\nbun run scripts/report.ts\n";
    let mut request = with_workspace(&subject, text, &files);
    request.spec.env.insert("BUN_CONFIG_REGISTRY".to_owned(), registry());
    let ran = subject.run(request).await;
    assert!(ran.stdout.ends_with("hello reader\n") && ran.outcome == Outcome::Succeeded, "{ran:?}");
}

#[tokio::test]
async fn packages_of_a_typescript_script_are_installed_in_its_container() {
    let subject = runner!();
    let mut request =
        subject.request(script("import greet from 'greeting';\nconsole.log(greet('script' as string));\n"));
    let StepRun::Script(spec) = &mut request.spec.run else { unreachable!("a script") };
    spec.language = Language::Typescript;
    spec.dependencies = vec!["greeting@1".to_owned()];
    request.spec.env.insert("BUN_CONFIG_REGISTRY".to_owned(), registry());
    let ran = subject.run(request).await;
    assert!(ran.stdout.ends_with("hello script\n") && ran.outcome == Outcome::Succeeded, "{ran:?}");
}
