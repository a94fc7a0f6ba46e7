//! Measures how long a call takes: rounds of many calls, and the median over the rounds.
//!
//! A round is long enough for the clock and short enough that most rounds escape the machine's other work;
//! the median ignores the ones that do not.

use std::time::{Duration, Instant};

/// A round repeats the call until it takes at least this long.
const ROUND: Duration = Duration::from_millis(5);

/// Rounds are added until all of them together took this long, ...
const BUDGET: Duration = Duration::from_millis(400);

/// ... but there are at least so many.
const ROUNDS: usize = 7;

/// The median over rounds of the mean time of one call, in seconds; where calls say how long they took, the median of
/// that.
pub fn median_seconds(work: &mut dyn FnMut() -> Option<f64>) -> f64 {
    let mut told = vec![];
    let start = Instant::now();
    while let Some(seconds) = work() {
        told.push(seconds);
        if told.len() >= ROUNDS && start.elapsed() > BUDGET {
            told.sort_by(f64::total_cmp);
            return told[told.len() / 2];
        }
    }
    let mut round = |calls: u32| {
        let start = Instant::now();
        for _ in 0..calls {
            work();
        }
        start.elapsed()
    };
    // Doubling the calls also warms up caches and branch predictors.
    let mut calls = 1;
    while round(calls) < ROUND {
        calls *= 2;
    }
    let mut rounds = vec![];
    while rounds.len() < ROUNDS || rounds.iter().sum::<Duration>() < BUDGET {
        rounds.push(round(calls));
    }
    rounds.sort();
    rounds[rounds.len() / 2].as_secs_f64() / f64::from(calls)
}
