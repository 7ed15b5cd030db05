//! The only place that writes to the program's two outputs. Results go to the standard output, everything about
//! how it goes to the standard error. Must not know what is written.

use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

use crate::failure::Failure;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Both outputs, and what they can show.
pub(crate) struct Terminal {
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
    format: Format,
    color: Colors,
}

/// Which outputs take ANSI colours.
#[derive(Debug, Clone, Copy, Default)]
struct Colors {
    out: bool,
    err: bool,
}

impl Terminal {
    /// The process's own outputs. Colours only where a terminal shows them; `NO_COLOR` and
    /// `CLICOLOR` are respected.
    pub(crate) fn of_process(format: Format) -> Self {
        Self {
            out: Mutex::new(Box::new(io::stdout())),
            err: Mutex::new(Box::new(io::stderr())),
            format,
            color: Colors { out: console::colors_enabled(), err: console::colors_enabled_stderr() },
        }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether the standard output takes colours.
    pub(crate) fn color_out(&self) -> bool {
        self.color.out
    }

    /// Whether the standard error takes colours.
    pub(crate) fn color_err(&self) -> bool {
        self.color.err
    }

    /// Writes a part of the result.
    pub(crate) fn result(&self, text: &str) -> Result<(), Failure> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
    }

    /// Writes the whole result as indented JSON.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::Internal { message: format!("a result is not JSON: {error}") })?;
        self.result(&(text + "\n"))
    }

    /// Tells how it goes. That nobody listens is no reason to fail.
    pub(crate) fn note(&self, text: &str) {
        let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
        let _nobody_listens = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}
