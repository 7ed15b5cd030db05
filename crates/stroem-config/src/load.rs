//! The way from text and variables to a value.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    environment,
    problem::Problem,
    schema::{Kind, Schema},
    shape, tree,
};

/// A configuration as it was found.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The file's name, for messages.
    pub file: &'a str,
    /// The file's content; empty when there is no file.
    pub text: &'a str,
    /// The environment, whole: what does not begin with [`crate::PREFIX`] is passed over.
    pub environment: &'a [(String, String)],
}

/// Reads a configuration. The value has every key that was written or has a default, and no other: durations in
/// milliseconds, sizes in bytes. A struct with `deny_unknown_fields` and `Option`s for keys without default takes it.
///
/// # Errors
/// Every problem of file and variables.
pub fn load(source: Source<'_>, schema: &'static Schema) -> Result<Value, Vec<Problem>> {
    let file: Arc<str> = source.file.into();
    let mut problems = Vec::new();
    let mut root = tree::parse(source.text, &file, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    // A section before its keys, whatever the order of the environment.
    let mut variables: Vec<_> = source.environment.iter().collect();
    variables.sort();
    for (name, value) in variables {
        environment::overlay(&mut root, Kind::Section(schema), name, value, &mut problems);
    }
    match shape::value(&root, Kind::Section(schema), "", &mut problems) {
        Some(value) if problems.is_empty() => Ok(value),
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests;
