//! Templates: rendering ends within its fuel and size, and no error tells a secret.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use stroem_core::StepStatus;
use stroem_workflow::{
    Plan, Scope, ScriptSource, SecretTree, SourceFile, StepResult, Visibility, load, render,
};

use super::{Target, kind, shape};

pub(super) struct Templates {
    seeds: Vec<String>,
    plan: Plan,
    input: Map<String, Value>,
    results: BTreeMap<u32, StepResult>,
    secrets: SecretTree,
}

const SECRET: &str = "s3cr3t-that-nobody-sees";
const SECRET_INPUT: &str = "1nput-that-nobody-sees";

const WORDS: &[&str] = &[
    "{{ ",
    " }}",
    "{% ",
    " %}",
    "{# ",
    " #}",
    "{%- ",
    " -%}",
    "{{- ",
    " -}}",
    "input",
    "input.items",
    "input.name",
    "input.token",
    "secret.token",
    "secrets",
    "a.output",
    "a.error",
    "steps['a']",
    "steps",
    "loop.index",
    "for x in ",
    "endfor",
    "if ",
    "elif ",
    "else",
    "endif",
    "set x = ",
    "endset",
    "with x = 1",
    "endwith",
    "macro m(x)",
    "endmacro",
    "call ",
    "endcall",
    "filter upper",
    "endfilter",
    "raw",
    "endraw",
    "include 'x'",
    "extends 'x'",
    "block b",
    "import 'x' as y",
    "do ",
    "autoescape true",
    "is defined",
    "is containing('a')",
    " in ",
    " not ",
    " and ",
    " or ",
    " if ",
    " else ",
    "~",
    " + ",
    " - ",
    " * ",
    " / ",
    " // ",
    " % ",
    " ** ",
    " == ",
    " < ",
    "|default(value=1)",
    "|json_encode",
    "|tojson",
    "|truncate(length=2)",
    "|split(pat='')",
    "|replace(from='a', to='b')",
    "|join(sep=',')",
    "|get(key='a')",
    "|nth(n=9)",
    "|slugify",
    "|length",
    "|first",
    "|last",
    "|sort",
    "|reverse",
    "|map('upper')",
    "|batch(2)",
    "|slice(2)",
    "|int",
    "|float",
    "|list",
    "|dictsort",
    "|groupby('a')",
    "|indent(99999)",
    "|format(1)",
    "|round(9)",
    "|urlencode",
    "|date",
    "|vals",
    "range(9999)",
    "range(99999999)",
    "dict(a=1)",
    "[0]",
    "[-1]",
    "[1:]",
    "[::0]",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "'",
    "\"",
    "\\",
    "1e308",
    "9223372036854775807",
    "true",
    "none",
    "x",
    "'é'",
    "\u{1f511}",
    "\n",
    "*args",
    "**kw",
    ".a",
    "|",
];

impl Templates {
    pub(super) fn new(seeds: Vec<String>) -> Self {
        let text = "tasks:\n  t:\n    input: { token: { secret: true } }\n    flow:\n      a: { type: script, script: date }\n      x: { type: script, script: date, depends_on: [a] }\n";
        let file = SourceFile { path: ".workflows/a.yaml".to_owned(), text: text.to_owned() };
        let mut plan = load(&[file]).plan("t").expect("the workflow above is in order");
        // Whatever the template refers to is there.
        plan.steps[1].references = vec![0];
        plan.steps[1].body_references = vec![0];
        let output = Some(json!({ "name": "x", "items": [1, 2, 3], "deep": { "a": [{ "b": null }] } }));
        let result = StepResult { status: StepStatus::Completed, output, error: Some("broken".to_owned()) };
        let input = json!({ "items": ["b", "a"], "name": "Ada", "token": SECRET_INPUT, "n": 3 });
        let secrets = json!({ "token": SECRET, "db": { "password": SECRET } });
        let map = |value: Value| value.as_object().cloned().unwrap_or_default();
        Self {
            seeds,
            plan,
            input: map(input),
            results: BTreeMap::from([(0, result)]),
            secrets: SecretTree::new(map(secrets)),
        }
    }
}

impl Target for Templates {
    fn name(&self) -> &'static str {
        "templates"
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        self.seeds.iter().map(|seed| seed.clone().into_bytes()).collect()
    }

    fn words(&self) -> &[&'static str] {
        WORDS
    }

    fn run(&self, input: &[u8]) -> Result<u64, String> {
        let text = String::from_utf8_lossy(input).into_owned();
        let mut plan = self.plan.clone();
        plan.steps[1].when = Some(text.clone());
        plan.steps[1].input.insert("v".to_owned(), json!([{ "deep": text }]));
        plan.steps[1].action.source = Some(ScriptSource::Inline(text.clone()));
        let scope =
            |visibility| Scope { plan: &plan, job_input: &self.input, results: &self.results, visibility };
        let revealed = scope(Visibility::Revealed(&self.secrets));
        let hidden = render::step_input(scope(Visibility::Hidden), 1);
        if let Ok(shown) = &hidden {
            let shown = Value::Object(shown.clone()).to_string();
            if shown.contains(SECRET) || shown.contains(SECRET_INPUT) {
                return Err(format!("a secret is shown: {shown}"));
            }
        }
        let condition = render::condition(revealed, 1);
        let spec = render::step_spec(revealed, 1).map(|_| ());
        let errors = [hidden.map(|_| ()), condition.map(|_| ()), spec];
        let mut kinds = Vec::new();
        for error in errors.iter().map(|result| result.as_ref().err()) {
            if let Some(error) =
                error.filter(|error| error.message.contains(SECRET) || error.message.contains(SECRET_INPUT))
            {
                return Err(format!("an error tells a secret: {error}"));
            }
            kinds.push(error.map(|error| shape(&error.message)));
        }
        let quoted = Value::String(text).to_string();
        let file = format!(
            "tasks:\n  t:\n    flow:\n      a: {{ type: script, script: date }}\n      x: {{ type: script, depends_on: [a], script: {quoted} }}\n"
        );
        let found = load(&[SourceFile { path: ".workflows/a.yaml".to_owned(), text: file }]).diagnostics;
        let codes: Vec<&str> = found.iter().map(|problem| problem.code).collect();
        Ok(kind((kinds, codes)))
    }
}
