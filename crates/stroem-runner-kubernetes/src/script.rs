//! A script step: its containers, and what the wrapper is told, which are texts of the Secret. Nothing of them is in the
//! pod's specification. Pure.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Component, Path},
};

use serde_json::{Map, Value, json};
use stroem_core::{Language, Outcome, ScriptBody, ScriptSpec, limits};
use stroem_runner::{RunRequest, toolchain, words};

use crate::{KubernetesOptions, blueprint::Parts, manifest::STEP, quote};

/// Where the workspace is.
const WORKSPACE: &str = "/workspace";
/// Where the Secret's texts are.
const STEP_DIR: &str = "/stroem/step";
/// Where the step's own folders are, made empty for it.
const RUN_DIR: &str = "/stroem/run";
/// Process 1 of a script's container.
const WRAPPER: &str = include_str!("wrapper.sh");

/// The user of the step reads and writes what the init container unpacked by this group.
const GROUP: u32 = 65_532;
const INIT_SCRIPT: &str = include_str!("init.sh");

pub(crate) fn parts(
    request: &RunRequest,
    options: &KubernetesOptions,
    script: &ScriptSpec,
    (name, nonce): (&str, &str),
    limits: &Value,
) -> Result<Parts, Outcome> {
    let mut texts = texts(request, script, nonce)?;
    let key_paths = |keys: &[(&str, &str)]| -> Value {
        keys.iter().map(|(key, path)| json!({"key": key, "path": path})).collect()
    };
    let file = script_file(script.language);
    let mut items = vec![
        ("wrapper", "wrapper"),
        ("begin", "begin"),
        ("interpreter", "interpreter"),
        ("environment", "environment"),
    ];
    if texts.contains_key("script") {
        items.push(("script", &file));
    }
    let mut volumes = vec![
        json!({"name": "stroem-workspace", "emptyDir": {}}),
        json!({"name": "stroem-run", "emptyDir": {}}),
        json!({"name": "stroem-step", "secret": {"secretName": name, "items": key_paths(&items)}}),
    ];
    let shared = [
        json!({"name": "stroem-workspace", "mountPath": WORKSPACE}),
        json!({"name": "stroem-run", "mountPath": RUN_DIR}),
    ];
    let mut mounts = shared.to_vec();
    mounts.push(json!({"name": "stroem-step", "mountPath": STEP_DIR, "readOnly": true}));
    if let Some(map) = &options.startup_configmap {
        volumes.push(json!({"name": "stroem-startup", "configMap": {"name": map}}));
        mounts
            .push(json!({"name": "stroem-startup", "mountPath": "/etc/stroem/startup.d", "readOnly": true}));
    }
    let step = json!({
        "name": STEP,
        "image": options.runner_image,
        "imagePullPolicy": options.defaults.pull_policy,
        "command": ["sh", format!("{STEP_DIR}/wrapper")],
        "workingDir": WORKSPACE,
        "resources": limits,
        "securityContext": {"allowPrivilegeEscalation": false},
        "volumeMounts": mounts,
    });
    let mut containers = Map::new();
    containers.insert("securityContext".to_owned(), json!({ "fsGroup": GROUP }));
    if let Some(download) = &request.download {
        let url = format!("{}{}", options.server_url, download.path);
        texts.insert("curl".to_owned(), curl_config(&url, download.token.expose()));
        volumes.push(json!({
            "name": "stroem-download", "secret": {"secretName": name, "items": key_paths(&[("curl", "curl")])},
        }));
        let mut mounts = shared.to_vec();
        mounts.push(json!({"name": "stroem-download", "mountPath": "/stroem/download", "readOnly": true}));
        let init = json!({
            "name": "stroem-workspace",
            "image": options.init_image,
            "imagePullPolicy": options.defaults.pull_policy,
            "command": ["sh", "-c", INIT_SCRIPT],
            "resources": limits,
            "securityContext": {"allowPrivilegeEscalation": false},
            "volumeMounts": mounts,
        });
        containers.insert("initContainers".to_owned(), json!([init]));
    }
    containers.insert("containers".to_owned(), json!([step]));
    Ok(Parts { containers, volumes, texts })
}

/// The texts by their names.
fn texts(
    request: &RunRequest,
    script: &ScriptSpec,
    nonce: &str,
) -> Result<BTreeMap<String, String>, Outcome> {
    if !script.dependencies.is_empty() {
        return Err(invalid("dependencies: the kubernetes runner cannot install packages yet"));
    }
    let workdir = request.spec.workdir.as_deref();
    workdir.map(|path| check_inside(path, "workdir")).transpose()?;
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |name: &str, text: String| drop(texts.insert(name.to_owned(), text));
    let source = match &script.body {
        ScriptBody::Inline(text) => {
            put("script", text.clone());
            ""
        }
        ScriptBody::File(path) => {
            check_inside(path, "source")?;
            path
        }
    };
    put("wrapper", WRAPPER.to_owned());
    put("begin", begin(request, script, nonce, workdir.unwrap_or_default(), source));
    put("interpreter", interpreter(script)?);
    put("environment", environment(request)?);
    if texts.values().any(|text| text.contains('\0')) {
        return Err(invalid("script, args and env cannot hold a zero byte"));
    }
    Ok(texts)
}

/// The file of an inline script.
fn script_file(language: Language) -> String {
    format!("script{}", language.file_ending())
}

fn begin(request: &RunRequest, script: &ScriptSpec, nonce: &str, workdir: &str, source: &str) -> String {
    let grace = request.grace.as_duration().as_secs_f64();
    let script_path = format!("{STEP_DIR}/{}", script_file(script.language));
    let limit = limits::STEP_OUTPUT.as_bytes() + 1;
    let mut text = String::new();
    for (name, value) in [
        ("nonce", nonce),
        ("grace", &grace.to_string()),
        ("workspace", WORKSPACE),
        ("run", RUN_DIR),
        ("output", &format!("{RUN_DIR}/output")),
        ("output_limit", &limit.to_string()),
        ("workdir", workdir),
        ("source", source),
        ("script", &script_path),
    ] {
        line(&mut text, &format!("{name}={}", quote::word(value)));
    }
    if let Some(path) = variables(request).get("PATH") {
        line(&mut text, &format!("path={}", quote::word(path)));
    }
    line(&mut text, &format!("set -- {}", quote::words(&script.args)));
    text
}

fn interpreter(script: &ScriptSpec) -> Result<String, Outcome> {
    let mut text = String::new();
    if let Some(written) = &script.interpreter {
        let words = words::split(written).map_err(|error| invalid(&format!("interpreter: {error}")))?;
        let (program, arguments) =
            words.split_first().ok_or_else(|| invalid("interpreter: it names no program"))?;
        let missing = quote::word(&format!("interpreter: the image has no program `{program}`"));
        line(&mut text, &format!("find {} || fail {missing}", quote::word(program)));
        line(&mut text, &format!("set -- \"$program\" {} \"$@\"", quote::words(arguments)));
        return Ok(text);
    }
    let (language, names) = (script.language.as_str(), script.language.toolchains());
    let missing = format!("no program for {language} scripts in the image: looked for {}", names.join(", "));
    for (index, name) in names.iter().enumerate() {
        let branch = if index == 0 { "if" } else { "elif" };
        let arguments = quote::words(toolchain::arguments(name));
        line(&mut text, &format!("{branch} find {name}; then set -- \"$program\" {arguments} \"$@\""));
    }
    line(&mut text, &format!("else fail {}; fi", quote::word(&missing)));
    Ok(text)
}

fn environment(request: &RunRequest) -> Result<String, Outcome> {
    let variables = variables(request);
    let mut words = Vec::with_capacity(variables.len() + 1);
    if !variables.contains_key("PATH") {
        words.push("\"PATH=$path\"".to_owned());
    }
    for (name, value) in &variables {
        if name.is_empty() || name.contains('=') {
            return Err(invalid(&format!("env: `{name}` cannot be the name of a variable")));
        }
        words.push(quote::word(&format!("{name}={value}")));
    }
    Ok(format!("set -- {} \"$@\"\n", words.join(" ")))
}

/// All variables of a script but the image's `PATH`. Later sources win.
fn variables(request: &RunRequest) -> BTreeMap<String, String> {
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    let basics = [
        ("LANG", "C.UTF-8".to_owned()),
        ("HOME", format!("{RUN_DIR}/home")),
        ("TMPDIR", format!("{RUN_DIR}/tmp")),
    ];
    let places =
        [("STROEM_WORKSPACE_DIR", WORKSPACE.to_owned()), ("STROEM_OUTPUT", format!("{RUN_DIR}/output"))];
    let mut all: BTreeMap<String, String> = basics.map(owned).into();
    let given = request.passed_env.iter().chain(&request.spec.env);
    all.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    all.extend(request.reserved_env().map(owned));
    all.extend(places.map(owned));
    all
}

/// What can be said of a path without the workspace; links are checked in the pod.
fn check_inside(path: &str, key: &str) -> Result<(), Outcome> {
    let inside =
        Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if inside { Ok(()) } else { Err(invalid(&format!("{key}: `{path}` is not a path inside the workspace"))) }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes everything");
}

fn curl_config(url: &str, token: &str) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let header = format!("Authorization: Bearer {token}");
    format!(
        "url = {}\nheader = {}\nfail\nsilent\nshow-error\nlocation\nconnect-timeout = 10\n",
        quoted(url),
        quoted(&header)
    )
}

pub(crate) fn invalid(message: &str) -> Outcome {
    Outcome::InvalidInput { message: message.to_owned() }
}
