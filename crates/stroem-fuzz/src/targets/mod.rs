//! What is fuzzed.

mod framing;
mod masking;
mod templates;
mod yaml;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use anyhow::Result;

use crate::{corpus, random::Random};

/// One thing that reads what others wrote.
pub trait Target {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// The inputs to begin with.
    fn seeds(&self) -> Vec<Vec<u8>>;

    /// What its inputs are made of.
    fn words(&self) -> &[&'static str];

    /// Shows it an input and gives the kind of what came out: an input of a new kind is worth changing further.
    ///
    /// # Errors
    /// A promise that does not hold. A panic is a finding too.
    fn run(&self, input: &[u8]) -> Result<u64, String>;
}

/// Every target. `root` is the repository, for its case files.
///
/// # Errors
/// When the case files cannot be read.
pub fn all(root: &Path) -> Result<Vec<Box<dyn Target>>> {
    let cases = corpus::case_files(root)?;
    let templates = corpus::templates(&cases);
    Ok(vec![
        Box::new(yaml::Yaml::new(cases)),
        Box::new(templates::Templates::new(templates)),
        Box::new(framing::Framing),
        Box::new(masking::Masking),
    ])
}

/// A kind from its parts.
fn kind(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// A text without what differs between two inputs of one kind: numbers, and what stands in quotes.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for (index, part) in text.split(['`', '"']).enumerate() {
        if index % 2 == 0 {
            shape.extend(part.chars().filter(|c| !c.is_ascii_digit()));
        }
    }
    shape
}

/// Cuts bytes into pieces of lengths that follow from the bytes themselves.
fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let mut random = Random::new(kind(bytes));
    let most = *random.pick(&[1, 3, 17, 300]);
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + random.below(most)).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
