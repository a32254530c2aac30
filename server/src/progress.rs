//! How far a long command is: a bar on a terminal, a plain line now and then elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a plain line is written at most.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// The progress of one stage.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    bar: ProgressBar,
    plain: Option<Mutex<Instant>>,
}

impl Progress {
    /// Begins a stage of `total` steps.
    pub(crate) fn of(what: &'static str, total: usize) -> Self {
        let bar = ProgressBar::new(total as u64).with_message(what);
        let style = ProgressStyle::with_template("{msg:34} {bar:30} {human_pos:>7} of {human_len} {eta:>4}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        let plain = (!std::io::stderr().is_terminal()).then(|| Mutex::new(Instant::now()));
        Self { what, bar, plain }
    }

    /// Counts `n` steps more. May be called from several threads.
    pub(crate) fn advance(&self, n: usize) {
        self.bar.inc(n as u64);
        let Some(Ok(mut last)) = self.plain.as_ref().map(Mutex::lock) else { return };
        if LINE_EVERY <= last.elapsed() {
            *last = Instant::now();
            self.line();
        }
    }

    /// Ends the stage and leaves a line of it.
    pub(crate) fn finish(self) {
        if self.plain.is_some() {
            self.line();
        } else {
            self.bar.finish();
        }
    }

    fn line(&self) {
        let total = self.bar.length().unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "{}: {} of {total}", self.what, self.bar.position());
    }
}
