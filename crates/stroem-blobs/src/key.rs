//! Names of blobs. A key is safe as a path on disk and as an object name everywhere; it knows no store.

use std::{fmt, str::FromStr, sync::Arc};

use stroem_core::{JobId, Revision};

/// Characters in one segment of a key.
const SEGMENT_LENGTH: usize = 128;
/// Segments in a key.
const SEGMENTS: usize = 8;

/// Why a text cannot be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobKeyError {
    /// A segment is empty, too long, starts with a dot or has a character that is not safe everywhere.
    #[error(
        "`{key}` is not a blob key: `{segment}` must have 1 to {SEGMENT_LENGTH} letters, digits, `.`, `_` or `-` \
         and not start with a dot"
    )]
    Segment {
        /// The rejected key.
        key: String,
        /// Its first bad segment.
        segment: String,
    },
    /// More than eight segments.
    #[error("`{0}` is not a blob key: it can have {SEGMENTS} segments at most")]
    TooDeep(String),
}

/// The name of a blob: one to eight segments of ASCII letters, digits, `.`, `_` and `-`, joined by `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(Arc<str>);

impl BlobKey {
    /// Checks and wraps a key.
    ///
    /// # Errors
    /// [`BlobKeyError`] names the segment that breaks the rule.
    pub fn new(text: &str) -> Result<Self, BlobKeyError> {
        if let Some(segment) = text.split('/').find(|segment| !is_safe(segment)) {
            return Err(BlobKeyError::Segment { key: text.to_owned(), segment: segment.to_owned() });
        }
        if text.split('/').count() > SEGMENTS {
            return Err(BlobKeyError::TooDeep(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// Where a revision's tarball lives: `tarballs/<revision>.tar.zst`.
    pub fn tarball(revision: &Revision) -> Self {
        Self(format!("tarballs/{revision}.tar.zst").into())
    }

    /// Where a job's sealed log of so many chunks lives: `logs/<job>-<chunks>.slog`.
    pub fn log(job: JobId, chunks: u64) -> Self {
        Self(format!("logs/{job}-{chunks}.slog").into())
    }

    /// The key as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_safe(segment: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=SEGMENT_LENGTH).contains(&segment.len()) && !segment.starts_with('.') && segment.bytes().all(inside)
}

impl FromStr for BlobKey {
    type Err = BlobKeyError;

    fn from_str(text: &str) -> Result<Self, BlobKeyError> {
        Self::new(text)
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_segments_make_a_key() {
        let long = "x".repeat(SEGMENT_LENGTH + 1);
        for bad in ["", "/a", "a/", "a//b", ".", "..", "a/../b", ".hidden", "a b", "ä", "a#1", "a%2e", &long]
        {
            assert!(matches!(BlobKey::new(bad), Err(BlobKeyError::Segment { .. })), "{bad:?}");
        }
        assert!(matches!(BlobKey::new("1/2/3/4/5/6/7/8/9"), Err(BlobKeyError::TooDeep(_))));
        for good in ["a", "tarballs/0f.tar.zst", "1/2/3/4/5/6/7/8", "caches/a_b-c"] {
            assert_eq!(BlobKey::new(good).expect(good).as_str(), good);
        }
    }

    #[test]
    fn made_keys_are_keys() {
        let revision: Revision = "0f".repeat(32).parse().expect("64 digits");
        let tarball = BlobKey::tarball(&revision);
        let log = BlobKey::log(JobId::from_bytes([7; 16]), 12);
        for key in [tarball, log] {
            assert_eq!(BlobKey::new(key.as_str()), Ok(key));
        }
    }
}
