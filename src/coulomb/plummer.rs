//! The low-dimensional Plummer kernel, Eq. (5), and its derivatives by hand.
//!
//! With `r = a − b`, `s = ‖r‖² + ε²` and `m` the dimension of the points:
//!
//! ```text
//! k(a, b)    = s^(−d/2)                                                   Eq. (5)
//! ∇_a k      = −d r s^(−d/2 − 1)                                          chain rule: ∇s = 2 r
//! ∇²_a k     = d (−ε² m + (2 + d − m) ‖r‖²) s^(−d/2 − 2)                   Eq. (14)
//! ```
//!
//! Eq. (14) is the divergence of the line above it: `∇·(r s^p) = m s^p + 2 p ‖r‖² s^(p−1)` with
//! `p = −d/2 − 1`, and `m s = m ‖r‖² + m ε²`.
//!
//! The paper's `d` is the exponent of Eq. (5), 3 in all its experiments. The authors' released code has a
//! flag `dimension` and uses the exponent `dimension − 2`: its 3 is our `d = 1`.

/// The kernel `k(a, b) = (‖a − b‖² + ε²)^(−d/2)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plummer {
    /// The exponent `d ≥ 1`. Larger is sharper, smaller reaches farther.
    pub d: u32,
    /// The width `ε > 0` within which two points count as near.
    pub epsilon: f64,
}

impl Plummer {
    fn s(&self, a: &[f64], b: &[f64]) -> f64 {
        let squares = std::iter::zip(a, b).map(|(a, b)| (a - b).powi(2));
        squares.sum::<f64>() + self.epsilon.powi(2)
    }

    /// `k(a, b)`, Eq. (5).
    pub fn k(&self, a: &[f64], b: &[f64]) -> f64 {
        self.s(a, b).powf(-f64::from(self.d) / 2.0)
    }

    /// `∇_a k(a, b)`.
    pub fn gradient(&self, a: &[f64], b: &[f64]) -> Vec<f64> {
        let d = f64::from(self.d);
        let factor = -d * self.s(a, b).powf(-d / 2.0 - 1.0);
        std::iter::zip(a, b)
            .map(|(a, b)| factor * (a - b))
            .collect()
    }

    /// `∇²_a k(a, b)`, Eq. (14); at `a = b` it is `−m d ε^−(d+2)`, Eq. (15). Negative everywhere if
    /// `d ≤ m − 2`, Eq. (16), which is what Theorem 1 rests on (so the theorem says nothing about the plane).
    pub fn laplacian(&self, a: &[f64], b: &[f64]) -> f64 {
        let (d, m) = (f64::from(self.d), a.len() as f64);
        let s = self.s(a, b);
        let r_squared = s - self.epsilon.powi(2);
        let numerator = -self.epsilon.powi(2) * m + (2.0 + d - m) * r_squared;
        d * numerator * s.powf(-d / 2.0 - 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Plummer;
    use proptest::prelude::*;

    fn points(m: usize) -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        let point = || prop::collection::vec(-3.0..3.0, m);
        (point(), point())
    }

    fn kernel() -> impl Strategy<Value = Plummer> {
        (1u32..5, 0.3..3.0).prop_map(|(d, epsilon)| Plummer { d, epsilon })
    }

    /// `(f(a + h e_i) − f(a − h e_i)) / 2h`.
    fn slope(a: &[f64], i: usize, h: f64, f: impl Fn(&[f64]) -> f64) -> f64 {
        let at = |shift: f64| {
            let mut a = a.to_vec();
            a[i] += shift;
            f(&a)
        };
        (at(h) - at(-h)) / (2.0 * h)
    }

    proptest! {
        #[test]
        fn gradient_is_the_slope_of_k(k in kernel(), (a, b) in (1usize..7).prop_flat_map(points)) {
            let gradient = k.gradient(&a, &b);
            for (i, g) in gradient.iter().enumerate() {
                let difference = slope(&a, i, 1e-5, |a| k.k(a, &b));
                prop_assert!((g - difference).abs() < 1e-6 * (1.0 + difference.abs()));
            }
        }

        #[test]
        fn laplacian_is_the_divergence_of_the_gradient(
            k in kernel(),
            (a, b) in (1usize..7).prop_flat_map(points),
        ) {
            let divergence: f64 =
                (0..a.len()).map(|i| slope(&a, i, 1e-5, |a| k.gradient(a, &b)[i])).sum();
            let laplacian = k.laplacian(&a, &b);
            prop_assert!((laplacian - divergence).abs() < 1e-5 * (1.0 + divergence.abs()));
        }

        #[test]
        fn signs_of_appendix_a2(k in kernel(), (a, b) in (3usize..9).prop_flat_map(points)) {
            let m = a.len() as f64;
            let at_charge = -m * f64::from(k.d) * k.epsilon.powi(-(k.d as i32) - 2);
            let value = k.laplacian(&a, &a);
            prop_assert!((value - at_charge).abs() < 1e-9 * at_charge.abs());
            if f64::from(k.d) <= m - 2.0 {
                prop_assert!(k.laplacian(&a, &b) < 0.0);
            }
        }
    }
}
