//! Variables over the file: `STROEM__A__B` sets the key `b` of the section `a`. What a variable's text means is
//! decided by the key's kind, later.

use crate::{
    problem::{Place, Problem},
    schema::Kind,
    suggest::nearest,
    tree::{Data, Entry, Node},
};

/// What every variable that sets a key begins with.
pub const PREFIX: &str = "STROEM__";

/// Puts one variable into the tree. A variable that does not begin with [`PREFIX`] changes nothing.
pub(crate) fn overlay(root: &mut Node, kind: Kind, name: &str, value: &str, problems: &mut Vec<Problem>) {
    let Some(path) = name.strip_prefix(PREFIX) else { return };
    let place = Place::Variable(name.into());
    let path: Vec<String> = path.split("__").map(str::to_lowercase).collect();
    let leaf = Node { place: place.clone(), data: Data::Variable(value.to_owned()) };
    match check(kind, &path) {
        Ok(()) => set(root, kind, &path, leaf),
        Err((message, suggestion)) => problems.push(Problem { place, message, suggestion }),
    }
}

type Refusal = (String, Option<String>);

/// Whether the table has a key at this path.
fn check(kind: Kind, path: &[String]) -> Result<(), Refusal> {
    let Some((first, rest)) = path.split_first() else { return Ok(()) };
    match kind {
        Kind::Section(schema) => match schema.key(first) {
            Some(key) => check(key.kind, rest),
            None => {
                let near = nearest(first, schema.keys.iter().map(|key| key.name));
                let near = near.map(|name| format!("did you mean `{}`?", name.to_uppercase()));
                Err((format!("there is no key `{first}` to set"), near))
            }
        },
        Kind::Named(inner) => check(*inner, rest),
        _ => Err((format!("`{first}` cannot be set inside a value that is {}", kind.describe()), None)),
    }
}

/// Puts the leaf at a path that was checked, making the maps that lead there.
fn set(node: &mut Node, kind: Kind, path: &[String], leaf: Node) {
    let Some((first, rest)) = path.split_first() else {
        *node = leaf;
        return;
    };
    if !matches!(node.data, Data::Map(_)) {
        *node = Node::empty_map(leaf.place.clone());
    }
    let Data::Map(entries) = &mut node.data else { return };
    let (name, inner) = match kind {
        Kind::Named(inner) => (existing(entries, first), *inner),
        Kind::Section(schema) => (first.clone(), schema.key(first).map_or(kind, |key| key.kind)),
        _ => return,
    };
    let index = entries.iter().position(|entry| entry.name == name).unwrap_or_else(|| {
        let value = Node::empty_map(leaf.place.clone());
        entries.push(Entry { name, place: leaf.place.clone(), value });
        entries.len() - 1
    });
    set(&mut entries[index].value, inner, rest, leaf);
}

/// A name that the user chose, as the file spells it: variables have neither lower case nor `-`.
fn existing(entries: &[Entry], written: &str) -> String {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let known = entries.iter().find(|entry| plain(&entry.name) == written);
    known.map_or_else(|| written.to_owned(), |entry| entry.name.clone())
}
