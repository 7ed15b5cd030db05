//! The conformance suite on hosts that offer less: control groups of version 1 only, and none at all.

use std::path::Path;

use async_trait::async_trait;
use stroem_runner::{RunRequest, Runner, conformance::Subject};

use crate::{LocalRunner, LocalRunnerOptions, cgroup::Host, kill::family};

struct Fallback {
    runner: LocalRunner,
    directory: tempfile::TempDir,
}

impl Fallback {
    fn on(host: Host) -> Self {
        let (path, lang) = ("/usr/local/bin:/usr/bin:/bin".to_owned(), "C.UTF-8".to_owned());
        let runner = LocalRunner::new(LocalRunnerOptions { path, lang, keeper: None }).expect("a runner");
        Self { runner: runner.on_host(host), directory: tempfile::tempdir().expect("a directory") }
    }
}

#[async_trait]
impl Subject for Fallback {
    fn runner(&self) -> &dyn Runner {
        &self.runner
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    async fn left_of(&self, request: &RunRequest) -> Vec<String> {
        let marker = request.marker();
        let processes = family(|_, found| found == Some(marker.as_str()));
        let groups = self.runner.host().left(|found| found == marker);
        let mut left: Vec<String> = processes.iter().map(ToString::to_string).collect();
        left.extend(groups.iter().map(|group| group.display().to_string()));
        left
    }
}

mod version_1_only {
    use super::{Fallback, Host};

    stroem_runner::conformance_tests! { Fallback::on(Host::version_1().unwrap_or_else(Host::detect));
        exit_codes_are_told_apart
        a_hundred_fast_commands_give_a_hundred_results
        a_step_over_its_memory_limit_ends_as_out_of_memory
        a_background_child_that_holds_the_output_is_killed_and_named
        a_silent_background_child_is_killed_and_named
        a_stop_kills_the_whole_tree
        a_command_that_obeys_term_ends_long_before_its_grace
    }
}

mod no_control_groups {
    use super::{Fallback, Host};

    stroem_runner::conformance_tests! { Fallback::on(Host::default());
        exit_codes_are_told_apart
        a_hundred_fast_commands_give_a_hundred_results
        a_background_child_that_holds_the_output_is_killed_and_named
        a_silent_background_child_is_killed_and_named
        a_stop_kills_the_whole_tree
        a_command_that_obeys_term_ends_long_before_its_grace
    }
}
