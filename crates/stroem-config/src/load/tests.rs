//! What is accepted, what is refused and how it is said.

use serde_json::json;

use crate::{Key, Kind, Schema, Source, load, reference};

const ANY: Kind = Kind::Integer { min: 0, max: u64::MAX };

const WORD: Kind = Kind::Checked {
    what: "a word",
    rule: |text| if text.contains(' ') { Err("a word has no spaces".to_owned()) } else { Ok(()) },
};

static PLACE: Schema = Schema {
    keys: &[
        Key::new("type", Kind::Choice(&["folder", "git"]), "Which kind.").or("folder"),
        Key::new("path", Kind::Text, "Where.").required(),
    ],
};
static ENGINE: Schema = Schema { keys: &[Key::new("host", Kind::Text, "Its address.")] };
static LIMITS: Schema = Schema {
    keys: &[
        Key::new("line", Kind::Size, "Of a line.").or("256Ki"),
        Key::new("grace", Kind::Duration, "To stop.").or("10s"),
    ],
};
static SCHEMA: Schema = Schema {
    keys: &[
        Key::new("listen", Kind::Text, "The address.").or("127.0.0.1:8080"),
        Key::new("token", Kind::Secret, "The token.").required(),
        Key::new("count", Kind::Integer { min: 1, max: 64 }, "How many.").or("4"),
        Key::new("any", ANY, "A number."),
        Key::new("word", WORD, "A word."),
        Key::new("strict", Kind::Bool, "Whether."),
        Key::new("tags", Kind::List(&Kind::Text), "The tags.").or("[script]"),
        Key::new("engine", Kind::Section(&ENGINE), "The engine."),
        Key::new("limits", Kind::Section(&LIMITS), "Limits.").or("{}"),
        Key::new("places", Kind::Named(&Kind::Section(&PLACE)), "By name."),
    ],
};

fn read(text: &str, environment: &[(&str, &str)]) -> Result<serde_json::Value, Vec<String>> {
    let environment: Vec<_> = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    load(Source { file: "a.yaml", text, environment: &environment }, &SCHEMA)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn check(text: &str, environment: &[(&str, &str)], key: &str, expected: &serde_json::Value) {
    let value = read(text, environment).unwrap();
    assert_eq!(value.get(key).unwrap_or(&serde_json::Value::Null), expected, "{text}");
}

#[track_caller]
fn refused(text: &str, environment: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(read(text, environment).unwrap_err(), expected, "{text}");
}

#[test]
fn what_is_left_out_has_its_default() {
    assert_eq!(
        read("token: x", &[]).unwrap(),
        json!({
            "listen": "127.0.0.1:8080", "token": "x", "count": 4, "tags": ["script"],
            "limits": {"line": 262_144, "grace": 10_000},
        })
    );
}

#[test]
fn values_are_read_by_their_kind() {
    check("token: 12345", &[], "token", &json!("12345"));
    check("token: x\nengine:", &[], "engine", &json!({}));
    check("token: x\nengine: {}", &[], "engine", &json!({}));
    check("token: x\nengine:\n  host: tcp://a:1", &[], "engine", &json!({"host": "tcp://a:1"}));
    check("token: x\nlimits: {grace: 1m}", &[], "limits", &json!({"line": 262_144, "grace": 60_000}));
    check("token: x\ntags:\n- a\n- b", &[], "tags", &json!(["a", "b"]));
    check(
        "token: x\nplaces: {A: {path: /a}}",
        &[],
        "places",
        &json!({"A": {"type": "folder", "path": "/a"}}),
    );
    check("token: &t x\nlisten: *t", &[], "listen", &json!("x"));
}

#[test]
fn variables_go_over_the_file() {
    let token = ("STROEM__TOKEN", "x");
    check("", &[token, ("STROEM__COUNT", "9"), ("PATH", "/bin")], "count", &json!(9));
    check("", &[token, ("STROEM__TAGS", "a, b,")], "tags", &json!(["a", "b"]));
    check("", &[token, ("STROEM__TAGS", r#"["a,b"]"#)], "tags", &json!(["a,b"]));
    check("", &[token, ("STROEM__ENGINE__HOST", "h")], "engine", &json!({"host": "h"}));
    check("", &[token, ("STROEM__ENGINE", r#"{"host": "h"}"#)], "engine", &json!({"host": "h"}));
    let places = "places: {My-Place: {path: /a}}";
    let expected = json!({"My-Place": {"type": "git", "path": "/a"}});
    check(places, &[token, ("STROEM__PLACES__MY_PLACE__TYPE", "git")], "places", &expected);
    check("", &[token, ("STROEM__STRICT", "true")], "strict", &json!(true));
}

#[test]
fn every_mistake_is_named_with_its_place() {
    refused(
        "token: x\ncuont: 3\nzzz: 1\nengine:\n  hots: a",
        &[],
        &[
            "a.yaml:2:1: unknown key `cuont` (did you mean `count`?)",
            "a.yaml:3:1: unknown key `zzz` (known are listen, token, count, any, word, strict, tags, engine, limits, places)",
            "a.yaml:5:3: unknown key `hots` in `engine` (did you mean `host`?)",
        ],
    );
    refused("count: 3", &[], &["a.yaml:1:1: `token` is missing (write it here, or set STROEM__TOKEN)"]);
    refused(
        "token: x\ntoken: y",
        &[],
        &["a.yaml:2:1: `token` is written twice, first at a.yaml:1:1 (remove one of the two)"],
    );
    refused(
        "token: [x",
        &[],
        &["a.yaml:2:1: this is not YAML: while parsing a flow sequence, expected ',' or ']'"],
    );
    refused(
        "token: x\n---\ntoken: y",
        &[],
        &["a.yaml:2:1: a second YAML document starts here; only one is read"],
    );
}

#[test]
fn wrong_kinds_are_refused() {
    for (line, expected) in [
        ("count: 0", "a.yaml:2:8: `count`: `0` is not a whole number from 1 to 64"),
        (
            "count: '4'",
            "a.yaml:2:8: `count` must be a whole number from 1 to 64, not a quoted text (write `4` without quotes)",
        ),
        ("any: -1", "a.yaml:2:6: `any`: `-1` is not a whole number from 0"),
        ("tags: a", "a.yaml:2:7: `tags` must be a list, not a text (write `[a]`)"),
        ("tags: [[a]]", "a.yaml:2:8: `tags[0]` must be a text, not a list"),
        ("listen:", "a.yaml:2:7: `listen` must be a text, not nothing (give it a value or remove the key)"),
        ("engine: true", "a.yaml:2:9: `engine` must be a section with keys of its own, not a boolean"),
        ("word: a b", "a.yaml:2:7: `word`: a word has no spaces"),
        ("strict: yes", "a.yaml:2:9: `strict`: `yes` is not `true` or `false`"),
        (
            "limits: {line: big}",
            "a.yaml:2:16: `limits.line`: `big` is not a size: write for example `512Mi`, `2Gi`, `500M` or a number of bytes",
        ),
        ("limits: {grace: 0s}", "a.yaml:2:17: `limits.grace`: a duration cannot be zero"),
        (
            "places: {a: {type: foldr, path: /a}}",
            "a.yaml:2:20: `places.a.type`: `foldr` is not one of `folder`, `git`; did you mean `folder`?",
        ),
    ] {
        refused(&format!("token: x\n{line}"), &[], &[expected]);
    }
}

#[test]
fn wrong_variables_are_refused() {
    let token = ("STROEM__TOKEN", "x");
    refused(
        "",
        &[token, ("STROEM__CUONT", "1")],
        &["STROEM__CUONT: there is no key `cuont` to set (did you mean `COUNT`?)"],
    );
    refused(
        "",
        &[token, ("STROEM__COUNT", "x")],
        &["STROEM__COUNT: `count`: `x` is not a whole number from 1 to 64"],
    );
    refused(
        "",
        &[token, ("STROEM__COUNT__X", "1")],
        &["STROEM__COUNT__X: `x` cannot be set inside a value that is a whole number from 1 to 64"],
    );
}

#[test]
fn the_reference_has_every_key() {
    let text = reference(&SCHEMA);
    for key in ["`listen`", "`engine.host`", "`places.<name>.path`", "`limits.grace`"] {
        assert!(text.contains(key), "{key} in {text}");
    }
}
