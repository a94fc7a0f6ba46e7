//! How many different pictures can a generator draw? The birthday test of Arora & Zhang (2017), which the paper makes in
//! section 3.1.
//!
//! If `N` pictures are equally likely, two draws are the same one with probability `1/N`, so among the `s (s − 1) / 2` pairs
//! of a batch of `s` there are that many times `1/N` duplicates. A batch has one about half of the time if `s = √(2 ln 2 · N)`.
//! The paper finds duplicates in half of all batches of 1,024, and says that the support is about 1,024², one million: the
//! rule of thumb `N ≈ s²`, of which this formula makes 0.72 s².
//!
//! Pictures that are not equally likely have more duplicates: `1/N` is then the chance `Σ p²` that two draws are alike, and
//! `N` a lower bound of how many there are.
//!
//! What counts as the same picture is for the caller to say, as a distance. Two anchors: half of the smallest distance between
//! as many *different* real pictures, and a look at the most similar pairs
//! ([`most_similar_pairs`](super::neighbours::most_similar_pairs)).

use serde::Serialize;

use super::blocks::{Part, Rows, distances};
use crate::numbers::{Error, Result};

/// The quantile of the normal distribution that leaves 2.5 % above.
const Z: f64 = 1.959_963_984_540_054;

/// Fewer events than this get the exact interval of a Poisson distribution.
const FEW: u64 = 100;

/// The smallest batch of [`growing`] sizes.
const SMALLEST: usize = 16;

/// What batches of one size say of the support.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Support {
    /// Samples in a batch.
    pub size: usize,
    /// How many batches there were, each of other samples.
    pub batches: usize,
    /// How many of them had a duplicate.
    pub with_duplicate: usize,
    /// Pairs within the batches.
    pub pairs: u64,
    /// How many of these were duplicates.
    pub duplicates: u64,
    /// The estimate of the support, `pairs / duplicates`; infinite if there was no duplicate.
    pub support: f64,
    /// An interval that holds it in 95 of 100 cases, from the numbers of duplicates that a Poisson distribution makes
    /// likely; infinite at its upper end if there was no duplicate. Too narrow if the same few pictures come again and again,
    /// as then duplicates are no independent events.
    pub interval: [f64; 2],
}

impl Support {
    /// The size of batches of which half would have a duplicate, `√(2 ln 2 · support)`.
    pub fn half(&self) -> f64 {
        (2.0 * std::f64::consts::LN_2 * self.support).sqrt()
    }

    fn new(size: usize, batches: usize, with_duplicate: usize, duplicates: u64) -> Self {
        let pairs = batches as u64 * (size as u64 * (size as u64 - 1) / 2);
        let [fewest, most] = poisson_interval(duplicates);
        Self {
            size,
            batches,
            with_duplicate,
            pairs,
            duplicates,
            support: pairs as f64 / duplicates as f64,
            interval: [pairs as f64 / most, pairs as f64 / fewest],
        }
    }
}

/// Sizes to try with `n` samples: `n`, its half, its quarter and so on, growing.
pub fn growing(n: usize) -> Vec<usize> {
    let halves = std::iter::successors(Some(n), |n| Some(n / 2));
    let mut sizes: Vec<_> = halves.take_while(|&n| n >= SMALLEST).collect();
    sizes.reverse();
    sizes
}

/// The birthday test on samples `[N, d]`: for each size, all samples are cut into batches of it (what is left over is not
/// used), and pairs nearer than `threshold`, a Euclidean distance, or equal, are duplicates.
///
/// # Errors
/// If the threshold is negative or not finite, or a size is below 2 or above `N`.
pub fn support(rows: &Rows, sizes: &[usize], threshold: f64) -> Result<Vec<Support>> {
    if !(threshold.is_finite() && threshold >= 0.0) {
        return Err(Error::usage(format!(
            "samples nearer than {threshold} cannot be looked for; give a distance, 0 or more"
        )));
    }
    if let Some(size) = sizes.iter().find(|&&size| size < 2 || size > rows.len()) {
        return Err(Error::usage(format!(
            "{} samples make no batches of {size}; choose a size from 2 to their number",
            rows.len()
        )));
    }
    let squared = threshold * threshold;
    let batches = |size: usize| rows.len() / size;
    let begin = |_: &_| -> Vec<(u64, Vec<bool>)> {
        let none = |&size| (0, vec![false; batches(size)]);
        sizes.iter().map(none).collect()
    };
    let blocks = distances([rows, rows], Part::Upper, begin, |found, block| {
        for i in block.rows.clone() {
            for (j, &distance) in block.columns.clone().zip(block.row(i)) {
                if i >= j || distance > squared {
                    continue;
                }
                for (&size, (count, has_any)) in sizes.iter().zip(found.iter_mut()) {
                    let batch = i / size;
                    if batch == j / size && batch < batches(size) {
                        *count += 1;
                        has_any[batch] = true;
                    }
                }
            }
        }
    });
    let each = |(at, &size): (usize, &usize)| {
        let duplicates = blocks.iter().map(|found| found[at].0).sum();
        let has_any = |batch: &usize| blocks.iter().any(|found| found[at].1[*batch]);
        let with_duplicate = (0..batches(size)).filter(has_any).count();
        Support::new(size, batches(size), with_duplicate, duplicates)
    };
    Ok(sizes.iter().enumerate().map(each).collect())
}

/// The means of Poisson distributions between which `count` events are not unlikely: above the upper one so few, and below
/// the lower one so many, have a probability of less than 2.5 % (Garwood 1936; for many events Byar's approximation,
/// which is off by one part in 10⁴ at most).
fn poisson_interval(count: u64) -> [f64; 2] {
    let c = count as f64;
    if count >= FEW {
        let bound = |c: f64, z: f64| c * (1.0 - 1.0 / (9.0 * c) + z / (3.0 * c.sqrt())).powi(3);
        return [bound(c, -Z), bound(c + 1.0, Z)];
    }
    let most = solve(|mean| at_most(count, mean) < 0.025);
    let fewest = match count {
        0 => 0.0,
        _ => solve(|mean| 1.0 - at_most(count - 1, mean) > 0.025),
    };
    [fewest, most]
}

/// The probability of at most `count` events with this mean.
fn at_most(count: u64, mean: f64) -> f64 {
    let mut term = (-mean).exp();
    let mut sum = term;
    for k in 1..=count {
        term *= mean / k as f64;
        sum += term;
    }
    sum
}

/// Where, between 0 and twice [`FEW`], `is_beyond` turns from false to true.
fn solve(is_beyond: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 2.0 * FEW as f64);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        match is_beyond(middle) {
            true => high = middle,
            false => low = middle,
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::super::blocks::tests::on_threads;
    use super::*;
    use crate::numbers::rng::{below, stream};

    /// `count` draws of one of `n` equally likely pictures, of three pixels.
    fn draws(count: usize, n: usize, seed: u64) -> Vec<f32> {
        let mut rng = stream(seed, "draws", 0);
        let picture = |_| {
            let i = below(&mut rng, n);
            [i % 100, i / 100 % 100, i / 10_000].map(|x| x as f32)
        };
        (0..count).flat_map(picture).collect()
    }

    #[test]
    fn the_support_of_equally_likely_pictures_is_in_the_interval() {
        let mut inside = 0;
        for seed in 0..40 {
            let samples = draws(1000, 20_000, seed);
            let rows = Rows::new(&samples, 3).unwrap();
            let found = support(&rows, &[1000], 0.5).unwrap()[0];
            let [low, high] = found.interval;
            inside += usize::from(low < 20_000.0 && 20_000.0 < high);
            assert!(low < found.support && found.support < high);
        }
        assert!(inside >= 35, "{inside} of 40");
    }

    #[test]
    fn batches_of_half_have_duplicates_half_of_the_time() {
        let samples = draws(8000, 5_000, 1);
        let rows = Rows::new(&samples, 3).unwrap();
        let all = support(&rows, &growing(8000), 0.0).unwrap();
        let sizes: Vec<_> = all.iter().map(|found| found.size).collect();
        assert_eq!(sizes, [31, 62, 125, 250, 500, 1000, 2000, 4000, 8000]);
        let last = all.last().unwrap();
        assert!((last.support / 5000.0 - 1.0).abs() < 0.05, "{last:?}");
        assert!((last.half() / 83.3 - 1.0).abs() < 0.05);
        let half = support(&rows, &[83], 0.0).unwrap()[0];
        let share = half.with_duplicate as f64 / half.batches as f64;
        assert!((share - 0.5).abs() < 0.15, "{half:?}");
        let [one, three] = [1, 3].map(|n| on_threads(n, || support(&rows, &[83, 700], 0.0)));
        assert_eq!(one, three);
    }

    #[test]
    fn planted_duplicates_are_counted_where_they_are() {
        let mut samples: Vec<f32> = (0..100).map(|i| (10 * i) as f32).collect();
        for (i, x) in [(1, 30.5), (50, 510.0), (99, 0.0)] {
            samples[i] = x;
        }
        let rows = Rows::new(&samples, 1).unwrap();
        let found = support(&rows, &[10, 33, 100], 0.5).unwrap();
        let counts = found
            .iter()
            .map(|f| (f.batches, f.with_duplicate, f.duplicates));
        assert_eq!(
            counts.collect::<Vec<_>>(),
            [(10, 2, 2), (3, 2, 2), (1, 1, 3)]
        );
        assert_eq!((found[0].pairs, found[2].support), (450, 1650.0));
        let none = support(&rows, &[10], 0.0).unwrap()[0];
        assert_eq!((none.duplicates, none.support), (1, 450.0));
        let none = support(&Rows::new(&[0.0, 1.0], 1).unwrap(), &[2], 0.5).unwrap()[0];
        assert_eq!(
            (none.support, none.interval[1]),
            (f64::INFINITY, f64::INFINITY)
        );
        assert!((none.interval[0] - 1.0 / 3.688_879_454_113_936).abs() < 1e-12);
    }

    #[test]
    fn what_makes_no_test() {
        let rows = Rows::new(&[0.0; 10], 1).unwrap();
        for (size, threshold) in [(1, 0.5), (11, 0.5), (2, -1.0), (2, f64::NAN)] {
            assert!(support(&rows, &[size], threshold).is_err());
        }
        assert!(support(&rows, &[], 0.5).unwrap().is_empty() && growing(15).is_empty());
        let all = support(&rows, &[10], 0.0).unwrap()[0];
        assert_eq!((all.duplicates, all.support), (45, 1.0));
    }
}
