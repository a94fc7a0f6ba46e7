//! Whoever watches a training: hears of it as it goes, and may ask it to stop.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What there is to show.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Steps done.
    pub step: u64,
    /// The losses of the discriminator and the generator, once there are any.
    pub losses: Option<[f64; 2]>,
    /// The last look at the samples, in a few words.
    pub look: String,
}

/// Hears what a waiting person should know. Nothing that happens here may end the work.
pub trait Hear: Send {
    /// A line for the person.
    fn say(&mut self, text: &str);

    /// A line about something that went wrong, or is not as it seems, and does not end the work.
    fn warn(&mut self, text: &str);
}

/// How long a warning of some kind stands before it is said again.
const SAY_AGAIN: Duration = Duration::from_secs(3600);

/// What goes wrong at present. What fails at every look need not be said at every look.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<&'static str, Instant>);

impl Troubles {
    /// Something of this `kind` has failed: `hear` is told, unless they know.
    pub fn warn(&mut self, kind: &'static str, text: &str, hear: &mut dyn Hear) {
        let is_known = self.0.get(kind).is_some_and(|at| at.elapsed() < SAY_AGAIN);
        if !is_known {
            self.0.insert(kind, Instant::now());
            hear.warn(text);
        }
    }

    /// Things of this `kind` work; whether that is news.
    pub fn end(&mut self, kind: &'static str) -> bool {
        self.0.remove(kind).is_some()
    }
}

/// Watches a training.
pub trait Watch: Hear {
    /// The opening look is over, and the training goes on from `step`: from here on, time is spent on steps.
    fn begin(&mut self, step: u64);

    /// Whether so much time has passed that something new should be shown.
    fn is_due(&self) -> bool;

    /// Shows `status`.
    fn show(&mut self, status: &Status);

    /// Whether the training should end before another step.
    fn is_asked_to_stop(&self) -> bool;
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Hear for Unwatched {
    fn say(&mut self, _: &str) {}

    fn warn(&mut self, _: &str) {}
}

impl Watch for Unwatched {
    fn begin(&mut self, _: u64) {}

    fn is_due(&self) -> bool {
        false
    }

    fn show(&mut self, _: &Status) {}

    fn is_asked_to_stop(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Counter(usize);

    impl Hear for Counter {
        fn say(&mut self, _: &str) {}

        fn warn(&mut self, _: &str) {
            self.0 += 1;
        }
    }

    #[test]
    fn what_keeps_failing_is_said_once() {
        let (mut troubles, mut counter) = (Troubles::default(), Counter::default());
        for step in 0..5 {
            troubles.warn("save", &format!("step {step}"), &mut counter);
            troubles.warn("look", "no colours", &mut counter);
        }
        assert_eq!(counter.0, 2);
        assert!(troubles.end("save") && !troubles.end("save"));
        troubles.warn("save", "again", &mut counter);
        assert_eq!(counter.0, 3);
    }
}
