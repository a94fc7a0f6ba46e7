//! What a waiting person sees: a bar on a terminal, plain lines elsewhere, nothing with `--quiet`.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a plain line appears.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How often the bar moves when steps are slow.
const BAR_EVERY: Duration = Duration::from_millis(250);

/// Shows progress on stderr.
pub struct Progress {
    kind: Kind,
    total: u64,
    started: (Instant, u64),
    last_shown: Instant,
}

enum Kind {
    Quiet,
    Lines,
    Bar(ProgressBar),
}

/// What there is to show.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Steps done.
    pub step: u64,
    /// The discriminator's loss, Eq. (9).
    pub loss_d: f64,
    /// The generator's loss, Eq. (10).
    pub loss_g: f64,
    /// The last look at the samples, in a few words.
    pub look: String,
}

impl Progress {
    /// Starts at `step` of `total`.
    pub fn new(quiet: bool, step: u64, total: u64) -> Self {
        let kind = if quiet {
            Kind::Quiet
        } else if std::io::stderr().is_terminal() {
            let bar =
                ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(4));
            let template = "{bar:30} {pos}/{len} · {msg} · {eta} left";
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_position(step);
            bar.reset_eta();
            Kind::Bar(bar)
        } else {
            Kind::Lines
        };
        let now = Instant::now();
        Self {
            kind,
            total,
            started: (now, step),
            last_shown: now,
        }
    }

    /// A line for the person, above the bar.
    pub fn say(&self, text: &str) {
        match &self.kind {
            Kind::Quiet => {}
            Kind::Lines => eprintln!("{text}"),
            Kind::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
        }
    }

    /// Steps per second since the start.
    pub fn rate(&self, step: u64) -> f64 {
        let (time, first) = self.started;
        (step - first) as f64 / time.elapsed().as_secs_f64().max(1e-9)
    }

    /// Whether so much time has passed that something new should be shown.
    pub fn is_due(&self) -> bool {
        match &self.kind {
            Kind::Quiet => false,
            Kind::Bar(_) => self.last_shown.elapsed() >= BAR_EVERY,
            Kind::Lines => self.last_shown.elapsed() >= LINE_EVERY,
        }
    }

    /// Shows `status`.
    pub fn show(&mut self, status: Status) {
        let rate = self.rate(status.step);
        let text = format!(
            "loss D {:.2e} G {:+.2e} · {} · {}",
            status.loss_d,
            status.loss_g,
            status.look,
            pace(rate)
        );
        match &self.kind {
            Kind::Quiet => {}
            Kind::Bar(bar) => {
                self.last_shown = Instant::now();
                bar.set_position(status.step);
                bar.set_message(text);
            }
            Kind::Lines if self.is_due() => {
                self.last_shown = Instant::now();
                let left = (self.total - status.step) as f64 / rate.max(1e-9);
                eprintln!(
                    "step {}/{} · {text} · {left:.0} s left",
                    status.step, self.total
                );
            }
            Kind::Lines => {}
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }
}

/// `rate` steps per second in words; slow steps, of more than a tenth of a second, in milliseconds.
fn pace(rate: f64) -> String {
    match rate < 10.0 {
        true => format!("{:.0} ms/step", 1e3 / rate.max(1e-9)),
        false => format!("{rate:.0} steps/s"),
    }
}
