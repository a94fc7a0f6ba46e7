//! Numbers that change in the course of training.

/// Exponential decay from `start` to `end` over `steps`: `start · (end/start)^(step/steps)`, and `end` after.
pub fn exponential(start: f64, end: f64, step: u64, steps: u64) -> f64 {
    let progress = (step as f64 / steps.max(1) as f64).min(1.0);
    start * (end / start).powf(progress)
}

#[cfg(test)]
mod tests {
    use super::exponential;

    #[test]
    fn decays_by_equal_factors_and_then_stays() {
        assert_eq!(exponential(8.0, 2.0, 0, 100), 8.0);
        assert!((exponential(8.0, 2.0, 50, 100) - 4.0).abs() < 1e-12);
        assert!((exponential(8.0, 2.0, 100, 100) - 2.0).abs() < 1e-12);
        assert!((exponential(8.0, 2.0, 999, 100) - 2.0).abs() < 1e-12);
    }
}
