//! The command line's model: what is common to all commands.

use clap::Parser;

use crate::{commands::Command, exit, terminal::Format};

/// Workflows in YAML: jobs that start now, every line kept, failures that say their cause
#[derive(Debug, Parser)]
#[command(
    name = "stroem",
    bin_name = "stroem",
    version,
    after_help = exit::help(),
    after_long_help = exit::help(),
    max_term_width = 100,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// How results are written to the standard output
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_model_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_help() {
        let mut cli = Cli::command().term_width(100);
        cli.build();
        let mut text = cli.render_help().to_string();
        for command in cli.get_subcommands_mut() {
            let help = command.render_help();
            text += &format!("\n==== {} ====\n{help}", command.get_name());
            let name = command.get_name().to_owned();
            for inner in command.get_subcommands_mut() {
                let help = inner.render_help();
                text += &format!("\n==== {name} {} ====\n{help}", inner.get_name());
            }
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn usage_errors_say_what_to_write() {
        let cases: [&[&str]; 6] = [
            &["stroem", "rnu", "hello"],
            &["stroem", "run"],
            &["stroem", "cancel", "17"],
            &["stroem", "jobs", "--output", "yaml"],
            &["stroem", "trigger", "hello", "--folow"],
            &["stroem", "jobs", "--token", "a b"],
        ];
        let errors: Vec<String> = cases
            .iter()
            .map(|arguments| {
                let error = Cli::try_parse_from(*arguments).expect_err("a mistake");
                format!("$ {}\n{}", arguments.join(" "), error.render())
            })
            .collect();
        insta::assert_snapshot!(errors.join("\n"));
    }
}
