//! The mixture of 25 Gaussians of appendix A.5: the toy example on which mode collapse would show at once.
//!
//! The paper asks for "100K data points drawn from a Gaussian mixture model of 25 components which are spread
//! out evenly in the range [-21, 21] x [-21, 21], with each component having a variance of 1". We read
//! "spread out evenly" as a regular 5 x 5 grid whose outermost *means* lie on the border of that square:
//! means on {-21, -10.5, 0, 10.5, 21}², every component with weight 1/25 and covariance I.

use rand_chacha::ChaCha8Rng;

use crate::numbers::rng;

/// Components along each axis.
const SIDE: usize = 5;

/// Number of components of the mixture.
pub const MODES: usize = SIDE * SIDE;

/// Standard deviation of every component along each axis (the paper's "variance of 1").
pub const STD: f32 = 1.0;

/// Number of data points, drawn once (the paper's "100K").
pub const COUNT: usize = 100_000;

/// Distance between neighbouring means: 42 / 4.
const SPACING: f32 = 10.5;

/// The 25 means, row by row: mode `5·r + c` lies at (10.5·(c − 2), 10.5·(r − 2)).
pub fn means() -> [[f32; 2]; MODES] {
    let middle = (SIDE / 2) as f32;
    std::array::from_fn(|mode| {
        let (row, column) = (mode / SIDE, mode % SIDE);
        [column, row].map(|i| SPACING * (i as f32 - middle))
    })
}

/// A fixed data set of [`COUNT`] points from the mixture.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    points: Vec<[f32; 2]>,
}

impl Mixture {
    /// Draws the data set that belongs to `seed`; the same seed always gives the same points.
    ///
    /// Each point picks its component uniformly, so the modes hold 4 000 points each only up to the binomial
    /// spread of about ±62.
    pub fn new(seed: u64) -> Self {
        let rng = &mut rng::stream(seed, "mixture", 0);
        let means = means();
        let mut points = vec![[0.0; 2]; COUNT];
        for point in &mut points {
            let mean = means[rng::below(rng, MODES)];
            rng::fill_normal(rng, point);
            for (x, m) in point.iter_mut().zip(mean) {
                *x = m + STD * *x;
            }
        }
        Self { points }
    }

    /// All points, in the order in which they were drawn.
    pub fn points(&self) -> &[[f32; 2]] {
        &self.points
    }

    /// Fills `out`, a row-major \[B, 2\] batch, with points drawn from the data set with replacement.
    ///
    /// This runs in every training step; it costs one 32-bit random number and one table look-up per point.
    /// A trailing odd element of `out`, which is no whole point, is left as it was.
    pub fn fill_batch(&self, rng: &mut ChaCha8Rng, out: &mut [f32]) {
        for row in out.as_chunks_mut::<2>().0 {
            *row = self.points[rng::below(rng, self.points.len())];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_has_its_share_mean_and_variance() {
        let mixture = Mixture::new(1);
        assert_eq!(mixture.points().len(), COUNT);
        for mean in means() {
            // At half the spacing (5.25 sigma) the modes do not touch, so a square finds a mode's points.
            let near = |p: &&[f32; 2]| (0..2).all(|i| (p[i] - mean[i]).abs() < SPACING / 2.0);
            let points: Vec<_> = mixture.points().iter().filter(near).collect();
            let n = points.len() as f64;
            assert!((n - 4000.0).abs() < 310.0, "{n} points near {mean:?}");
            let offset = |p: &[f32; 2], i: usize| f64::from(p[i] - mean[i]);
            for i in 0..2 {
                let average = points.iter().map(|p| offset(p, i)).sum::<f64>() / n;
                let variance = points.iter().map(|p| offset(p, i).powi(2)).sum::<f64>() / n;
                assert!(average.abs() < 0.08, "{mean:?}: mean off by {average}");
                assert!((variance - 1.0).abs() < 0.12, "{mean:?}: var {variance}");
            }
            let covariance = points.iter().map(|p| offset(p, 0) * offset(p, 1));
            assert!((covariance.sum::<f64>() / n).abs() < 0.08);
        }
    }

    #[test]
    fn the_seed_decides_everything() {
        let mixture = Mixture::new(7);
        assert_eq!(mixture, Mixture::new(7));
        assert_ne!(mixture, Mixture::new(8));
        let batch = |step| {
            let mut out = [0.0; 64];
            mixture.fill_batch(&mut rng::stream(7, "batch", step), &mut out);
            out
        };
        assert_eq!(batch(3), batch(3));
        assert_ne!(batch(3), batch(4));
    }

    #[test]
    fn batches_are_data_points_from_all_over_the_set() {
        let mixture = Mixture::new(2);
        let mut out = vec![f32::NAN; 2 * 50_000 + 1];
        mixture.fill_batch(&mut rng::stream(2, "batch", 0), &mut out);
        assert!(out[100_000].is_nan());
        let bits = |p: &[f32; 2]| p.map(f32::to_bits);
        let all: std::collections::HashSet<_> = mixture.points().iter().map(bits).collect();
        let (rows, _) = out.as_chunks::<2>();
        let seen: std::collections::HashSet<_> = rows.iter().map(bits).collect();
        assert!(seen.is_subset(&all));
        // With replacement, 1 - e^(-1/2) = 39.3 % of the set is hit by half as many draws as points.
        let share = seen.len() as f64 / COUNT as f64;
        assert!((share - 0.393).abs() < 0.01, "{share}");
    }
}
