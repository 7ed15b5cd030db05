//! Conditions, inputs and specs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use stroem_core::{ScriptBody, StepRun, StepSpec, StepStatus};
use stroem_workflow::{RenderError, Scope, StepResult, Visibility, Workspace, render};

use crate::healthy;

struct Job {
    workspace: Workspace,
    input: Map<String, Value>,
    results: BTreeMap<u32, StepResult>,
}

impl Job {
    fn new(text: &str, input: Value) -> Self {
        let workspace = healthy(text);
        let Value::Object(input) = input else { panic!("an input is a map") };
        let plan = workspace.plan("t").expect("a plan");
        let input = workspace.check_input(&plan, &input).expect("a good input");
        Self { workspace, input, results: BTreeMap::new() }
    }

    fn with_output(mut self, step: u32, output: Value) -> Self {
        self.results
            .insert(step, StepResult { status: StepStatus::Completed, output: Some(output), error: None });
        self
    }

    fn skipped(mut self, step: u32) -> Self {
        self.results.insert(step, StepResult { status: StepStatus::Skipped, output: None, error: None });
        self
    }

    fn with<T>(&self, hidden: bool, work: impl FnOnce(Scope<'_>) -> T) -> T {
        let plan = self.workspace.plan("t").expect("a plan");
        let visibility =
            if hidden { Visibility::Hidden } else { Visibility::Revealed(&self.workspace.secrets) };
        work(Scope { plan: &plan, job_input: &self.input, results: &self.results, visibility })
    }

    fn condition(&self, step: u32) -> Result<bool, RenderError> {
        self.with(true, |scope| render::condition(scope, step))
    }

    fn input(&self, step: u32) -> Value {
        Value::Object(self.with(true, |scope| render::step_input(scope, step)).expect("renders"))
    }

    fn spec(&self, step: u32) -> StepSpec {
        self.with(false, |scope| render::step_spec(scope, step)).expect("renders")
    }

    fn script(&self, step: u32) -> String {
        let StepRun::Script(script) = self.spec(step).run else { panic!("not a script") };
        let ScriptBody::Inline(text) = script.body else { panic!("not inline") };
        text
    }
}

fn one_step(keys: &str) -> String {
    format!("tasks:\n  t:\n    flow:\n      x:\n        type: script\n        script: 'true'\n{keys}")
}

/// What one template gives as a value of the step's input.
fn value(template: &str, input: Value) -> Value {
    let quoted = template.replace('\'', "''");
    Job::new(&one_step(&format!("        input: {{ v: '{quoted}' }}\n")), input).input(0)["v"].clone()
}

fn failure(template: &str, input: Value) -> String {
    let quoted = template.replace('\'', "''");
    let job = Job::new(&one_step(&format!("        input: {{ v: '{quoted}' }}\n")), input);
    job.with(true, |scope| render::step_input(scope, 0)).expect_err("fails").to_string()
}

#[test]
fn a_template_that_is_one_expression_keeps_its_type() {
    for (template, input, expected) in [
        ("{{ input.count }}", json!({ "count": 3 }), json!(3)),
        ("{{ input.flag }}", json!({ "flag": true }), json!(true)),
        ("{{ input.list }}", json!({ "list": [1, "a", null] }), json!([1, "a", null])),
        ("{{ input.map }}", json!({ "map": { "z": 1, "a": [true] } }), json!({ "z": 1, "a": [true] })),
        ("{{ input.count + 1 }}", json!({ "count": 3 }), json!(4)),
        ("{{ input.none }}", json!({ "none": null }), json!(null)),
        ("{{ input.count }} items", json!({ "count": 3 }), json!("3 items")),
        ("{{ input.a }}{{ input.b }}", json!({ "a": 1, "b": 2 }), json!("12")),
        ("{{ input.flag }}!", json!({ "flag": true }), json!("true!")),
        ("{{ input.none }}!", json!({ "none": null }), json!("!")),
        ("{{ input.map }}!", json!({ "map": { "a": [1] } }), json!("{\"a\":[1]}!")),
        ("no template", json!({}), json!("no template")),
        ("{{ {\"a\": {\"b\": 1}} }}", json!({}), json!({ "a": { "b": 1 } })),
    ] {
        assert_eq!(value(template, input), expected, "{template}");
    }
}

#[test]
fn filters_take_the_spellings_of_jinja_and_tera() {
    let input = json!({ "t": "Hello World", "l": ["b", "a"], "m": { "k": 1 }, "d": "2026-01-31T10:20:30Z" });
    for (template, expected) in [
        ("{{ input.x | default(value=\"y\") }}", json!("y")),
        ("{{ input.x | default(\"y\") }}", json!("y")),
        ("{{ input.x.y | default(1) if input.x else 2 }}", json!(2)),
        ("{{ input.m | json_encode }}", json!("{\"k\":1}")),
        ("{{ input.m | json_encode(pretty=true) }}", json!("{\n  \"k\": 1\n}")),
        ("{{ input.t | truncate(length=5) }}", json!("Hello…")),
        ("{{ input.t | truncate(length=5, end=\"\") }}", json!("Hello")),
        ("{{ input.t | split(pat=\" \") }}", json!(["Hello", "World"])),
        ("{{ input.t | split(\" \") | last }}", json!("World")),
        ("{{ input.t | replace(from=\"o\", to=\"0\") }}", json!("Hell0 W0rld")),
        ("{{ input.t | replace(\"o\", \"0\") }}", json!("Hell0 W0rld")),
        ("{{ input.l | join(sep=\"-\") }}", json!("b-a")),
        ("{{ input.l | join(\"-\") }}", json!("b-a")),
        ("{{ input.l | sort | first }}", json!("a")),
        ("{{ input.l | nth(n=1) }}", json!("a")),
        ("{{ input.l | length }}", json!(2)),
        ("{{ input.m | get(key=\"k\") }}", json!(1)),
        ("{{ input.m | get(key=\"z\", default=7) }}", json!(7)),
        ("{{ input.t | upper | lower | trim }}", json!("hello world")),
        ("{{ input.t | slugify }}", json!("hello-world")),
        ("{{ input.d | date(format=\"%d.%m.%Y %H:%M\") }}", json!("31.01.2026 10:20")),
        ("{{ input.t is containing(\"World\") }}", json!(true)),
        ("{{ input.l is containing(\"z\") }}", json!(false)),
        ("{{ input.t is starting_with(\"He\") }}", json!(true)),
        ("{{ input.x is defined }}", json!(false)),
        ("{{ true | string }}", json!("true")),
    ] {
        assert_eq!(value(template, input.clone()), expected, "{template}");
    }
}

#[test]
fn an_undefined_value_is_an_error_that_names_it() {
    for (template, words) in [
        ("{{ input.nmae }}", "input.v: `input.nmae` is not defined"),
        ("hi {{ input.nmae }}", "input.nmae"),
        ("{{ input.nmae | upper }}", "input.nmae"),
        ("{{ input.a.b.c }}", "input.a"),
        ("{% for x in input.list %}{{ x }}{% endfor %}", "input.list"),
    ] {
        let message = failure(template, json!({}));
        assert!(message.contains(words), "{template}: {message}");
    }
    assert_eq!(value("{% if input.flag %}a{% else %}b{% endif %}", json!({})), json!("b"));
}

#[test]
fn endless_templates_run_out_of_fuel() {
    for template in [
        "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ \"x\" * 100000000 }}",
        "{% set x = \"xxxxxxxxxx\" %}{% for i in range(1000) %}{{ x * 100000 }}{% endfor %}",
    ] {
        failure(template, json!({}));
    }
}

#[test]
fn the_documented_words_are_false() {
    for (when, expected) in [
        ("\"\"", false),
        ("false", false),
        ("\"False\"", false),
        ("0", false),
        ("\"null\"", false),
        ("\"NONE\"", false),
        ("\"{{ input.flag }}\"", false),
        ("\"{{ input.list }}\"", false),
        ("\"{{ input.none }}\"", false),
        ("\"{{ input.count > 2 }}\"", true),
        ("\"{{ input.count }}\"", true),
        ("\"{{ 'no' }}\"", true),
        ("true", true),
        ("\"  \"", false),
    ] {
        let input = json!({ "flag": false, "list": [], "none": null, "count": 3 });
        let job = Job::new(&one_step(&format!("        when: {when}\n")), input);
        assert_eq!(job.condition(0), Ok(expected), "{when}");
    }
    let job = Job::new(&one_step("        when: \"{{ input.x.y }}\"\n"), json!({}));
    assert_eq!(job.condition(0).expect_err("fails").place, "when");
}

const CHAIN: &str = "
tasks:
  t:
    flow:
      build-it: { type: script, script: make }
      use:
        type: script
        depends_on: [build-it]
        when: \"{{ build_it.output.ok | default(true) }}\"
        input: { path: '{{ steps[\"build-it\"].output.path | default(\"none\") }}' }
        script: |
          use {{ input.path }} {{ build_it.error | default(\"fine\") }}
";

#[test]
fn results_of_dependencies_are_visible_and_a_skipped_one_takes_the_default() {
    let job = Job::new(CHAIN, json!({})).with_output(0, json!({ "path": "a.out", "ok": true }));
    assert_eq!(job.input(1), json!({ "path": "a.out" }));
    assert_eq!(job.script(1), "use a.out fine\n");
    let job = Job::new(CHAIN, json!({})).skipped(0);
    assert_eq!(job.condition(1), Ok(true));
    assert_eq!(job.script(1), "use none fine\n");
}

#[test]
fn an_inline_body_sees_the_jobs_input_with_the_steps_over_it() {
    let text = "
tasks:
  t:
    flow:
      x:
        type: script
        input: { a: step }
        script: '{{ input.a }} {{ input.b }}'
";
    assert_eq!(Job::new(text, json!({ "a": "job", "b": "job" })).script(0), "step job");
}

const ACTION: &str = "
secrets: { token: s3cr3t-token }
actions:
  call:
    type: script
    input:
      name: { type: string, required: true }
      count: { type: integer, default: 2 }
      token: { type: string, secret: true, default: '{{ secret.token }}' }
    env: { COUNT: '{{ input.count }}', TOKEN: '{{ input.token }}' }
    args: ['{{ input.name }}', 7]
    workdir: sub
    script: call
tasks:
  t:
    input:
      name: { type: string }
    flow:
      x: { action: call, input: { name: '{{ input.name }}' } }
";

#[test]
fn an_actions_schema_gives_defaults_and_is_enforced() {
    let job = Job::new(ACTION, json!({ "name": "n" }));
    assert_eq!(job.input(0), json!({ "name": "n", "count": 2, "token": { "$secret": "token" } }));
    let spec = job.spec(0);
    assert_eq!(spec.env["COUNT"], "2");
    assert_eq!(spec.env["TOKEN"], "s3cr3t-token");
    assert_eq!(spec.workdir.as_deref(), Some("sub"));
    let StepRun::Script(script) = spec.run else { panic!("not a script") };
    assert_eq!(script.args, ["n", "7"]);
    let job = Job::new(ACTION, json!({}));
    let error = job.with(true, |scope| render::step_input(scope, 0)).expect_err("no name");
    assert_eq!(error.place, "input.name");
}

const SECRETS: &str = "
secrets:
  token: s3cr3t-token
  database: { password: hunter22 }
tasks:
  t:
    input:
      password: { type: string, secret: true }
      name: { type: string, default: n }
    flow:
      x:
        type: script
        input:
          whole: '{{ secret.database.password }}'
          item: '{{ secret[\"token\"] }}'
          inside: 'x {{ secrets.token }}'
          own: '{{ input.password }}'
          filtered: '{{ input.password | upper }}'
          all: '{{ input | json_encode }}'
          open: '{{ input.name }}'
          nested: { list: ['{{ secret.token }}'] }
        env: { P: '{{ input.own }}', T: '{{ input.inside }}' }
        script: 'true'
";

#[test]
fn hidden_rendering_never_shows_a_secret() {
    let job = Job::new(SECRETS, json!({ "password": "pa55word" }));
    let input = job.input(0);
    assert_eq!(
        input,
        json!({
            "whole": { "$secret": "database.password" },
            "item": { "$secret": "token" },
            "inside": "••••••",
            "own": { "$secret": "input.password" },
            "filtered": "••••••",
            "all": "••••••",
            "open": "n",
            "nested": { "list": [{ "$secret": "token" }] },
        })
    );
}

#[test]
fn the_worker_gets_the_values_and_everything_to_mask() {
    let spec = Job::new(SECRETS, json!({ "password": "pa55word" })).spec(0);
    assert_eq!(spec.env["P"], "pa55word");
    assert_eq!(spec.env["T"], "x s3cr3t-token");
    let secrets: Vec<&str> = spec.secrets.iter().map(stroem_core::Secret::expose).collect();
    assert_eq!(secrets, ["hunter22", "pa55word", "s3cr3t-token"]);
}

#[test]
fn a_failing_template_near_a_secret_does_not_quote_it() {
    let text =
        SECRETS.replace("filtered: '{{ input.password | upper }}'", "filtered: '{{ input.password | int }}'");
    let job = Job::new(&text, json!({ "password": "pa55word" }));
    let error = job.with(false, |scope| render::step_spec(scope, 0)).expect_err("not a number");
    assert!(!error.to_string().contains("pa55word"), "{error}");
    assert_eq!(error.place, "input.filtered");
}

#[test]
fn secrets_do_not_show_in_debug_output_or_entries() {
    let workspace = healthy(SECRETS);
    assert!(!format!("{workspace:?}").contains("hunter22"));
    let values: Vec<String> = workspace.secrets.values().map(|(path, _)| path).collect();
    assert_eq!(values, ["token", "database.password"]);
}

#[test]
fn images_are_rendered_with_their_lists() {
    let text = "
tasks:
  t:
    flow:
      x:
        type: pod
        image: 'alpine:{{ input.v }}'
        entrypoint: []
        command: [sh, -c, 'echo {{ input.v }}']
        manifest: { spec: { nodeName: 'n{{ input.v }}', priority: 1 } }
";
    let spec = Job::new(text, json!({ "v": 3 })).spec(0);
    let StepRun::Image(image) = spec.run else { panic!("not an image") };
    assert_eq!((image.image.as_str(), image.entrypoint), ("alpine:3", Some(Vec::new())));
    assert_eq!(image.command, Some(vec!["sh".to_owned(), "-c".to_owned(), "echo 3".to_owned()]));
    assert_eq!(image.manifest, Some(json!({ "spec": { "nodeName": "n3", "priority": 1 } })));
}

#[test]
fn a_jobs_input_is_checked_with_all_problems_at_once() {
    let text = "
tasks:
  t:
    input:
      name: { type: string, required: true }
      count: { type: integer }
      rate: { type: number, default: 1.5 }
      flag: { type: bool }
      day: { type: date }
      at: { type: datetime }
      size: { type: string, options: [s, m] }
      other: { type: string, options: [s, m], allow_custom: true }
      list: { type: integer, multiple: true }
      token: { type: string, secret: true }
    flow: { x: { type: script, script: 'true' } }
";
    let workspace = healthy(text);
    let plan = workspace.plan("t").expect("a plan");
    let check = |input: Value| {
        let Value::Object(input) = input else { panic!("a map") };
        workspace.check_input(&plan, &input)
    };
    let problems = check(json!({
        "count": "3", "rate": true, "flag": 1, "day": "2026-02-30", "at": "noon", "size": "xl", "other": "xl",
        "list": [1, "2"], "token": "abc", "nmae": "x",
    }))
    .expect_err("problems");
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "name: is required",
            "count: must be a whole number, not a text",
            "rate: must be a number, not a boolean",
            "flag: must be true or false, not a number",
            "day: must be a date such as 2026-01-31",
            "at: must be a time with its zone such as 2026-01-31T12:00:00Z",
            "size: \"xl\" is not one of \"s\", \"m\"",
            "list: item 2: must be a whole number, not a text",
            "token: a secret needs at least 4 characters, or it cannot be masked",
            "nmae: is not an input of this task; did you mean `name`?",
        ]
    );
    let good = check(json!({ "name": "x", "rate": 2, "list": [1, 2] })).expect("good");
    assert_eq!(Value::Object(good), json!({ "name": "x", "rate": 2, "list": [1, 2] }));
    assert_eq!(check(json!({ "name": "x" })).expect("good")["rate"], 1.5);
}

#[test]
fn what_a_step_asks_of_its_container_reaches_the_runner_as_it_is_written() {
    let text = "tasks:\n  t:\n    flow:\n      a:\n        type: docker\n        image: alpine\n        resources: { pids: 7 }\n        \
                container: { pull: always, network: none, user: '1:2', read_only: true, cap_drop: [ALL], mounts: ['/a:/b:ro'] }\n      \
                b: { type: docker, image: alpine }\n";
    let job = Job::new(text, json!({}));
    let spec = job.spec(0);
    let written = json!({"pull": "always", "network": "none", "user": "1:2", "read_only": true, "cap_drop": ["ALL"], "mounts": ["/a:/b:ro"]});
    assert_eq!(
        (spec.resources.pids, serde_json::to_value(&spec.container).expect("JSON")),
        (Some(7), written)
    );
    // A step without any of it travels as it did before there was any, so that older workers read it.
    let other = serde_json::to_value(job.spec(1)).expect("JSON");
    assert_eq!((other.get("container"), other["resources"].get("pids")), (None, None));
}
