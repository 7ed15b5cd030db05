//! `cargo xtask`: what the repository does to itself. `ci` is the one command that decides whether a tree is
//! good; the others are its parts, or measure. Nothing here is shipped, and nothing here may depend on the
//! product's crates: they are looked at from outside, as built programs and as text.

#![expect(clippy::print_stdout, reason = "a command-line tool talks on standard output")]
#![expect(
    clippy::disallowed_methods,
    reason = "the clock, the environment and threads are kept in one place in the product; this is a tool beside it"
)]

mod bench;
mod ci;
mod codegen;
mod docs;
mod fuzz;
mod markdown;
mod prerequisites;
mod proof;
mod repo;
mod shell;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::repo::Repo;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the repository", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that decides whether this tree is good, rung by rung (`make test`)
    Ci(ci::Options),
    /// The repository's own rules: dependency edges, sizes, links, words
    Tidy,
    /// Runs the snippets of README and docs
    Docs(docs::Options),
    /// Writes what is generated from the built program, or with --check compares it
    Codegen(codegen::Options),
    /// Measures, beside the floor of this machine in the same run
    Bench(bench::Options),
    /// The full-size versions of the tests that are short in `ci`
    Proof(proof::Options),
    /// Fuzzes what reads text that others wrote; a short run with a fixed seed is a test in `ci`
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = Repo::open().and_then(|repo| match arguments.command {
        Command::Ci(options) => ci::run(&repo, &options),
        Command::Tidy => tidy::run(&repo),
        Command::Docs(options) => docs::run(&repo, &options),
        Command::Codegen(options) => codegen::run(&repo, &options),
        Command::Bench(options) => bench::run(&repo, &options),
        Command::Proof(options) => proof::run(&repo, &options),
        Command::Fuzz(options) => fuzz::run(&repo, &options),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
