//! Which modes of the 25-Gaussian mixture does a generator reach, in what proportion and how widely?
//!
//! These are the claims of appendix A.5 as numbers: no mode missing, the correct ratio between modes, nearly
//! all mass on the modes, and the full spread within each of them.

use std::fmt;

use serde::Serialize;

/// A sample belongs to a mode's core if it lies within this many standard deviations of the mode's mean.
const RADIUS: f64 = 3.0;

/// A mode counts as covered from this fraction of its fair share of the samples.
pub(super) const COVERED: f64 = 0.2;

/// How a set of samples is spread over the 25 modes of the mixture; see [`ModeReport::new`].
///
/// "Core" means within 3σ of a mode's mean. Samples with a coordinate that is NaN or infinite belong to no
/// mode, but they stay in every denominator: a generator that produces them must not look better for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModeReport {
    /// Number of samples judged, finite or not.
    pub samples: usize,
    /// Number of covered modes, 0 to 25: those with at least 20 % of their fair share (1/25 of all samples)
    /// in their core.
    pub modes_covered: usize,
    /// Share of all samples in the core of their nearest mode, 0 to 1. The true mixture itself reaches
    /// 1 − e^(−9/2) = 0.989, because a 2-D Gaussian keeps the rest outside 3σ.
    pub high_quality: f64,
    /// The smallest of [`Self::shares`].
    pub share_min: f64,
    /// The largest of [`Self::shares`].
    pub share_max: f64,
    /// KL(empirical ‖ uniform) = Σ_k p_k ln(25 p_k) in nats, with p_k the share of finite samples whose
    /// nearest mean is k: 0 for equal proportions, ln 25 = 3.22 if all sit on one mode. Without any finite
    /// sample it is set to that worst value.
    pub kl: f64,
    /// Within-mode standard deviation, averaged over the covered modes, in units of the true one: 1 is right,
    /// smaller is a collapse within modes. 0 if no mode is covered.
    ///
    /// Per mode it is √(mean of the two coordinate variances) of the samples in the core, around their own
    /// mean and with n − 1, divided by what the cut at 3σ leaves of a true Gaussian. That factor: u = r²/2σ²
    /// of a 2-D Gaussian is exponential with mean 1 and is also its mean coordinate variance in units of σ²;
    /// cut at u₀ = 9/2 its mean is 1 − u₀e^(−u₀)/(1 − e^(−u₀)) = 0.9495, so the factor is √0.9495 = 0.9744.
    pub std_mean: f64,
    /// The smallest within-mode standard deviation of a covered mode; 0 if there is none.
    pub std_min: f64,
    /// The largest within-mode standard deviation of a covered mode; 0 if there is none. A mode filled
    /// *evenly* up to 3σ would show 1.54.
    pub std_max: f64,
    /// Per mode: samples in its core, relative to the fair share (1/25 of all samples). The true mixture
    /// gives 0.989 on average.
    pub shares: [f64; 25],
}

/// Running sums over the samples in one mode's core, as offsets from the mode's mean (no cancellation).
#[derive(Clone, Copy, Default)]
struct Core {
    count: f64,
    sum: [f64; 2],
    squares: [f64; 2],
}

impl Core {
    fn add(&mut self, offset: [f64; 2]) {
        self.count += 1.0;
        for (i, x) in offset.into_iter().enumerate() {
            self.sum[i] += x;
            self.squares[i] += x * x;
        }
    }

    /// √(mean of the two coordinate variances), or `None` for fewer than two samples.
    fn std(&self) -> Option<f64> {
        let variance = |i: usize| {
            (self.squares[i] - self.sum[i] * self.sum[i] / self.count) / (self.count - 1.0)
        };
        // Rounding may leave identical samples a hair below zero.
        (self.count >= 2.0).then(|| ((variance(0) + variance(1)) / 2.0).max(0.0).sqrt())
    }
}

impl ModeReport {
    /// Judges `samples` against a mixture with the given `means` and standard deviation `std` per axis
    /// (σ above; for the paper's mixture `mixture::means()` and `mixture::STD`).
    ///
    /// Never panics: without samples every number is 0, except `kl`, which takes its worst value.
    pub fn new(samples: &[[f32; 2]], means: &[[f32; 2]; 25], std: f32) -> Self {
        let radius = RADIUS * f64::from(std);
        let means = means.map(|m| m.map(f64::from));
        let mut nearest_counts = [0.0; 25];
        let mut cores = [Core::default(); 25];
        let finite = samples.iter().filter(|x| x.iter().all(|v| v.is_finite()));
        for sample in finite {
            let (mode, offset) = nearest(sample.map(f64::from), &means);
            nearest_counts[mode] += 1.0;
            if offset[0].hypot(offset[1]) <= radius {
                cores[mode].add(offset);
            }
        }

        let fair = samples.len().max(1) as f64 / 25.0;
        let shares = cores.map(|core| core.count / fair);
        let covered = || (0..25).filter(|&mode| shares[mode] >= COVERED);
        let u = RADIUS * RADIUS / 2.0;
        let unit = f64::from(std) * (1.0 - u * (-u).exp() / (1.0 - (-u).exp())).sqrt();
        let stds: Vec<f64> = covered()
            .filter_map(|mode| Some(cores[mode].std()? / unit))
            .collect();
        Self {
            samples: samples.len(),
            modes_covered: covered().count(),
            high_quality: shares.iter().sum::<f64>() / 25.0,
            share_min: smallest(&shares),
            share_max: largest(&shares),
            kl: kl_to_uniform(&nearest_counts),
            // The sum of none is said to be -0.
            std_mean: (0.0 + stds.iter().sum::<f64>()) / stds.len().max(1) as f64,
            std_min: smallest(&stds),
            std_max: largest(&stds),
            shares,
        }
    }
}

/// The index of the mean nearest to `x`, and `x` minus that mean.
fn nearest(x: [f64; 2], means: &[[f64; 2]; 25]) -> (usize, [f64; 2]) {
    let offset = |mode: usize| [x[0] - means[mode][0], x[1] - means[mode][1]];
    let squared = |mode: usize| offset(mode).iter().map(|v| v * v).sum::<f64>();
    let mode = (1..25).fold((0, squared(0)), |best, mode| {
        let distance = squared(mode);
        if distance < best.1 {
            (mode, distance)
        } else {
            best
        }
    });
    (mode.0, offset(mode.0))
}

/// Σ p ln(25 p) for p = counts / Σ counts, with 0 ln 0 = 0; ln 25 if there is nothing to count.
fn kl_to_uniform(counts: &[f64; 25]) -> f64 {
    let total: f64 = counts.iter().sum();
    if total == 0.0 {
        return 25f64.ln();
    }
    let occupied = counts.iter().filter(|&&count| count > 0.0);
    let terms = occupied.map(|count| count / total * (25.0 * count / total).ln());
    // KL >= 0 by Jensen's inequality; rounding alone could say otherwise.
    terms.sum::<f64>().max(0.0)
}

/// The smallest value, or 0 of an empty slice.
pub(super) fn smallest(values: &[f64]) -> f64 {
    values.iter().copied().reduce(f64::min).unwrap_or(0.0)
}

/// The largest value, or 0 of an empty slice.
pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().copied().reduce(f64::max).unwrap_or(0.0)
}

impl fmt::Display for ModeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "samples             {:>8}", self.samples)?;
        writeln!(f, "modes covered       {:>5}/25", self.modes_covered)?;
        writeln!(
            f,
            "within 3 sigma      {:>7.1}%  (true mixture: 98.9%)",
            100.0 * self.high_quality
        )?;
        writeln!(
            f,
            "share per mode      {:>4.2} to {:.2} of fair",
            self.share_min, self.share_max
        )?;
        writeln!(f, "KL to uniform       {:>8.4}  nats", self.kl)?;
        write!(
            f,
            "within-mode std     {:>8.3}  ({:.3} to {:.3}; true mixture: 1)",
            self.std_mean, self.std_min, self.std_max
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::mixture::{Mixture, STD, means};

    fn judge(samples: &[[f32; 2]]) -> ModeReport {
        ModeReport::new(samples, &means(), STD)
    }

    #[test]
    fn the_data_itself_is_nearly_perfect() {
        let report = judge(Mixture::new(5).points());
        assert_eq!(report.modes_covered, 25);
        assert!((report.high_quality - 0.9889).abs() < 0.001, "{report}");
        assert!(report.share_min > 0.93 && report.share_max < 1.05);
        assert!(report.kl < 0.001, "{report}");
        assert!((report.std_mean - 1.0).abs() < 0.004, "{report}");
        assert!(report.std_min > 0.96 && report.std_max < 1.04, "{report}");
    }

    #[test]
    fn collapse_shows_in_every_number() {
        let one_mode = judge(&vec![[10.5, -21.0]; 1000]);
        assert_eq!(one_mode.modes_covered, 1);
        assert_eq!(one_mode.shares[3], 25.0);
        assert_eq!((one_mode.share_min, one_mode.share_max), (0.0, 25.0));
        assert!((one_mode.kl - 25f64.ln()).abs() < 1e-9);
        assert_eq!((one_mode.high_quality, one_mode.std_max), (1.0, 0.0));

        let on_a_bridge = judge(&vec![[5.25, 0.5]; 1000]);
        assert_eq!(on_a_bridge.modes_covered, 0);
        assert_eq!((on_a_bridge.high_quality, on_a_bridge.std_mean), (0.0, 0.0));
    }

    #[test]
    fn a_narrow_generator_is_measured_as_narrow() {
        let centres = means();
        let narrow = |p: &[f32; 2]| {
            let (mode, offset) = nearest(p.map(f64::from), &centres.map(|m| m.map(f64::from)));
            [0, 1].map(|i| centres[mode][i] + 0.5 * offset[i] as f32)
        };
        let samples: Vec<_> = Mixture::new(6).points().iter().map(narrow).collect();
        let report = judge(&samples);
        // Halved, the Gaussian is hardly cut at all, so dividing by the factor overstates it a little.
        assert!((report.std_mean - 0.5 / 0.9744).abs() < 0.005, "{report}");
    }

    #[test]
    fn coverage_starts_at_a_fifth_of_the_fair_share() {
        let mut samples = vec![[0.0, 0.0]; 992];
        samples.extend(vec![[21.0, 21.0]; 8]);
        assert_eq!(judge(&samples).modes_covered, 2);
        samples[999] = [0.0, 0.0];
        assert_eq!(judge(&samples).modes_covered, 1);
    }

    #[test]
    fn nothing_and_nonsense_are_judged_without_panic() {
        let empty = judge(&[]);
        assert_eq!((empty.modes_covered, empty.high_quality), (0, 0.0));
        assert_eq!(empty.kl, 25f64.ln());
        let nan = judge(&[[f32::NAN, 0.0], [0.0, f32::INFINITY], [0.0, 0.0]]);
        assert!((nan.high_quality - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((nan.modes_covered, nan.std_mean), (1, 0.0));
        let json = serde_json::to_string(&judge(&[[f32::MAX, -f32::MAX]])).unwrap();
        assert!(!json.contains("null"), "{json}");
    }
}
