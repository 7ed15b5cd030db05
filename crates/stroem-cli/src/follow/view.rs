//! What a person sees of a job on its way: on a terminal a line per step below the log, elsewhere the log alone.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use stroem_api::public::{JobDetail, LogLine};
use stroem_core::Timestamp;

use crate::{
    failure::Failure,
    follow::{
        frame::{self, Size},
        lines::{self, Prefix, Shape},
    },
    terminal::{Format, Terminal},
};

/// The view of one job.
pub(super) struct View<'t> {
    terminal: &'t Terminal,
    live: Option<Live>,
}

struct Live {
    bar: ProgressBar,
    job: Option<JobDetail>,
    tick: usize,
}

impl<'t> View<'t> {
    /// Live where the terminal can be drawn on.
    pub(super) fn new(terminal: &'t Terminal) -> Self {
        let live = terminal.is_live().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{msg}").expect("a template of one placeholder is one"),
            );
            Live { bar, job: None, tick: 0 }
        });
        Self { terminal, live }
    }

    pub(super) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Writes lines of the log: beside the result when that is JSON.
    pub(super) fn lines(&self, lines: &[LogLine]) -> Result<(), Failure> {
        let tame = self.is_live();
        match self.terminal.format() {
            Format::Text => {
                let text = lines::text(lines, Prefix::Step, Shape { color: self.terminal.color_out(), tame });
                self.above(|terminal| terminal.result(&text))
            }
            Format::Json => {
                let text = lines::text(lines, Prefix::Step, Shape { color: self.terminal.color_err(), tame });
                self.note(&text);
                Ok(())
            }
        }
    }

    /// Tells something beside the result.
    pub(super) fn note(&self, text: &str) {
        self.above(|terminal| terminal.note(text));
    }

    /// The job is like this now.
    pub(super) fn show(&mut self, job: &JobDetail, now: Timestamp) {
        if let Some(live) = &mut self.live {
            live.job = Some(job.clone());
            live.draw(self.terminal, now);
        }
    }

    /// Time goes on.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if let Some(live) = &mut self.live {
            live.tick += 1;
            live.draw(self.terminal, now);
        }
    }

    /// Takes the lines of the steps away.
    pub(super) fn clear(&self) {
        if let Some(live) = &self.live {
            live.bar.finish_and_clear();
        }
    }

    fn above<T>(&self, write: impl FnOnce(&Terminal) -> T) -> T {
        match &self.live {
            Some(live) => live.bar.suspend(|| write(self.terminal)),
            None => write(self.terminal),
        }
    }
}

impl Live {
    fn draw(&self, terminal: &Terminal, now: Timestamp) {
        let Some(job) = &self.job else { return };
        let (rows, columns) = terminal.size();
        // Half of the screen at most, so that the log has the other.
        let size = Size { rows: (rows / 2).max(3), columns };
        self.bar.set_message(frame::text(job, now, size, self.tick, terminal.color_err()));
    }
}
