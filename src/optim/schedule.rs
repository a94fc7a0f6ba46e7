//! Numbers that change in the course of training.

use serde::{Deserialize, Serialize};

/// How the learning rates of a run fall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Schedule {
    /// As [`exponential`] says, until the steps of the decay are over.
    Exponential {
        /// The last rates as a share of the first ones; 1 for rates that stay.
        lr_final: f64,
    },
    /// As [`Plateau`] says.
    Plateau {
        /// See [`Plateau::patience`].
        patience: u32,
    },
}

impl Schedule {
    /// The plateau that a run with this schedule watches for, before its first look.
    pub fn plateau(self) -> Option<Plateau> {
        match self {
            Self::Exponential { .. } => None,
            Self::Plateau { patience } => Some(Plateau::new(patience)),
        }
    }
}

/// Exponential decay from `start` to `end` over `steps`: `start · (end/start)^(step/steps)`, and `end` after.
pub fn exponential(start: f64, end: f64, step: u64, steps: u64) -> f64 {
    let progress = (step as f64 / steps.max(1) as f64).min(1.0);
    start * (end / start).powf(progress)
}

/// "Once learning plateaus, we scaled the learning rate down by a factor of 10 and let it continue once more
/// until the FID plateaus" (section 3.1): rates fall to a tenth, once, when `patience` looks in a row have not
/// brought a smaller metric than the best one so far. The run then goes on to its last step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plateau {
    /// Looks in a row without a new best that make a plateau.
    pub patience: u32,
    /// The smallest metric so far; infinite before the first look.
    pub best: f64,
    /// Looks since the best one.
    pub waited: u32,
    /// Whether the rates have fallen.
    pub dropped: bool,
}

impl Plateau {
    /// What rates are multiplied with on a plateau.
    pub const FACTOR: f64 = 0.1;

    /// A schedule before its first look.
    pub fn new(patience: u32) -> Self {
        Self {
            patience,
            best: f64::INFINITY,
            waited: 0,
            dropped: false,
        }
    }

    /// Takes note of a `metric` of which less is better. NaN is never better.
    pub fn look(&mut self, metric: f64) {
        if metric < self.best {
            (self.best, self.waited) = (metric, 0);
        } else {
            self.waited = self.waited.saturating_add(1);
        }
        self.dropped |= self.waited >= self.patience;
    }

    /// What the first learning rates are to be multiplied with now.
    pub fn factor(&self) -> f64 {
        if self.dropped { Self::FACTOR } else { 1.0 }
    }

    /// What changes, as text that [`Plateau::restore`] reads back to the same bits: `27.25 3 false`.
    pub fn state(&self) -> String {
        format!("{} {} {}", self.best, self.waited, self.dropped)
    }

    /// The schedule with `patience` that was in this `state`; `None` if the text is not one.
    pub fn restore(patience: u32, state: &str) -> Option<Self> {
        let mut words = state.split(' ');
        Some(Self {
            patience,
            best: words.next()?.parse().ok()?,
            waited: words.next()?.parse().ok()?,
            dropped: words.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Plateau, exponential};

    #[test]
    fn decays_by_equal_factors_and_then_stays() {
        assert_eq!(exponential(8.0, 2.0, 0, 100), 8.0);
        assert!((exponential(8.0, 2.0, 50, 100) - 4.0).abs() < 1e-12);
        assert!((exponential(8.0, 2.0, 100, 100) - 2.0).abs() < 1e-12);
        assert!((exponential(8.0, 2.0, 999, 100) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn rates_drop_once_after_patience_looks_without_a_new_best() {
        let mut plateau = Plateau::new(2);
        let mut factors = vec![];
        for metric in [5.0, 4.0, 4.0, 3.0, f64::NAN, 3.5, 1.0, 2.0, 2.0, 2.0] {
            plateau.look(metric);
            factors.push(plateau.factor());
        }
        assert_eq!(factors, [1.0, 1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 0.1]);
    }

    #[test]
    fn the_state_comes_back_to_the_bit() {
        let mut plateau = Plateau::new(3);
        for metric in [f64::INFINITY, 0.1 + 0.2, 1e-300, f64::NAN, 7.0, 7.0] {
            let state = plateau.state();
            assert_eq!(Plateau::restore(3, &state), Some(plateau), "{state}");
            plateau.look(metric);
        }
        assert!(Plateau::restore(3, &plateau.state()).unwrap().dropped);
        for broken in ["", "1.0", "1.0 2", "x 2 true", "1.0 -2 true", "1.0 2 yes"] {
            assert_eq!(Plateau::restore(3, broken), None, "{broken}");
        }
    }
}
