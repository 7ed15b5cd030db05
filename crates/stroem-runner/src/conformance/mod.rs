//! What every runner does, as tests. A runner's own test binary names its [`Subject`] once:
//!
//! ```text
//! stroem_runner::conformance_tests!(crate::subject());
//! ```
//!
//! and gets one test for each case. Scripts are plain `sh` with the usual small programs, so that they run in any image.
//! Must not know any platform: what only a platform can tell (is anything left of an attempt?) it asks the subject.

mod adoptions;
mod ends;
mod harness;
mod isolation;
mod stops;
mod streams;

use std::{io::Write as _, path::Path, time::Duration};

pub use adoptions::*;
use async_trait::async_trait;
pub use ends::*;
pub use isolation::*;
pub use stops::*;
pub use streams::*;

use crate::{RunRequest, Runner};

/// A runner under test.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The runner.
    fn runner(&self) -> &dyn Runner;

    /// An empty directory of this test's own.
    fn directory(&self) -> &Path;

    /// What is left of an attempt on the platform, in words: processes, containers, pods, groups.
    async fn left_of(&self, request: &RunRequest) -> Vec<String>;

    /// Whether stdout and stderr can be told apart.
    fn separates_streams(&self) -> bool {
        true
    }

    /// How long a stopped attempt may take beyond its grace until everything of it is removed. Nothing of it runs after
    /// one second; a platform may need another to take its things away.
    fn stop_margin(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Whether every byte arrives as it was printed. A platform whose logs are text replaces what is not UTF-8.
    fn keeps_bytes(&self) -> bool {
        true
    }

    /// Why a memory limit cannot be tested here; nothing when it can.
    fn no_memory_limit(&self) -> Option<String> {
        None
    }
}

/// What came of a case that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It could not be tried, for this reason. In CI that is a failure.
    Skipped(String),
}

/// Says that a test could not be tried: in its output, and in the list that `cargo xtask ci` shows, where CI takes it for a
/// failure.
///
/// # Panics
/// When the list cannot be written.
#[expect(clippy::print_stdout, reason = "the output of a test")]
#[expect(clippy::disallowed_methods, reason = "tests have no configuration that could say it")]
pub fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    println!("{test} skipped: {reason}");
    if let Some(list) = std::env::var_os("STROEM_SKIP_FILE") {
        let file = std::fs::File::options().append(true).create(true).open(list);
        file.and_then(|mut file| writeln!(file, "{test}: {reason}"))
            .expect("the list of skipped tests can be written");
    }
}

/// One test for each case, or for those that are listed after it, on a subject made anew by the expression.
#[macro_export]
macro_rules! conformance_tests {
    ($subject:expr) => {
        $crate::conformance_tests! { $subject;
            exit_codes_are_told_apart
            arguments_arrive_as_they_are
            the_interpreter_can_be_replaced
            a_source_file_runs_inside_the_workspace
            paths_outside_the_workspace_are_refused
            a_hundred_fast_commands_give_a_hundred_results
            the_output_file_becomes_a_line
            a_failed_command_has_no_output_file
            a_step_over_its_memory_limit_ends_as_out_of_memory
            events_come_in_their_order
            both_streams_arrive_whole_and_in_order
            bytes_that_are_not_utf8_do_not_end_the_capture
            a_line_of_50_mb_arrives_and_memory_stays_flat
            a_slow_receiver_loses_nothing
            a_receiver_that_is_gone_does_not_end_the_step
            a_background_child_that_holds_the_output_is_killed_and_named
            a_silent_background_child_is_killed_and_named
            a_step_sees_only_the_documented_environment
            reserved_variables_cannot_be_changed
            standard_input_is_empty
            the_workspace_is_a_private_writable_copy
            links_and_executable_bits_survive
            the_working_directory_can_be_chosen
            home_and_tmp_are_private
            a_stop_kills_the_whole_tree
            a_command_that_obeys_term_ends_long_before_its_grace
            a_stop_decides_the_outcome_even_of_a_command_that_succeeds_then
            a_stop_before_the_start_starts_nothing
            a_command_without_anybody_to_stop_it_runs_to_its_end
            cleanup_of_an_attempt_that_never_ran_does_nothing
            an_attempt_that_was_let_go_is_taken_over_whole
            what_nobody_follows_is_found
            what_was_taken_over_can_be_stopped
            what_was_taken_over_can_be_let_go_again
            what_is_gone_cannot_be_taken_over
        }
    };
    ($subject:expr; $($case:ident)*) => {
        $(
            #[tokio::test] async fn $case() {
                let subject = $subject;
                if let $crate::conformance::Verdict::Skipped(reason) = $crate::conformance::$case(&subject).await {
                    $crate::conformance::skip(&reason);
                }
            }
        )*
    };
}
