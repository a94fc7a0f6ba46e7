//! How far apart are two sets of pictures? The Fréchet distance between Gaussians fitted to their features.
//!
//! For Gaussians with means `m` and covariances `C` (Dowson & Landau 1982)
//!
//! ```text
//! d² = ‖m₁ − m₂‖² + tr(C₁ + C₂ − 2 (C₁^½ C₂ C₁^½)^½)
//! ```
//!
//! Of features of the Inception network of 2015-12-05 this is the FID (Heusel et al. 2017), which the paper reports:
//! [`Moments`] of the features of both sets, then [`distance()`]. **The numbers of [`PictureJudge`] are not the FID** and
//! cannot be compared with published ones: its features come from a fixed random network and from the pixels
//! themselves. They fall when samples get nearer to the data, and tell runs on the same data apart; whether pictures
//! look right to people they do not know.

mod factor;
mod judge;
mod moments;
pub mod statistics;

pub use judge::{Frechet, PictureJudge};
pub use moments::Moments;

use factor::factor;
use nalgebra::{DMatrix, DVector, SVD};

use crate::numbers::{Error, Result};

/// Rounds of the QR iteration per eigenvalue. Two or three are usual; the limit is there so that nothing hangs.
const ROUNDS: usize = 100;

/// A Gaussian: mean and covariance.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Gaussian {
    /// The Gaussian with this mean and covariance, a symmetric matrix of `mean.len()` rows.
    ///
    /// # Panics
    /// If the number of elements of the covariance is not the square of the mean's.
    pub fn new(mean: &[f64], covariance: &[f64]) -> Self {
        let n = mean.len();
        Self {
            mean: DVector::from_column_slice(mean),
            covariance: DMatrix::from_column_slice(n, n, covariance),
        }
    }

    /// How many features there are.
    pub fn features(&self) -> usize {
        self.mean.len()
    }

    /// The mean, `[n]`.
    pub fn mean(&self) -> &[f64] {
        self.mean.as_slice()
    }

    /// The covariance, `[n, n]`.
    pub fn covariance(&self) -> &[f64] {
        self.covariance.as_slice()
    }

    fn is_finite(&self) -> bool {
        let mut all = self.mean.iter().chain(&self.covariance);
        all.all(|x| x.is_finite())
    }
}

/// Checks that two Gaussians have a distance.
///
/// # Errors
/// If they are fitted to different numbers of features.
pub fn check_same_features(a: &Gaussian, b: &Gaussian) -> Result<()> {
    match a.features() == b.features() {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "statistics of {} features cannot be compared with statistics of {}; compute the same ones of both",
            a.features(),
            b.features()
        ))),
    }
}

/// The squared Fréchet distance `d²` of two Gaussians of equal dimension; NaN if a number of them is not finite.
///
/// Covariances need not have full rank. With `C₁ = A Aᵀ` and `C₂ = B Bᵀ` the eigenvalues under the root are those of
/// `Aᵀ C₂ A = (Aᵀ B)(Aᵀ B)ᵀ`, so their roots are the singular values of `Aᵀ B`: never imaginary, as with a root of `C₁ C₂`,
/// and found without squaring, which would lose half of the digits. 2,048 features need a few seconds.
///
/// # Panics
/// If the dimensions differ: [`check_same_features`] asks of Gaussians from files.
pub fn distance(a: &Gaussian, b: &Gaussian) -> f64 {
    assert_eq!(a.features(), b.features(), "other dimensions");
    if !a.is_finite() || !b.is_finite() {
        return f64::NAN;
    }
    let [root_a, root_b] = [a, b].map(|g| factor(&g.covariance));
    let Some(root) = nuclear(root_a.transpose() * root_b) else {
        return f64::NAN;
    };
    let means = (&a.mean - &b.mean).norm_squared();
    let traces = a.covariance.trace() + b.covariance.trace();
    // Rounding alone could make it negative.
    (means + traces - 2.0 * root).max(0.0)
}

/// The sum of the singular values; `None` if they cannot be found, for instance because a number overflowed.
fn nuclear(m: DMatrix<f64>) -> Option<f64> {
    if m.is_empty() {
        return Some(0.0);
    }
    if m.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let rounds = ROUNDS * m.nrows().max(m.ncols());
    let svd = SVD::try_new(m, false, false, f64::EPSILON, rounds)?;
    Some(svd.singular_values.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(x: f64, expected: f64) {
        assert!(
            (x - expected).abs() < 1e-6 * (1.0 + expected),
            "{x}, not {expected}"
        );
    }

    /// Both ways round: the distance is symmetric although its formula does not look so.
    fn both(a: &Gaussian, b: &Gaussian) -> f64 {
        let d = distance(a, b);
        close(distance(b, a), d);
        d
    }

    fn diagonal(mean: &[f64], variances: &[f64]) -> Gaussian {
        let covariance = DMatrix::from_diagonal(&DVector::from_column_slice(variances));
        Gaussian::new(mean, covariance.as_slice())
    }

    /// `g` after a rotation by `angle` in the plane of the first two axes.
    fn rotated(g: &Gaussian, angle: f64) -> Gaussian {
        let mut r = DMatrix::identity(g.mean.len(), g.mean.len());
        let (sin, cos) = angle.sin_cos();
        (r[(0, 0)], r[(0, 1)], r[(1, 0)], r[(1, 1)]) = (cos, -sin, sin, cos);
        Gaussian {
            mean: &r * &g.mean,
            covariance: &r * &g.covariance * r.transpose(),
        }
    }

    #[test]
    fn closed_forms() {
        let a = diagonal(&[1.0, -2.0, 3.0], &[4.0, 1.0, 0.25]);
        close(both(&a, &a), 0.0);
        close(
            both(&a, &diagonal(&[1.0, 1.0, -1.0], &[4.0, 1.0, 0.25])),
            25.0,
        );
        // Σ (s₁ − s₂)² for independent axes: (2 − 1)² + (1 − 3)² + (½ − ½)².
        let b = diagonal(&[1.0, -2.0, 3.0], &[1.0, 9.0, 0.25]);
        close(both(&a, &b), 5.0);
        // Rotating both changes nothing but where the axes are.
        close(both(&rotated(&a, 0.7), &rotated(&b, 0.7)), 5.0);
        // In one dimension (m₁ − m₂)² + (s₁ − s₂)².
        close(
            both(&diagonal(&[3.0], &[1.0]), &diagonal(&[0.0], &[16.0])),
            18.0,
        );
    }

    /// For 2 x 2 matrices tr √M = √(tr M + 2 √det M), so covariances that do not commute have a closed form too.
    #[test]
    fn covariances_that_do_not_commute() {
        let a = diagonal(&[0.0, 0.0], &[4.0, 1.0]);
        for angle in [0.1, 0.5, 1.5] {
            let b = rotated(&diagonal(&[0.0, 0.0], &[9.0, 0.5]), angle);
            let product = &a.covariance * &b.covariance;
            let root = (product.trace() + 2.0 * product.determinant().sqrt()).sqrt();
            close(both(&a, &b), 14.5 - 2.0 * root);
        }
    }

    #[test]
    fn covariances_without_full_rank() {
        let line = diagonal(&[0.0; 3], &[4.0, 0.0, 0.0]);
        close(both(&line, &line), 0.0);
        close(both(&line, &diagonal(&[0.0; 3], &[0.0; 3])), 4.0);
        close(both(&line, &diagonal(&[0.0; 3], &[1.0; 3])), 3.0);
        close(
            both(&line, &rotated(&line, std::f64::consts::FRAC_PI_2)),
            8.0,
        );
        // Rank 3 in 40 dimensions, as for fewer pictures than features.
        let mut few = Moments::new(40);
        for k in 0..4 {
            let row: Vec<f64> = (0..40).map(|i| f64::from(i * i * k % 17)).collect();
            few.add(&row);
        }
        let few = few.gaussian();
        let size = few.covariance.trace();
        assert!(both(&few, &few) < 1e-6 * size);
    }

    #[test]
    fn other_features_are_refused_and_none_are_equal() {
        let [one, two] = [diagonal(&[0.0], &[1.0]), diagonal(&[0.0; 2], &[1.0; 2])];
        let message = check_same_features(&one, &two).unwrap_err().to_string();
        assert!(
            message.contains("of 1 features cannot be compared"),
            "{message}"
        );
        assert!(check_same_features(&one, &one).is_ok());
        let none = Gaussian::new(&[], &[]);
        assert_eq!(distance(&none, &none), 0.0);
    }

    #[test]
    fn what_is_not_finite_has_no_distance() {
        let good = diagonal(&[0.0, 0.0], &[1.0, 1.0]);
        let no_row = Moments::new(2);
        let mut one_row = no_row.clone();
        one_row.add(&[1.0, 2.0]);
        for bad in [
            diagonal(&[f64::NAN, 0.0], &[1.0, 1.0]),
            diagonal(&[0.0, 0.0], &[f64::INFINITY, 1.0]),
            diagonal(&[0.0, 0.0], &[1e300, f64::NAN]),
            no_row.gaussian(),
            one_row.gaussian(),
        ] {
            assert!(distance(&good, &bad).is_nan() && distance(&bad, &bad).is_nan());
        }
        let huge = diagonal(&[0.0, 0.0], &[1e300, 1e300]);
        assert!(distance(&huge, &huge) < 1e-12 * 1e300, "not squared");
        let far = diagonal(&[1e200, 0.0], &[1.0, 1.0]);
        assert_eq!(distance(&good, &far), f64::INFINITY, "its square overflows");
    }
}
