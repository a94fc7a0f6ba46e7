//! What a waiting person sees: a bar on a terminal, plain lines elsewhere, nothing but warnings with `--quiet`.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::console;
use super::signals::Signals;
use crate::numbers::words::{count, duration};
use crate::train::watch::{Hear, Status, Watch};

/// How often a plain line appears.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How often the bar moves when steps are slow.
const BAR_EVERY: Duration = Duration::from_millis(250);

/// Whoever starts a run that takes longer than this many seconds should know it soon.
const LONG: f64 = 86_400.0;

/// Steps, and time, after which there is an estimate to go by.
const ESTIMATE_AFTER: (u64, Duration) = (3, Duration::from_secs(3));

/// Shows progress on stderr.
pub struct Progress {
    kind: Kind,
    total: u64,
    signals: Option<Signals>,
    /// What makes a run shorter, until it has been said.
    advice: Option<String>,
    started: (Instant, u64),
    last_shown: Option<Instant>,
}

enum Kind {
    Quiet,
    Lines,
    Bar(ProgressBar),
}

impl Progress {
    /// Watches a run of `total` steps; `advice` is what makes a long one shorter.
    pub fn new(quiet: bool, total: u64, advice: String) -> Self {
        let kind = if quiet {
            Kind::Quiet
        } else if console::can_redraw() {
            let target = ProgressDrawTarget::stderr_with_hz(4);
            let bar = ProgressBar::with_draw_target(Some(total), target);
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} · {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            Kind::Bar(bar)
        } else {
            Kind::Lines
        };
        Self {
            kind,
            total,
            signals: None,
            advice: (!quiet).then_some(advice),
            started: (Instant::now(), 0),
            last_shown: None,
        }
    }

    /// From now on, `signals` end the run.
    pub fn stop_with(&mut self, signals: Signals) {
        self.signals = Some(signals);
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }

    /// Writes a line, above the bar.
    fn line(&self, text: &str) {
        match &self.kind {
            Kind::Bar(bar) => bar.suspend(|| console::note(text)),
            Kind::Quiet | Kind::Lines => console::note(text),
        }
    }

    /// Steps per second since the start.
    fn rate(&self, step: u64) -> f64 {
        let (time, first) = self.started;
        step.saturating_sub(first) as f64 / time.elapsed().as_secs_f64().max(1e-9)
    }

    /// Seconds until the last step, once there is something to go by.
    fn left(&self, step: u64) -> Option<f64> {
        let (steps, time) = ESTIMATE_AFTER;
        let rate = self.rate(step);
        let is_known = step >= self.started.1 + steps || self.started.0.elapsed() > time;
        (is_known && rate > 0.0).then(|| self.total.saturating_sub(step) as f64 / rate)
    }

    /// Says once that a run will take long.
    fn warn_of_length(&mut self, step: u64) {
        let Some(left) = self.left(step).filter(|left| *left > LONG) else {
            return;
        };
        if let Some(advice) = self.advice.take() {
            self.warn(&format!(
                "at this pace the {} steps that are left take {}; {advice}",
                count(self.total.saturating_sub(step)),
                duration(left)
            ));
        }
    }
}

impl Hear for Progress {
    fn say(&mut self, text: &str) {
        if !matches!(self.kind, Kind::Quiet) {
            self.line(text);
        }
    }

    fn warn(&mut self, text: &str) {
        self.line(&format!("warning: {text}"));
    }
}

impl Watch for Progress {
    fn begin(&mut self, step: u64) {
        self.started = (Instant::now(), step);
        if let Kind::Bar(bar) = &self.kind {
            bar.set_position(step);
        }
    }

    fn is_due(&self) -> bool {
        let every = match &self.kind {
            Kind::Quiet => return false,
            Kind::Bar(_) => BAR_EVERY,
            Kind::Lines => LINE_EVERY,
        };
        // The first line comes after the first step: it may have taken a minute.
        self.last_shown.is_none_or(|last| last.elapsed() >= every)
    }

    fn show(&mut self, status: &Status) {
        self.last_shown = Some(Instant::now());
        self.warn_of_length(status.step);
        let losses = match status.losses {
            Some([d, g]) if d.is_finite() && g.is_finite() => {
                format!("loss D {d:.2e} G {g:+.2e} · ")
            }
            _ => String::new(),
        };
        let left = self.left(status.step);
        let left = left.map_or(String::new(), |left| format!(" · {} left", duration(left)));
        let pace = pace(self.rate(status.step));
        let text = format!("{losses}{} · {pace}{left}", status.look);
        match &self.kind {
            Kind::Quiet => {}
            Kind::Bar(bar) => {
                bar.set_position(status.step);
                bar.set_message(text);
            }
            Kind::Lines => {
                console::note(&format!("step {}/{} · {text}", status.step, self.total));
            }
        }
    }

    fn is_asked_to_stop(&self) -> bool {
        self.signals.as_ref().is_some_and(Signals::is_asked_to_stop)
    }
}

/// `rate` steps per second in words; slow steps, of more than a tenth of a second, by their time.
fn pace(rate: f64) -> String {
    match rate {
        rate if rate >= 10.0 => format!("{rate:.0} steps/s"),
        rate if rate >= 0.1 => format!("{:.0} ms/step", 1e3 / rate),
        rate => format!("{:.0} s/step", 1.0 / rate.max(1e-9)),
    }
}
