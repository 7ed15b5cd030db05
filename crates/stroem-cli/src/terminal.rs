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
    live: bool,
    /// The standard output is a terminal.
    shows: bool,
}

/// Which outputs take ANSI colours.
#[derive(Debug, Clone, Copy, Default)]
struct Colors {
    out: bool,
    err: bool,
}

impl Terminal {
    /// The process's own outputs. Colours and the live view only where a terminal shows them; `NO_COLOR`,
    /// `CLICOLOR` and `TERM=dumb` are respected.
    pub(crate) fn of_process(format: Format) -> Self {
        let err = console::Term::stderr();
        Self {
            out: Mutex::new(Box::new(io::stdout())),
            err: Mutex::new(Box::new(io::stderr())),
            format,
            color: Colors { out: console::colors_enabled(), err: console::colors_enabled_stderr() },
            live: err.is_term() && !is_dumb(),
            shows: console::Term::stdout().is_term(),
        }
    }

    #[cfg(test)]
    pub(crate) fn captured(format: Format) -> (Self, tests::Captured) {
        let captured = tests::Captured::default();
        let terminal = Self {
            out: Mutex::new(Box::new(captured.out.clone())),
            err: Mutex::new(Box::new(captured.err.clone())),
            format,
            color: Colors::default(),
            live: false,
            shows: false,
        };
        (terminal, captured)
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

    /// Whether the standard error is a terminal that can be drawn on.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Whether the standard output is a terminal, which would obey control sequences in what a step printed.
    pub(crate) fn is_shown(&self) -> bool {
        self.shows
    }

    /// Rows and columns of the terminal at the standard error, or those of an ordinary one.
    pub(crate) fn size(&self) -> (usize, usize) {
        let size = console::Term::stderr().size_checked();
        size.map_or((24, 80), |(rows, columns)| (usize::from(rows), usize::from(columns)))
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

/// A terminal without cursor movement.
#[expect(clippy::disallowed_methods, reason = "here the program learns what its terminal can do")]
fn is_dumb() -> bool {
    std::env::var("TERM").is_ok_and(|term| term == "dumb")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;

    /// Everything that was written.
    #[derive(Default, Clone)]
    pub(crate) struct Captured {
        pub(super) out: Sink,
        pub(super) err: Sink,
    }

    #[derive(Default, Clone)]
    pub(super) struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(crate) fn out(&self) -> String {
            self.out.text()
        }

        pub(crate) fn err(&self) -> String {
            self.err.text()
        }
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
