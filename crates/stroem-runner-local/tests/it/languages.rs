//! Every language with each of its toolchains that this host has, and packages installed for it. The packages are made
//! here, so that no registry has to answer.

use std::{fs, path::Path, process::Command};

use stroem_core::{Language, Outcome, StepRun};
use stroem_runner::{RunRequest, conformance::skip};

use crate::support::{Local, Ran, path, request};

/// A script that prints its arguments and the packages' word.
struct Case {
    language: Language,
    /// The program that shall run it.
    program: &'static str,
    /// Further programs that it needs.
    helpers: &'static [&'static str],
    plain: &'static str,
    packaged: &'static str,
}

const JAVASCRIPT: &str = "console.log(['hi'].concat(process.argv.slice(2)).join('|'))";
const JAVASCRIPT_PACKAGED: &str = "const word = require('stroem-word');\nconsole.log(word)";
const TYPESCRIPT: &str =
    "const all: string[] = ['hi'].concat(process.argv.slice(2));\nconsole.log(all.join('|'))";
const TYPESCRIPT_PACKAGED: &str =
    "import word from 'stroem-word';\nconst text: string = word;\nconsole.log(text)";
const PYTHON: &str = "import sys\nprint('|'.join(['hi'] + sys.argv[1:]))";
const PYTHON_PACKAGED: &str = "import stroem_word\nprint(stroem_word.WORD)";
const GO: &str = "package main\nimport (\"fmt\"; \"os\"; \"strings\")\nfunc main() { fmt.Println(strings.Join(append([]string{\"hi\"}, os.Args[1:]...), \"|\")) }";
const GO_PACKAGED: &str =
    "package main\nimport (\"fmt\"; \"example.com/word\")\nfunc main() { fmt.Println(word.Word) }";

const CASES: &[Case] = &[
    case(Language::Python, "uv", &["python3"], [PYTHON, PYTHON_PACKAGED]),
    case(Language::Python, "python3", &[], [PYTHON, PYTHON_PACKAGED]),
    case(Language::Javascript, "bun", &["tar"], [JAVASCRIPT, JAVASCRIPT_PACKAGED]),
    case(Language::Javascript, "node", &["npm", "tar"], [JAVASCRIPT, JAVASCRIPT_PACKAGED]),
    case(Language::Typescript, "bun", &["tar"], [TYPESCRIPT, TYPESCRIPT_PACKAGED]),
    case(Language::Go, "go", &["python3"], [GO, GO_PACKAGED]),
];

const fn case(
    language: Language,
    program: &'static str,
    helpers: &'static [&'static str],
    [plain, packaged]: [&'static str; 2],
) -> Case {
    Case { language, program, helpers, plain, packaged }
}

/// A directory with links to the shell's programs and to nothing else of this host but those that are named, so that no
/// preferred toolchain is there.
fn only(local: &Local, case: &Case) -> Option<String> {
    let bin = local.path("bin");
    fs::create_dir_all(&bin).expect("made");
    let host = path();
    let find = |name: &str| host.split(':').map(|dir| Path::new(dir).join(name)).find(|file| file.is_file());
    for name in [case.program].iter().chain(case.helpers) {
        let Some(file) = find(name) else {
            skip(&format!("`{name}` for {} scripts is not on the path", case.language.as_str()));
            return None;
        };
        // A program may look for its own files from where it lies, so it is called there.
        let file = if *name == "python3" { python(&file) } else { file.display().to_string() };
        let text = format!("#!/bin/sh\nexec '{file}' \"$@\"\n");
        fs::write(bin.join(name), text).expect("written");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(bin.join(name), executable).expect("ours");
    }
    let shell = "sh bash mkdir rm mv ln cp mktemp touch cksum tr cat env dirname basename uname sed";
    for name in shell.split(' ') {
        if let Some(file) = find(name)
            && !bin.join(name).exists()
        {
            std::os::unix::fs::symlink(file, bin.join(name)).expect("linked");
        }
    }
    Some(bin.to_string_lossy().into_owned())
}

/// Python itself: what is on the path may be a script that chooses one, with programs that are not among those of the shell.
fn python(file: &Path) -> String {
    let asked = Command::new(file).args(["-c", "import sys; print(sys.executable)"]).output();
    String::from_utf8(asked.expect("it starts").stdout).expect("a path").trim().to_owned()
}

async fn run(local: &Local, number: u8, bin: &str, request_of: impl FnOnce(RunRequest) -> RunRequest) -> Ran {
    let request = request(number, local.path(&format!("s{number}")), Language::Shell, "");
    let mut request = request_of(request);
    request.packages = local.path("packages");
    request.spec.env.insert("PATH".to_owned(), bin.to_owned());
    local.run(request).await
}

fn script(request: &mut RunRequest) -> &mut stroem_core::ScriptSpec {
    match &mut request.spec.run {
        StepRun::Script(script) => script,
        other => panic!("no script: {other:?}"),
    }
}

fn with(mut request: RunRequest, language: Language, text: &str) -> RunRequest {
    let script = script(&mut request);
    script.language = language;
    script.body = stroem_core::ScriptBody::Inline(text.to_owned());
    request
}

#[tokio::test]
async fn scripts_of_every_language_get_their_arguments() {
    for (case, number) in CASES.iter().zip(1..) {
        let local = Local::new();
        let Some(bin) = only(&local, case) else { continue };
        let ran = run(&local, number, &bin, |request| {
            let mut request = with(request, case.language, case.plain);
            script(&mut request).args = vec!["a b".to_owned(), "c'd".to_owned()];
            request
        })
        .await;
        let at = format!("{} by {}: {ran:?}", case.language.as_str(), case.program);
        assert_eq!(ran.outcome, Outcome::Succeeded, "{at}");
        assert_eq!(ran.stdout.trim_end(), "hi|a b|c'd", "{at}");
    }
}

#[tokio::test]
async fn what_go_compiled_is_kept_for_the_steps_of_a_worker() {
    let local = Local::new();
    let case = CASES.iter().find(|case| case.program == "go").expect("a case");
    let Some(bin) = only(&local, case) else { return };
    for number in [81, 82] {
        let ran = run(&local, number, &bin, |request| with(request, case.language, case.plain)).await;
        assert_eq!(ran.outcome, Outcome::Succeeded, "{ran:?}");
        assert!(local.path("packages/go/build").is_dir());
        let own = local.path(&format!("s{number}/home/.cache"));
        assert!(!own.exists(), "nothing is compiled into a step's own home");
    }
}

#[tokio::test]
async fn packages_are_installed_once_for_the_steps_of_a_worker() {
    for (case, number) in CASES.iter().zip(21..) {
        let local = Local::new();
        let Some(bin) = only(&local, case) else { continue };
        let source = Source::make(&local, case);
        for attempt in 0..2 {
            let ran = run(&local, number + 20 * attempt, &bin, |request| {
                let mut request = with(request, case.language, case.packaged);
                script(&mut request).dependencies = vec![source.dependency.clone()];
                request.spec.env.extend(source.env.iter().cloned());
                request
            })
            .await;
            let at = format!("{} by {}, attempt {attempt}: {ran:?}", case.language.as_str(), case.program);
            assert_eq!(ran.outcome, Outcome::Succeeded, "{at}");
            assert!(ran.stdout.trim_end().ends_with("found"), "{at}");
            // What the second one needs was kept by the first one. Only uv looks at where it came from again.
            if case.program != "uv" {
                source.remove();
            }
        }
    }
}

#[tokio::test]
async fn a_package_that_is_not_there_fails_the_step_with_the_managers_words() {
    for (case, number) in CASES.iter().zip(61..) {
        let local = Local::new();
        let Some(bin) = only(&local, case) else { continue };
        let source = Source::make(&local, case);
        source.remove();
        let ran = run(&local, number, &bin, |request| {
            let mut request = with(request, case.language, case.packaged);
            script(&mut request).dependencies = vec![source.dependency.clone()];
            request.spec.env.extend(source.env.iter().cloned());
            request
        })
        .await;
        let at = format!("{} by {}: {ran:?}", case.language.as_str(), case.program);
        assert!(matches!(ran.outcome, Outcome::Failed { .. }), "{at}");
        let left = fs::read_dir(local.path("packages")).into_iter().flatten().flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        assert!(!left.iter().any(|name| name.starts_with("new-")), "{at}: {left:?}");
    }
}

/// A package and where it lies.
struct Source {
    dependency: String,
    env: Vec<(String, String)>,
    place: std::path::PathBuf,
}

impl Source {
    fn make(local: &Local, case: &Case) -> Self {
        let place = local.path("source");
        fs::create_dir_all(&place).expect("made");
        let (dependency, env) = match case.language {
            Language::Python => {
                (wheel(&place), vec![("UV_OFFLINE", "1".to_owned()), ("PIP_NO_INDEX", "1".to_owned())])
            }
            Language::Go => {
                go_module(&place);
                let env = [
                    ("GOPROXY", format!("file://{}", place.display())),
                    ("GOSUMDB", "off".to_owned()),
                    ("GOFLAGS", "-mod=mod -modcacherw".to_owned()),
                ];
                ("example.com/word@v1.0.0".to_owned(), env.to_vec())
            }
            _ => (tarball(&place), vec![]),
        };
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { dependency, env, place }
    }

    fn remove(&self) {
        // A second time it is gone already.
        let _ = fs::remove_dir_all(&self.place);
    }
}

fn tool(program: &str, arguments: &[&str], dir: &Path) {
    let status = Command::new(program).args(arguments).current_dir(dir).status().expect("it starts");
    assert!(status.success(), "{program} {arguments:?}");
}

/// A wheel by hand: a zip file with a module and its metadata.
fn wheel(dir: &Path) -> String {
    let meta = dir.join("stroem_word-1.0.dist-info");
    fs::create_dir_all(&meta).expect("made");
    fs::write(dir.join("stroem_word.py"), "WORD = 'found'\n").expect("written");
    fs::write(meta.join("METADATA"), "Metadata-Version: 2.1\nName: stroem-word\nVersion: 1.0\n")
        .expect("written");
    fs::write(meta.join("WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        .expect("written");
    let files = ["stroem_word.py", "stroem_word-1.0.dist-info/METADATA", "stroem_word-1.0.dist-info/WHEEL"];
    let record: String = files.iter().map(|file| format!("{file},,\n")).collect();
    fs::write(meta.join("RECORD"), format!("{record}stroem_word-1.0.dist-info/RECORD,,\n")).expect("written");
    let name = "stroem_word-1.0-py3-none-any.whl";
    tool("python3", &["-m", "zipfile", "-c", name, "stroem_word.py", "stroem_word-1.0.dist-info"], dir);
    dir.join(name).to_string_lossy().into_owned()
}

fn tarball(dir: &Path) -> String {
    let package = dir.join("package");
    fs::create_dir_all(&package).expect("made");
    let json = r#"{"name": "stroem-word", "version": "1.0.0", "main": "index.js"}"#;
    fs::write(package.join("package.json"), json).expect("written");
    fs::write(package.join("index.js"), "module.exports = 'found';\n").expect("written");
    tool("tar", &["-czf", "stroem-word-1.0.0.tgz", "package"], dir);
    dir.join("stroem-word-1.0.0.tgz").to_string_lossy().into_owned()
}

/// A module as a module proxy keeps it.
fn go_module(dir: &Path) {
    let (versions, files) = (dir.join("example.com/word/@v"), dir.join("example.com/word@v1.0.0"));
    fs::create_dir_all(&versions).expect("made");
    fs::create_dir_all(&files).expect("made");
    fs::write(files.join("go.mod"), "module example.com/word\n").expect("written");
    fs::write(files.join("word.go"), "package word\n\nconst Word = \"found\"\n").expect("written");
    fs::write(versions.join("list"), "v1.0.0\n").expect("written");
    fs::write(versions.join("v1.0.0.info"), r#"{"Version": "v1.0.0"}"#).expect("written");
    fs::write(versions.join("v1.0.0.mod"), "module example.com/word\n").expect("written");
    let zip = versions.join("v1.0.0.zip");
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w')\nfor name in sys.argv[2:]: z.write(name)\nz.close()";
    let names = ["example.com/word@v1.0.0/go.mod", "example.com/word@v1.0.0/word.go"];
    tool("python3", &[&["-c", script, &zip.to_string_lossy()], &names[..]].concat(), dir);
}
