//! Tags route steps to workers: a worker may claim a step only when it has all of the step's required tags.

use std::{borrow::Borrow, collections::BTreeSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::limits;

/// Why a text cannot be a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Empty, too long, or with a character outside letters, digits, `-`, `_`, `.`, `/`, `:` and `=`.
    #[error(
        "`{0}` cannot be a tag: 1 to 63 letters, digits, `-`, `_`, `.`, `/`, `:` or `=`; tags are literal, never templates"
    )]
    Malformed(String),
}

/// One literal tag, such as `script`, `docker`, `gpu`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(Arc<str>);

impl Tag {
    /// Checks and wraps a tag.
    ///
    /// # Errors
    /// [`TagError`] when the text breaks the rule.
    pub fn new(text: &str) -> Result<Self, TagError> {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '=');
        if text.is_empty() || text.chars().count() > limits::TAG_LENGTH || !text.chars().all(allowed) {
            return Err(TagError::Malformed(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// The tag as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for Tag {
    type Error = TagError;

    fn try_from(text: String) -> Result<Self, TagError> {
        Self::new(&text)
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> String {
        tag.0.as_ref().to_owned()
    }
}

/// Tags that say what a worker can run; every other one is a custom tag.
const RUNNER_TAGS: [&str; 4] = ["script", "docker", "kubernetes", "agent"];

/// A set of tags in canonical (sorted) order.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagSet(BTreeSet<Tag>);

impl TagSet {
    /// Whether this set has every tag of `required`.
    pub fn covers(&self, required: &Self) -> bool {
        required.0.is_subset(&self.0)
    }

    /// The tags of `required` that this set lacks, sorted.
    pub fn missing<'a>(&'a self, required: &'a Self) -> Vec<&'a Tag> {
        required.0.difference(&self.0).collect()
    }

    /// Whether a worker with these tags may claim a step that requires those: it has them all and, when it is exclusive, the
    /// step asks for all of its custom tags.
    pub fn may_claim(&self, exclusive: bool, required: &Self) -> bool {
        self.covers(required) && (!exclusive || self.custom_beyond(required).is_empty())
    }

    /// The custom tags of this set that `required` does not ask for, sorted. Custom is every tag but those of runners.
    pub fn custom_beyond<'a>(&'a self, required: &'a Self) -> Vec<&'a Tag> {
        let beyond = required.missing(self);
        beyond.into_iter().filter(|tag| !RUNNER_TAGS.contains(&tag.as_str())).collect()
    }

    /// Whether the set has no tags.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set has this tag.
    pub fn contains(&self, tag: &str) -> bool {
        self.0.contains(tag)
    }

    /// The tags, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter()
    }

    /// Adds a tag.
    pub fn insert(&mut self, tag: Tag) {
        self.0.insert(tag);
    }

    /// The canonical text of the set, the identity of a queue: sorted tags joined by `,` (a tag has no comma).
    pub fn queue_key(&self) -> String {
        self.0.iter().map(Tag::as_str).collect::<Vec<_>>().join(",")
    }

    /// Reads what [`Self::queue_key`] gave.
    ///
    /// # Errors
    /// [`TagError`] when the text holds something that is not a tag.
    pub fn from_queue_key(text: &str) -> Result<Self, TagError> {
        text.split(',').filter(|part| !part.is_empty()).map(Tag::new).collect()
    }
}

impl FromIterator<Tag> for TagSet {
    fn from_iter<I: IntoIterator<Item = Tag>>(tags: I) -> Self {
        Self(tags.into_iter().collect())
    }
}

impl Extend<Tag> for TagSet {
    fn extend<I: IntoIterator<Item = Tag>>(&mut self, tags: I) {
        self.0.extend(tags);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tags: &[&str]) -> TagSet {
        tags.iter().map(|tag| Tag::new(tag).expect("a tag")).collect()
    }

    #[test]
    fn a_worker_needs_every_tag() {
        let required = set(&["docker", "gpu"]);
        assert!(set(&["script", "gpu", "docker"]).covers(&required));
        assert!(!set(&["docker"]).covers(&required));
        assert_eq!(set(&["docker"]).missing(&required), [&Tag::new("gpu").expect("a tag")]);
        assert!(set(&[]).covers(&set(&[])));
    }

    #[test]
    fn a_worker_claims_only_what_its_tags_cover() {
        assert!(set(&["script", "gpu"]).may_claim(false, &set(&["script"])));
        assert!(set(&["docker", "gpu", "script"]).may_claim(false, &set(&["docker", "gpu"])));
        assert!(!set(&["docker"]).may_claim(false, &set(&["docker", "gpu"])));
    }

    #[test]
    fn an_exclusive_worker_leaves_ordinary_steps_to_others() {
        let worker = set(&["script", "gpu"]);
        assert!(!worker.may_claim(true, &set(&["script"])));
        assert!(worker.may_claim(true, &set(&["script", "gpu"])));
        assert_eq!(worker.custom_beyond(&set(&["script"])), [&Tag::new("gpu").expect("a tag")]);
    }

    #[test]
    fn the_queue_key_ignores_the_order_of_writing() {
        let key = set(&["gpu", "docker"]).queue_key();
        assert_eq!(key, "docker,gpu");
        assert_eq!(TagSet::from_queue_key(&key).expect("parses"), set(&["docker", "gpu"]));
    }

    #[test]
    fn templates_and_spaces_are_no_tags() {
        for bad in ["", "{{ input.tag }}", "a b", "a,b", &"x".repeat(64)] {
            assert!(Tag::new(bad).is_err(), "{bad:?}");
        }
    }
}
