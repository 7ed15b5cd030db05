//! Log lines from a pipe to stored chunks, for the worker and the server alike.
//!
//! The way of a byte, each stage in its module:
//!
//! ```text
//! pipe -> mask -> frame -> chunk -> limit -> spool -> (acknowledged by the server) -> seal
//! ```
//!
//! - [`mask`] hides secrets in the raw bytes; [`frame`] makes lines of them; [`chunk`] packs lines;
//!   [`limit`] keeps head and tail of a log that is too long; [`spool`] keeps packed lines until the server
//!   has them; [`seal`] is the file of a finished job; [`cursor`] is a position in a job's log and [`jsonl`]
//!   one line as the API shows it.
//! - **Masking comes before framing.** A secret may span lines, and lines are cut at a limit and in the middle
//!   of what a program wrote at once; only the byte stream as the program wrote it shows every secret whole.
//! - Everything here is synchronous and no module but [`spool`] (and [`limit`], through it) touches a file.
//!   Nothing reads a clock: the time arrives as an argument.
//! - Memory is bounded everywhere, whatever a program prints.

pub mod chunk;
mod crc;
pub mod cursor;
pub mod frame;
pub mod jsonl;
pub mod limit;
pub mod mask;
pub mod seal;
pub mod spool;
mod varint;
