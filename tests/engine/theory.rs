//! The paper's appendix in numbers: what the proofs of A.2 say of the kernel, of the field at the peaks of a density
//! difference and of their decay, and what A.4 says of finite samples.

use coulomb_gan::coulomb::Plummer;
use coulomb_gan::numbers::rng::{self, stream};

/// Kernels and dimensions `m` that Theorem 1 is about, `d ≤ m − 2`.
const CASES: [(u32, f64, usize); 6] = [
    (1, 1.0, 3),
    (1, 0.3, 5),
    (2, 2.0, 6),
    (3, 1.0, 7),
    (3, 0.5, 12),
    (3, 1.0, 3072),
];

/// Distances that span the kernel's width.
const DISTANCES: [f64; 9] = [0.0, 0.01, 0.1, 0.3, 1.0, 2.0, 5.0, 20.0, 100.0];

/// `∇²k` at distance `r` in `m` dimensions.
fn laplacian(d: u32, epsilon: f64, m: usize, r: f64) -> f64 {
    let (mut a, b) = (vec![0.0; m], vec![0.0; m]);
    a[m / 2] = r;
    Plummer { d, epsilon }.laplacian(&a, &b)
}

/// `(f(x + h) − f(x − h)) / 2h`.
fn slope(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    let h = 1e-4 * x.max(0.01);
    (f(x + h) - f(x - h)) / (2.0 * h)
}

fn assert_close(value: f64, wanted: f64, scale: f64, what: &str) {
    let error = (value - wanted).abs();
    assert!(error <= 1e-5 * scale, "{what}: {value} is not {wanted}");
}

/// Eqs. (13) and (14): `∂²/∂r² + (m − 1)/r ∂/∂r` of a function of the distance alone is its Laplacian.
#[test]
fn the_laplacian_is_that_of_spherical_coordinates() {
    for (d, epsilon, m) in CASES {
        let k = |r: f64| (r * r + epsilon * epsilon).powf(-f64::from(d) / 2.0);
        for r in DISTANCES.into_iter().filter(|r| *r > 0.0) {
            let h = 1e-3 * r;
            let first = (k(r + h) - k(r - h)) / (2.0 * h);
            let second = (k(r + h) - 2.0 * k(r) + k(r - h)) / (h * h);
            let around = (m as f64 - 1.0) / r * first;
            let value = laplacian(d, epsilon, m, r);
            // Where k is flat, differences of it are all rounding.
            let scale = second.abs() + around.abs() + 1e-9 * k(r) / (h * h);
            assert_close(value, second + around, scale, "Eq. (14)");
        }
    }
}

/// Eqs. (15), (16) and (20): `−m d ε^−(d+2)` at the charge itself, negative everywhere, and never below
/// `d (2 + d − m) r^(−2−d)`, the bound that no longer knows ε. That bound needs `d ≤ m − 4`: for `d = m − 3`, and for
/// `m − 2`, where it is 0, `∇²k` lies below it far away.
#[test]
fn the_laplacian_is_negative_and_bounded() {
    let bound = |d: u32, m: usize, r: f64| {
        let (d, m) = (f64::from(d), m as f64);
        d * (2.0 + d - m) * r.powf(-2.0 - d)
    };
    for (d, epsilon, m) in CASES {
        let at_charge = laplacian(d, epsilon, m, 0.0);
        let wanted = -(m as f64) * f64::from(d) * epsilon.powf(-f64::from(d) - 2.0);
        assert_close(at_charge, wanted, wanted.abs(), "Eq. (15)");
        for r in DISTANCES {
            let value = laplacian(d, epsilon, m, r);
            assert!(value < 0.0, "Eq. (16) at {r}: {value}");
            if d as usize + 4 <= m && r > 0.0 {
                // Far away the two agree to the last digits.
                assert!(value > bound(d, m, r) * (1.0 + 1e-12), "Eq. (20) at {r}");
            }
        }
    }
    for m in [4, 5] {
        assert!(laplacian(2, 1.0, m, 10.0) < bound(2, m, 10.0));
    }
}

/// Eq. (17): `∇²k` rises with the distance.
#[test]
fn the_laplacian_rises_with_the_distance() {
    for (d, epsilon, m) in CASES {
        let (d_, m_) = (f64::from(d), m as f64);
        for r in DISTANCES.into_iter().filter(|r| *r > 0.0) {
            let s = epsilon * epsilon + r * r;
            let inner = epsilon * epsilon * (2.0 + m_) + (m_ - 2.0 - d_) * r * r;
            let wanted = d_ * (2.0 + d_) * r * inner * s.powf(-3.0 - d_ / 2.0);
            assert!(wanted > 0.0);
            let value = slope(|r| laplacian(d, epsilon, m, r), r);
            let scale = wanted + 1e-6 * laplacian(d, epsilon, m, r).abs() / r;
            assert_close(value, wanted, scale, "Eq. (17)");
        }
    }
}

/// Eq. (18): and with ε, everywhere if `d ≤ m − 4`; if not, only within `√m ε` for `d = m − 3`, as the text after it
/// says.
#[test]
fn the_laplacian_rises_with_the_width() {
    for (d, epsilon, m) in CASES {
        let (d_, m_) = (f64::from(d), m as f64);
        for r in DISTANCES {
            let s = epsilon * epsilon + r * r;
            let inner = epsilon * epsilon * m_ + (m_ - 4.0 - d_) * r * r;
            let wanted = d_ * (2.0 + d_) * epsilon * inner * s.powf(-3.0 - d_ / 2.0);
            let value = slope(|epsilon| laplacian(d, epsilon, m, r), epsilon);
            let scale = wanted.abs() + laplacian(d, epsilon, m, r).abs() / epsilon;
            assert_close(value, wanted, scale, "Eq. (18)");
            if d_ <= m_ - 4.0 {
                assert!(wanted > 0.0, "Eq. (18) at {r}");
            }
        }
    }
    // d = m − 3: the sign changes at r = √m ε.
    let rises = |r: f64| slope(|epsilon| laplacian(2, epsilon, 5, r), 1.0) > 0.0;
    assert!(rises(0.99 * 5f64.sqrt()) && !rises(1.01 * 5f64.sqrt()));
}

/// A Gaussian blob of charge in `m` dimensions.
#[derive(Clone, Copy)]
struct Blob {
    charge: f64,
    /// The distance of its middle from the origin.
    at: f64,
    sigma: f64,
}

impl Blob {
    /// Its density at the origin, up to the factor `(2π)^(−m/2)` that all have in common.
    fn density(&self, m: i32) -> f64 {
        self.charge * self.sigma.powi(-m) * (-0.5 * (self.at / self.sigma).powi(2)).exp()
    }

    /// The mean of `f(r)` over its points, where `r` is their distance from the origin, times its charge: an integral
    /// over `r` and the angle towards its middle.
    fn mean(&self, m: i32, f: impl Fn(f64) -> f64) -> f64 {
        const STEPS: usize = 2000;
        let most = self.at + 12.0 * self.sigma;
        let (mut sum, mut weights) = (0.0, 0.0);
        for i in 0..STEPS {
            // Finer near the origin, where the kernel is sharp.
            let t = (i as f64 + 0.5) / STEPS as f64;
            let (r, width) = (most * t * t, 2.0 * most * t);
            let angles = if self.at == 0.0 { 1 } else { 100 };
            for j in 0..angles {
                let u = -1.0 + 2.0 * (j as f64 + 0.5) / f64::from(angles);
                let square = r * r + self.at * self.at - 2.0 * r * self.at * u;
                let around = match angles {
                    1 => 1.0,
                    _ => (1.0 - u * u).powf(0.5 * f64::from(m - 3)),
                };
                let weight =
                    width * r.powi(m - 1) * around * (-0.5 * square / self.sigma.powi(2)).exp();
                weights += weight;
                sum += weight * f(r);
            }
        }
        self.charge * sum / weights
    }
}

/// A difference of densities, as blobs whose charges add up to 0.
struct Difference(Vec<Blob>);

impl Difference {
    /// From the charge, the distance from the origin and the standard deviation of each blob.
    fn new(blobs: &[[f64; 3]]) -> Self {
        let blob = |&[charge, at, sigma]: &[f64; 3]| Blob { charge, at, sigma };
        Self(blobs.iter().map(blob).collect())
    }

    /// `ρ` at the origin, up to a factor.
    fn rho(&self, m: i32) -> f64 {
        self.0.iter().map(|blob| blob.density(m)).sum()
    }

    /// `∇·E` at the origin, Eqs. (12) and (19).
    fn divergence(&self, d: u32, epsilon: f64, m: i32) -> f64 {
        let f = |r| laplacian(d, epsilon, m as usize, r);
        -self.0.iter().map(|blob| blob.mean(m, f)).sum::<f64>()
    }
}

/// Eqs. (12), (19) and (21)-(24): where a density difference ρ has a peak, the field diverges with the sign of ρ, so
/// charges flow off a surplus and into a lack, and by Eq. (4) the peak moves towards 0.
#[test]
fn the_field_diverges_where_charge_is_in_surplus() {
    let differences = [
        // Real points narrower than generated ones: too few generated ones in the middle; and the other way round.
        Difference::new(&[[1.0, 0.0, 1.0], [-1.0, 0.0, 2.0]]),
        Difference::new(&[[1.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]),
        // Two modes of which the generator has lost the one at the origin, and seen from the one that it has kept (A.1).
        Difference::new(&[[0.5, 0.0, 1.0], [0.5, 8.0, 1.0], [-1.0, 8.0, 1.0]]),
        Difference::new(&[[0.5, 0.0, 1.0], [0.5, 8.0, 1.0], [-1.0, 0.0, 1.0]]),
    ];
    for (d, m) in [(1, 5), (2, 5), (3, 5), (3, 7)] {
        for difference in &differences {
            let rho = difference.rho(m);
            for epsilon in [0.3, 0.1] {
                let divergence = difference.divergence(d, epsilon, m);
                assert_eq!(divergence > 0.0, rho > 0.0, "Eq. (22): {divergence} {rho}");
                let change = -rho.signum() * rho * divergence;
                assert_eq!(change.signum(), -rho.signum(), "Eq. (23)");
            }
        }
    }
}

/// The proof says more: that a small ε makes Eq. (21), and so (22), hold at every peak. It does for `d = m − 2`, whose
/// `∇²k` becomes a point. For smaller `d` the near part of the integral stays finite as ε goes to 0, since `r^(−2−d)` can
/// be integrated in more than `d + 2` dimensions; so a peak of little charge within a wide lack grows at first, however
/// small ε is.
#[test]
fn a_peak_of_little_charge_may_grow_at_first() {
    let m = 5;
    let difference =
        Difference::new(&[[1e-6, 0.0, 0.1], [-1.0, 0.0, 2.0], [1.0 - 1e-6, 0.0, 10.0]]);
    assert!(difference.rho(m) > 0.0);
    for epsilon in [0.1, 0.03, 0.01] {
        for d in [1, 2] {
            let divergence = difference.divergence(d, epsilon, m);
            assert!(divergence < 0.0, "d = {d}, ε = {epsilon}: {divergence}");
        }
    }
    assert!(difference.divergence(3, 0.01, m) > 0.0);
}

/// A.1: real points lie in two regions far apart, and a generator has lost one of them. The best discriminator of a GAN is
/// `ln p_y / p_x`, which is `ln ½` all over the region that is left: it has no slope there, and nothing tells of the
/// other region. The field does: on average it pulls generated points with half a charge from region to region, as those
/// that are left push each other as much as they are pushed.
#[test]
fn a_lost_region_is_felt_in_the_field_and_in_no_classifier() {
    let (spread, far) = (0.3, 10.0);
    let kept: Vec<f64> = normal("kept", 0, 64).iter().map(|n| spread * n).collect();
    let lost: Vec<f64> = normal("lost", 0, 64)
        .iter()
        .map(|n| far + spread * n)
        .collect();
    let real = [&kept[..], &lost].concat();

    let p = |b: f64, middle: f64| density(b / spread, middle / spread) / spread;
    let logit = |a: f64| (0.5 * p(a, 0.0) + 0.5 * p(a, far)).ln() - p(a, 0.0).ln();
    for &x in &kept {
        assert!((logit(x) - 0.5f64.ln()).abs() < 1e-12);
        let slope = (logit(x + 1e-3) - logit(x - 1e-3)) / 2e-3;
        assert!(slope.abs() < 1e-9, "{slope}");
    }

    for d in [1, 3] {
        let plummer = Plummer { d, epsilon: 1.0 };
        let of = |x: f64, charges: &[f64]| -> f64 {
            let slopes = charges.iter().map(|b| plummer.gradient(&[x], &[*b])[0]);
            slopes.sum::<f64>() / charges.len() as f64
        };
        // Up the potential, against the field.
        let forces = kept.iter().map(|&x| of(x, &real) - of(x, &kept));
        let mean = forces.sum::<f64>() / kept.len() as f64;
        let wanted = -0.5 * plummer.gradient(&[far], &[0.0])[0];
        assert!(
            (mean / wanted - 1.0).abs() < 0.1,
            "d = {d}: {mean} {wanted}"
        );
    }
}

/// Eqs. (25) and (26): what falls at least as fast as `−λ ρ²` lies below `1 / (λ t + 1 / ρ(0))`.
#[test]
fn the_largest_difference_decays_as_one_over_time() {
    for (lambda, start) in [(1.0, 0.5), (0.1, -3.0), (4.0, 0.01)] {
        let rate = |rho: f64| -rho.signum() * lambda * rho * rho;
        let (mut rho, h): (f64, f64) = (start, 1e-3);
        for i in 1..=20_000 {
            // Runge-Kutta of the fourth order.
            let k1 = rate(rho);
            let k2 = rate(rho + 0.5 * h * k1);
            let k3 = rate(rho + 0.5 * h * k2);
            let k4 = rate(rho + h * k3);
            rho += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
            let wanted = 1.0 / (lambda * h * f64::from(i) + 1.0 / start.abs());
            assert!(
                (rho.abs() - wanted).abs() < 1e-9,
                "Eq. (26): {rho} {wanted}"
            );
        }
        assert_eq!(rho.signum(), start.signum());
    }
}

/// `count` numbers from a normal distribution, in f64.
fn normal(name: &'static str, batch: u64, count: usize) -> Vec<f64> {
    let mut numbers = vec![0.0f32; count];
    rng::fill_normal(&mut stream(7, name, batch), &mut numbers);
    numbers.into_iter().map(f64::from).collect()
}

/// The mean of `f` over many minibatches, and its standard error.
fn mean(batches: u64, f: impl Fn(u64) -> f64) -> [f64; 2] {
    let values: Vec<f64> = (0..batches).map(f).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    [mean, (variance / n).sqrt()]
}

/// The integral of `f` over the line, for functions that are as narrow as a normal density.
fn integral(f: impl Fn(f64) -> f64) -> f64 {
    const STEP: f64 = 1e-3;
    let points = -12_000..=12_000;
    points.map(|i| STEP * f(STEP * f64::from(i))).sum()
}

fn density(b: f64, middle: f64) -> f64 {
    (-0.5 * (b - middle).powi(2)).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// Real points are N(1, 1), generated ones N(−1, 1).
const MIDDLES: [f64; 2] = [1.0, -1.0];

fn minibatch(batch: u64) -> [Vec<f64>; 2] {
    let [mut y, mut x] = ["y", "x"].map(|name| normal(name, batch, 4));
    y.iter_mut().for_each(|v| *v += MIDDLES[0]);
    x.iter_mut().for_each(|v| *v += MIDDLES[1]);
    [y, x]
}

/// Eqs. (30) and (31): as many points of a minibatch lie in a place, on average, as its probability says.
#[test]
fn the_densities_of_minibatches_are_unbiased() {
    for place in [-1.0, 0.0, 0.7] {
        let share = |batch| {
            let [_, x] = minibatch(batch);
            x.iter().filter(|v| **v < place).count() as f64 / x.len() as f64
        };
        let [mean, error] = mean(4000, share);
        let wanted = integral(|b| {
            if b < place {
                density(b, MIDDLES[1])
            } else {
                0.0
            }
        });
        assert!(
            (mean - wanted).abs() < 4.0 * error,
            "{mean} {wanted} {error}"
        );
    }
}

/// Eqs. (5), (32) and (35): the potential of a minibatch is on average that of the densities; and its spread is large:
/// that of the minibatch's potential is what makes the paper learn D instead of following it (section 2.4).
#[test]
fn the_potential_of_minibatches_is_unbiased_and_noisy() {
    let plummer = Plummer { d: 3, epsilon: 1.0 };
    for a in [-2.0, 0.0, 1.0] {
        let k = |b: f64| plummer.k(&[a], &[b]);
        let mean_k =
            |points: &[f64]| points.iter().map(|b| k(*b)).sum::<f64>() / points.len() as f64;
        let phi = |batch| {
            let [y, x] = minibatch(batch);
            mean_k(&y) - mean_k(&x)
        };
        let batches = 4000;
        let [mean, error] = mean(batches, phi);
        let wanted = integral(|b| (density(b, MIDDLES[0]) - density(b, MIDDLES[1])) * k(b));
        assert!(
            (mean - wanted).abs() < 4.0 * error,
            "Eq. (35): {mean} {wanted} {error}"
        );
        let spread = error * (batches as f64).sqrt();
        assert!(spread > 0.1, "{spread}");
    }
}

/// Eqs. (28), (29) and (33): the energy of the densities is what the two players share: half the mean potential at real
/// points less half that at generated ones, of which the second half is Eq. (10) with D = Φ.
#[test]
fn the_energy_is_half_the_difference_of_mean_potentials() {
    let plummer = Plummer { d: 1, epsilon: 1.0 };
    // On a coarse line, for the pairs are many.
    let points: Vec<f64> = (-80..=80).map(|i| 0.1 * f64::from(i)).collect();
    let rho = |b: f64| density(b, MIDDLES[0]) - density(b, MIDDLES[1]);
    let phi = |a: f64| -> f64 {
        let terms = points
            .iter()
            .map(|b| 0.1 * rho(*b) * plummer.k(&[a], &[*b]));
        terms.sum()
    };
    let mean_phi = |middle: f64| -> f64 {
        points
            .iter()
            .map(|a| 0.1 * density(*a, middle) * phi(*a))
            .sum()
    };
    let by_rho: f64 = points.iter().map(|a| 0.05 * rho(*a) * phi(*a)).sum();
    let [at_real, at_generated] = MIDDLES.map(mean_phi);
    let by_players = 0.5 * at_real - 0.5 * at_generated;
    assert!((by_rho - by_players).abs() < 1e-12, "{by_rho} {by_players}");
    assert!(by_rho > 0.0);
}
