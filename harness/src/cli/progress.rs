//! The progress line: on a terminal, while a campaign works.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use moonphase::campaign::fuzz::Counts;
use moonphase::campaign::triage::Shrinking;

/// A line at the bottom of the terminal; nothing on a pipe.
pub struct Line {
    bar: ProgressBar,
}

impl Line {
    pub fn new() -> Line {
        let bar = ProgressBar::no_length();
        if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
            // The template is a constant; should it be wrong, the line just looks different.
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(200));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Line { bar }
    }

    pub fn show(&self, counts: &Counts) {
        self.say(counts.runs, |rate| {
            let Counts { runs, findings, inconclusive, covered, reachable, .. } = counts;
            let states = if *covered > 0 { format!(", {covered}/{reachable} states covered") } else { String::new() };
            format!("{runs} runs, {rate:.0} runs/s, {findings} findings, {inconclusive} inconclusive{states}")
        });
    }

    /// Shows a message, which is made of the runs a second.
    pub fn say(&self, runs: u64, message: impl FnOnce(f64) -> String) {
        if self.bar.is_hidden() || !runs.is_multiple_of(16) {
            return;
        }
        self.bar.set_message(message(runs as f64 / self.bar.elapsed().as_secs_f64().max(0.001)));
    }

    /// Shows how shrinking a finding gets on.
    pub fn shrinking(&self, Shrinking { judged, lines }: Shrinking) {
        if self.bar.is_hidden() || lines == usize::MAX {
            return;
        }
        self.bar.set_message(format!("minimizing: {lines} lines left, {judged} scripts judged"));
    }

    /// Prints something above the line.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    pub fn clear(&mut self) {
        self.bar.finish_and_clear();
    }
}
