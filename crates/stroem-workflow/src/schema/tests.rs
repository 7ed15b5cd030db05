//! The schema and the cases against the tables: what loads is valid, what is wrong by its keys and types is not, and
//! every key has a case in which it is right and one in which it is wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::*;
use crate::{
    Diagnostic, Severity, SourceFile, codes, load,
    report::Report,
    table::TRIGGER,
    yaml::{self, Data, Entry, Node},
};

/// Problems with the code of a structural one that need a second place of the file to be seen.
const NOT_FOR_A_SCHEMA: &[(&str, &str)] = &[
    ("connections", "which properties a connection has stands at its type"),
    ("connection_properties", "which properties a connection has stands at its type"),
    ("merge_of_a_text", "merge keys are gone once the text is read"),
];

/// One file of a case, read to its end.
struct Case {
    name: String,
    path: String,
    root: Node,
    /// The problems of this file.
    problems: Vec<Diagnostic>,
}

fn split(text: &str) -> Vec<SourceFile> {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let Some(rest) = text.strip_prefix("# file: ") else { return vec![file(".workflows/case.yaml", text)] };
    let parts = rest.split("# file: ").map(|part| part.split_once('\n').expect("a path, then the text"));
    parts.map(|(path, text)| file(path, text)).collect()
}

fn cases(kind: &str) -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(kind);
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("the cases") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            found.extend(read(&name, &fs::read_to_string(&path).expect("readable")));
        }
    }
    assert!(found.len() > 50, "only {} files of cases", found.len());
    found
}

fn read(name: &str, text: &str) -> Vec<Case> {
    let files = split(text);
    let diagnostics = load(&files).diagnostics;
    let read_to_its_end = files.iter().filter_map(|file| {
        let parsed = yaml::parse(0, &file.text, &mut Report::new(&[file]));
        let problems = diagnostics.iter().filter(|problem| problem.file == file.path).cloned().collect();
        let root = parsed.root.filter(|_| parsed.whole)?;
        Some(Case { name: name.to_owned(), path: file.path.clone(), root, problems })
    });
    read_to_its_end.collect()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&workflow_file()).expect("a schema of draft 2020-12")
}

#[test]
fn the_schema_accepts_every_file_that_loads() {
    let validator = validator();
    for case in cases("ok") {
        let file = case.root.to_json();
        let errors: Vec<String> =
            validator.iter_errors(&file).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{} {}: {errors:#?}", case.name, case.path);
    }
}

#[test]
fn the_schema_refuses_every_structural_problem_and_nothing_that_loads() {
    let validator = validator();
    let mut structural_cases = 0;
    for case in cases("error") {
        let valid = validator.is_valid(&case.root.to_json());
        let structural: Vec<&str> = case
            .problems
            .iter()
            .map(|problem| problem.code)
            .filter(|code| codes::find(code).is_some_and(|code| code.structural))
            .collect();
        let excepted = NOT_FOR_A_SCHEMA.iter().any(|(name, _)| *name == case.name);
        if !structural.is_empty() && !excepted {
            structural_cases += 1;
            assert!(!valid, "{} {}: the schema takes {structural:?}", case.name, case.path);
        }
        let in_order = case.problems.iter().all(|problem| problem.severity == Severity::Warning);
        assert!(valid || !in_order, "{} {}: loads, but the schema refuses it", case.name, case.path);
    }
    assert!(structural_cases > 60, "{structural_cases}");
}

#[test]
fn the_schema_refuses_the_wrong_example_of_every_structural_code() {
    let validator = validator();
    for code in codes::all() {
        for case in read(code.name, code.right) {
            assert!(validator.is_valid(&case.root.to_json()), "{}", code.name);
        }
        for case in read(code.name, &code.wrong.text()).iter().filter(|_| code.structural) {
            assert!(!validator.is_valid(&case.root.to_json()), "{}", code.name);
        }
    }
}

/// The keys of the tables that occur in a file.
struct Walk<'n> {
    found: Vec<(&'static str, &'static Key, &'n Entry)>,
}

impl<'n> Walk<'n> {
    fn of(root: &'n Node) -> Self {
        let mut walk = Self { found: Vec::new() };
        walk.construct(&FILE, root);
        walk
    }

    fn construct(&mut self, construct: &'static Construct, node: &'n Node) {
        for entry in node.entries() {
            let own = construct.key(&entry.key).map(|key| (construct, key));
            let of_action =
                || ACTION.key(&entry.key).filter(|_| takes_action_keys(construct)).map(|key| (&ACTION, key));
            if let Some((construct, key)) = own.or_else(of_action) {
                self.found.push((construct.title, key, entry));
                self.inside(&key.kind, &entry.value);
            } else if let Rest::Each(inner) = construct.rest {
                self.construct(inner, &entry.value);
            }
        }
    }

    fn inside(&mut self, kind: &'static Kind, value: &'n Node) {
        match kind {
            Kind::MapOf(_, inner) => self.each(inner, value),
            Kind::PropertiesOf(inner) => match value.entries() {
                [only] if only.key == "properties" => self.each(inner, &only.value),
                _ => self.each(inner, value),
            },
            Kind::One(inner) => self.construct(inner, value),
            Kind::ListOf(inner) => match &value.data {
                Data::List(items) => items.iter().for_each(|item| self.construct(inner, item)),
                _ => self.construct(inner, value),
            },
            Kind::Flow => match &value.data {
                Data::List(items) => items.iter().for_each(|item| self.construct(&STEP, item)),
                _ => self.each(&STEP, value),
            },
            _ => {}
        }
    }

    fn each(&mut self, construct: &'static Construct, map: &'n Node) {
        map.entries().iter().for_each(|entry| self.construct(construct, &entry.value));
    }
}

/// Where a problem of this entry is shown: at its key, its value, an item, or a part of a value that is no construct.
fn places(key: &Key, entry: &Entry) -> BTreeSet<(u32, u32)> {
    let mut places = BTreeSet::from([(entry.span.line, entry.span.column)]);
    let nested = matches!(
        key.kind,
        Kind::MapOf(..) | Kind::PropertiesOf(_) | Kind::One(_) | Kind::ListOf(_) | Kind::Flow
    );
    add(&entry.value, nested, &mut places);
    places
}

fn add(node: &Node, only_this: bool, places: &mut BTreeSet<(u32, u32)>) {
    places.insert((node.span.line, node.span.column));
    node.as_list().unwrap_or_default().iter().for_each(|item| add(item, only_this, places));
    if only_this {
        return;
    }
    for entry in node.entries() {
        places.insert((entry.span.line, entry.span.column));
        add(&entry.value, false, places);
    }
}

#[test]
fn every_key_has_a_case_in_which_it_is_right_and_one_in_which_it_is_wrong() {
    let mut right = BTreeSet::new();
    for case in cases("ok") {
        right.extend(Walk::of(&case.root).found.iter().map(|(title, key, _)| (*title, key.name)));
    }
    let mut wrong = BTreeSet::new();
    for case in cases("error") {
        let errors: BTreeSet<(u32, u32)> = case
            .problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| (problem.line, problem.column))
            .collect();
        for (title, key, entry) in Walk::of(&case.root).found {
            if !places(key, entry).is_disjoint(&errors) {
                wrong.insert((title, key.name));
            }
        }
    }
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (_, construct) in CONSTRUCTS {
        for key in construct.keys {
            for (seen, kind) in [(&right, "ok"), (&wrong, "error")] {
                if !seen.contains(&(construct.title, key.name)) {
                    missing.entry(kind).or_default().push(format!("`{}` of {}", key.name, construct.title));
                }
            }
        }
    }
    assert!(missing.is_empty(), "keys without a case: {missing:#?}");
}

#[test]
fn a_key_on_the_wrong_type_says_which_types_take_it() {
    for (section, construct) in [("actions", &ACTION), ("triggers", &TRIGGER)] {
        let Some(Key { kind: Kind::Choice(types), .. }) = construct.key("type") else { panic!("no types") };
        for (name, key) in types.iter().flat_map(|name| construct.keys.iter().map(move |key| (name, key))) {
            let text = format!("{section}:\n  a:\n    type: {name}\n    {}: 1\n", key.name);
            let files = [SourceFile { path: ".workflows/a.yaml".to_owned(), text }];
            let found = load(&files).diagnostics;
            let problem =
                found.iter().find(|problem| problem.code == "key_of_another_type" && problem.line == 4);
            assert_eq!(problem.is_some(), !key.is_on(Some(name)), "{name} {}: {found:?}", key.name);
            for on in problem.iter().flat_map(|_| key.on) {
                let says = problem.is_some_and(|problem| problem.message.contains(&format!("`{on}`")));
                assert!(says, "{problem:?} does not name {on}");
            }
        }
    }
}

#[test]
fn the_reference_names_every_key() {
    let reference = reference_markdown();
    for (_, construct) in CONSTRUCTS {
        for key in construct.keys {
            assert!(reference.contains(&format!("| `{}`", key.name)), "{}", key.name);
        }
    }
}

#[test]
fn the_examples_are_valid_and_name_the_schema_for_editors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let validator = validator();
    let mut count = 0;
    for entry in fs::read_dir(root.join("examples/.workflows")).expect("the examples") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("readable");
        let hint = text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
        let schema = path.with_file_name(hint.unwrap_or_else(|| panic!("{} has no hint", path.display())));
        let written = fs::read_to_string(&schema).expect("the hint leads to a file");
        assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), workflow_file());
        for case in read("example", &text) {
            assert!(validator.is_valid(&case.root.to_json()), "{}", path.display());
            assert!(case.problems.is_empty(), "{:?}", case.problems);
        }
        count += 1;
    }
    assert!(count >= 2, "{count}");
}
