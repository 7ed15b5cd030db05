//! Arbitrary text never panics, limits hold, and cost grows with size, not with its square.

use std::{collections::BTreeMap, fmt::Write as _};

use proptest::prelude::*;
use serde_json::{Map, Value};
use stroem_workflow::{Scope, Visibility, diagnostic, render};

use crate::{healthy, workspace};

fn load_and_show(text: &str) {
    let workspace = workspace(text);
    for diagnostic in &workspace.diagnostics {
        diagnostic::render(diagnostic, true);
        diagnostic::render(diagnostic, false);
    }
    for name in workspace.tasks.keys() {
        drop(workspace.plan(name.as_str()));
    }
}

/// Text made of the pieces that workflow files are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("tasks:".to_owned()),
        Just("actions:\n  a:".to_owned()),
        Just("flow:".to_owned()),
        Just("  ".to_owned()),
        Just("\n".to_owned()),
        Just("- ".to_owned()),
        Just(": ".to_owned()),
        Just("&a *a".to_owned()),
        Just("<<: *a".to_owned()),
        Just("{{ input.x | default(value=1) }}".to_owned()),
        Just("{% if x %}".to_owned()),
        Just("type: script".to_owned()),
        Just("script: |".to_owned()),
        Just("depends_on: [a, b]".to_owned()),
        Just("{ } [ ] ' \"".to_owned()),
        "[ -~]{0,8}",
        "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        load_and_show(&text);
    }

    #[test]
    fn arbitrary_workflow_pieces_never_panic(text in pieces()) {
        load_and_show(&text);
    }

    #[test]
    fn a_mutated_file_never_panics(at in 0_usize..600, insert in "\\PC{0,3}", remove in 0_usize..20) {
        let text = include_str!("../cases/ok/reference_and_inline.yaml");
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.min(characters.len());
        let end = (at + remove).min(characters.len());
        characters.splice(at..end, insert.chars());
        load_and_show(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn rendering_arbitrary_templates_never_panics(
        template in "(\\{\\{|\\}\\}|\\{%|%\\}|[a-z.|()'\" +*~\\[\\]0-9]|input|\\PC){0,30}",
    ) {
        render_value(&template);
    }
}

fn codes(text: &str) -> Vec<&'static str> {
    workspace(text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn limits_are_clear_errors() {
    let deep = format!("tasks: {}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(codes(&deep), ["too_deep"]);
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (previous, next) in
        ["a", "b", "c", "d", "e", "f", "g"].iter().zip(["b", "c", "d", "e", "f", "g", "h"])
    {
        writeln!(bomb, "{next}: &{next} [{}]", vec![format!("*{previous}"); 10].join(", "))
            .expect("to a string");
    }
    assert!(codes(&bomb).contains(&"too_many_values"), "{:?}", codes(&bomb));
    let large = format!("tasks: {{}}\n# {}", "x".repeat(5 << 20));
    assert_eq!(codes(&large), ["file_too_large"]);
}

#[test]
fn long_expressions_do_not_exhaust_the_stack() {
    for (count, allowed) in [(90, true), (240, true), (50_000, false)] {
        for (start, repeated, end) in [
            ("{{ 1", " + 1", " }}"),
            ("{{ input", ".a", " }}"),
            ("{{ input", "[0]", " }}"),
            ("{{ input", "|e", " }}"),
            ("{{ input", "()", " }}"),
            ("{{ ", "not ", "input.x }}"),
            ("{{ 1", " if 1 else 1", " }}"),
            ("{% if 1 %}", "{% elif 1 %}", "{% endif %}"),
        ] {
            let template = format!("{start}{}{end}", repeated.repeat(count));
            let text =
                format!("tasks:\n  t:\n    flow:\n      x: {{ type: script, script: '{template}' }}\n");
            load_and_show(&text);
            let refused = codes(&text).contains(&"template_syntax");
            assert!(refused != allowed || count == 240, "{start}{repeated} {count}");
        }
        load_and_show(&format!(
            "tasks:\n  t:\n    flow:\n      x: {{ type: script, script: '{}' }}\n",
            "{% if 1 %}".repeat(count) + &"{% endif %}".repeat(count)
        ));
        load_and_show(&format!(
            "tasks:\n  t:\n    flow:\n      x: {{ type: script, script: '{{{{ {}1 }}}}' }}\n",
            "(".repeat(count)
        ));
    }
}

#[test]
fn deeply_nested_values_do_not_exhaust_the_stack() {
    let deep = "{% set x = [[[[x]]]] %}".repeat(5_000);
    for template in [
        "{% set x = [] %}{% for i in range(9000) %}{% set x = [x] %}{% endfor %}{{ x }}".to_owned(),
        "{% set n = namespace(x=[]) %}{% for i in range(9000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}".to_owned(),
        format!("{{% set x = [] %}}{deep}{{{{ x }}}}"),
        format!("{{% set x = [] %}}{}{{{{ x }}}}", "{% set x = [x] %}".repeat(240)),
        format!("{{% macro m(x) %}}{{{{ x }}}}{{{{ m({}x{}) }}}}{{% endmacro %}}{{{{ m(1) }}}}", "[".repeat(90), "]".repeat(90)),
        "{% for i in range(9000) %}{% set x = [x|default(1)] %}{% if loop.last %}{{ x }}{% endif %}{% endfor %}".to_owned(),
    ] {
        render_value(&template);
    }
}

fn render_value(template: &str) {
    let mut plan = healthy("tasks:\n  t:\n    flow:\n      x: { type: script, script: 'true' }\n")
        .plan("t")
        .expect("a plan");
    plan.steps[0].input.insert("v".to_owned(), Value::String(template.to_owned()));
    let (input, results) = (Map::new(), BTreeMap::new());
    let scope = Scope { plan: &plan, job_input: &input, results: &results, visibility: Visibility::Hidden };
    drop(render::step_input(scope, 0));
}

/// A flow of `count` steps that wait for each other in a chain, all with the first one's output.
fn chain(count: usize) -> String {
    let mut text = "actions:\n  a: { type: script, script: 'echo {{ input.x }}', input: { x: {} } }\ntasks:\n  t:\n    flow:\n".to_owned();
    text.push_str("      s0: { type: script, script: 'true' }\n");
    for index in 1..count {
        let previous = index - 1;
        writeln!(
            text,
            "      s{index}: {{ action: a, depends_on: [s{previous}], when: '{{{{ s{previous}.output }}}}', input: {{ x: '{{{{ s0.output }}}}' }} }}"
        )
        .expect("to a string");
    }
    text
}

#[test]
fn ten_thousand_steps_load_and_plan() {
    let workspace = healthy(&chain(10_000));
    let plan = workspace.plan("t").expect("a plan");
    assert_eq!(plan.steps.len(), 10_000);
    assert_eq!(plan.steps[9_999].references, [0, 9_998]);
}

#[test]
fn one_step_more_than_allowed_is_refused() {
    let text: String =
        (0..10_001).map(|index| format!("      s{index}: {{ type: script, script: 'true' }}\n")).collect();
    assert_eq!(codes(&format!("tasks:\n  t:\n    flow:\n{text}")), ["too_many_steps"]);
}
