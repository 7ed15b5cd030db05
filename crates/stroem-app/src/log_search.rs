//! Searches a log where it lies, chunk by chunk, so that a page asks for hits and not for lines.

use std::sync::Arc;

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;
use stroem_core::{AttemptNumber, JobId};
use stroem_logs::{
    chunk::{LogLine, decode},
    cursor::Cursor,
};
use stroem_store::StoreError;
use stroem_workflow::Plan;

use crate::{App, AppError, LogQuery, jobs::no_such_job, logs::Chunk};

/// What a line must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needle {
    /// This text; in any case of ASCII letters when it has no capital one.
    Text(String),
    /// One of the words with which programs report failure.
    Failure,
}

/// What to look for, and where.
#[derive(Debug, Clone)]
pub struct LogSearch {
    /// The job.
    pub job: JobId,
    /// Only in this step's lines.
    pub step: Option<u32>,
    /// Where to begin.
    pub cursor: Cursor,
    /// What a line must hold.
    pub needle: Needle,
    /// How many hits to give at most.
    pub hits: usize,
}

/// A line that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHit {
    /// Where it is.
    pub cursor: Cursor,
    /// The step's index.
    pub step: u32,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// The line.
    pub line: LogLine,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct LogHits {
    /// In order.
    pub hits: Vec<LogHit>,
    /// Where the search goes on.
    pub next: Cursor,
    /// Whether it came to the end of what is stored.
    pub at_end: bool,
    plan: Arc<Plan>,
}

impl LogHits {
    /// The name of a hit's step.
    pub fn step_name(&self, hit: &LogHit) -> &str {
        self.plan.step(hit.step).name.as_str()
    }
}

/// One call reads chunks until this many bytes were looked through: it is bounded, and the caller goes on.
const BYTES_PER_CALL: u64 = 128 << 20;
const BYTES_PER_READ: u64 = 8 << 20;
const FAILURE_WORDS: [&str; 7] = ["error", "fatal", "panic", "exception", "traceback", "failed", "failure"];

impl App {
    /// Searches a part of a job's log.
    ///
    /// # Errors
    /// [`AppError::NoSuchJob`], [`AppError::Store`], [`AppError::Disk`] for an unreadable sealed log.
    pub async fn search_log(&self, search: LogSearch) -> Result<LogHits, AppError> {
        let plan = self.inner.mailboxes.plan(search.job).await.map_err(no_such_job)?;
        let matcher = Arc::new(Matcher::new(&search.needle));
        let mut found = LogHits { hits: Vec::new(), next: search.cursor, at_end: false, plan };
        let mut bytes = 0;
        while found.hits.len() < search.hits && bytes < BYTES_PER_CALL {
            let query = LogQuery {
                job: search.job,
                step: search.step,
                cursor: found.next,
                max_bytes: BYTES_PER_READ,
            };
            let chunks = self.chunks(query, found.next.chunk).await?;
            if chunks.is_empty() {
                found.at_end = true;
                break;
            }
            bytes += chunks.iter().map(|chunk| chunk.raw_bytes).sum::<u64>();
            let (matcher, from, wanted) = (Arc::clone(&matcher), found.next, search.hits - found.hits.len());
            let task = tokio::task::spawn_blocking(move || look_through(&chunks, &matcher, from, wanted));
            let (hits, next) =
                task.await.map_err(|error| AppError::Store(StoreError::Internal(error.to_string())))??;
            found.hits.extend(hits);
            found.next = next;
        }
        Ok(found)
    }
}

fn look_through(
    chunks: &[Chunk],
    matcher: &Matcher,
    from: Cursor,
    wanted: usize,
) -> Result<(Vec<LogHit>, Cursor), AppError> {
    let mut hits = Vec::new();
    let mut folded = Vec::new();
    let mut next = from;
    for chunk in chunks {
        let lines = decode(&chunk.payload).map_err(|error| {
            AppError::Store(StoreError::Corrupt(format!("log chunk {}: {error}", chunk.chunk_no)))
        })?;
        let skip = if from.chunk == chunk.chunk_no { from.line } else { 0 };
        for (number, line) in (0_u32..).zip(lines).skip(skip as usize) {
            if !matcher.matches(&line.text, &mut folded) {
                continue;
            }
            let cursor = Cursor { chunk: chunk.chunk_no, line: number };
            hits.push(LogHit { cursor, step: chunk.step, attempt: chunk.attempt, line });
            if hits.len() == wanted {
                return Ok((hits, cursor.next_line()));
            }
        }
        next = Cursor::at_chunk(chunk.chunk_no + 1);
    }
    Ok((hits, next))
}

enum Matcher {
    Exact(Finder<'static>),
    Folded(Finder<'static>),
    Words(AhoCorasick),
}

impl Matcher {
    fn new(needle: &Needle) -> Self {
        match needle {
            Needle::Text(text) if text.chars().any(char::is_uppercase) => {
                Self::Exact(Finder::new(text.as_bytes()).into_owned())
            }
            Needle::Text(text) => Self::Folded(Finder::new(text.as_bytes()).into_owned()),
            Needle::Failure => Self::Words(
                AhoCorasick::builder()
                    .ascii_case_insensitive(true)
                    .build(FAILURE_WORDS)
                    .expect("a few short words make a small automaton"),
            ),
        }
    }

    /// `folded` is a buffer that is kept between lines.
    fn matches(&self, text: &[u8], folded: &mut Vec<u8>) -> bool {
        match self {
            Self::Exact(finder) => finder.find(text).is_some(),
            Self::Folded(finder) => {
                folded.clear();
                folded.extend_from_slice(text);
                folded.make_ascii_lowercase();
                finder.find(folded).is_some()
            }
            Self::Words(words) => words.is_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(needle: &Needle, text: &str, expected: bool) {
        assert_eq!(
            Matcher::new(needle).matches(text.as_bytes(), &mut Vec::new()),
            expected,
            "{needle:?} {text}"
        );
    }

    #[test]
    fn capitals_in_the_text_make_the_search_exact() {
        let text = |text: &str| Needle::Text(text.to_owned());
        check(&text("disk full"), "write: Disk Full", true);
        check(&text("Disk"), "disk", false);
        check(&text("Disk"), "a Disk", true);
    }

    #[test]
    fn words_of_failure_are_found_in_any_case() {
        check(&Needle::Failure, "thread 'main' PANICKED", true);
        check(&Needle::Failure, "Traceback (most recent call last):", true);
        check(&Needle::Failure, "all is well", false);
    }
}
