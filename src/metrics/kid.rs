//! The kernel inception distance, KID (Bińkowski, Sutherland, Arbel & Gretton 2018): are two sets of features draws from
//! one distribution?
//!
//! It is the squared maximum mean discrepancy with a polynomial kernel over `d` features, estimated without bias, so that,
//! unlike a Fréchet distance, it does not grow when there are fewer samples:
//!
//! ```text
//! k(x, y) = (x · y / d + 1)³
//! MMD² = mean of k(x, x'), x ≠ x', + mean of k(y, y'), y ≠ y', − 2 · mean of k(x, y)
//! ```
//!
//! Around 0, where the sets match, it is negative as often as positive.

use rayon::prelude::*;
use serde::Serialize;

use super::blocks::{Part, Rows, products};
use crate::numbers::rng::{below, stream};
use crate::numbers::{Error, Result};

/// How many subsets are compared, of which size, and which.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Subsets {
    /// How many.
    pub count: usize,
    /// Samples in each; all of a set that has fewer.
    pub size: usize,
    /// Which ones: the same for the same seed.
    pub seed: u64,
}

impl Default for Subsets {
    /// As the paper and the public tools have it: 100 subsets of 1,000.
    fn default() -> Self {
        Self {
            count: 100,
            size: 1000,
            seed: 0,
        }
    }
}

/// The KID of two sets, from subsets of both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Kid {
    /// The mean over subsets.
    pub mean: f64,
    /// The standard deviation of the subsets, which torch-fidelity prints beside the mean: how well *one* subset knows it.
    pub std: f64,
    /// The standard error of the mean over subsets, `s / √count` with `s²` the variance with `1/(count − 1)`. It says how much
    /// other subsets of the same samples would change; other samples may change more. NaN for a single subset.
    pub standard_error: f64,
    /// How many subsets.
    pub subsets: usize,
    /// Samples in each, of the smaller set if they differ.
    pub size: usize,
}

/// The KID of two sets of features, each `[N, d]`. Subsets are drawn without replacement, and are the same for any
/// number of threads. 100 subsets of 1,000 with 2,048 features are about 10¹² operations.
///
/// # Errors
/// If the sets have different features, one of them has fewer than two samples, or no subsets of at least two are asked
/// for.
pub fn kid(real: &Rows, generated: &Rows, subsets: &Subsets) -> Result<Kid> {
    check(real, generated)?;
    if subsets.count == 0 || subsets.size < 2 {
        return Err(Error::usage(format!(
            "a KID needs at least one subset of at least two samples, not {} of {}",
            subsets.count, subsets.size
        )));
    }
    let sets = [(real, "kid real"), (generated, "kid generated")];
    let one = |i: usize| {
        let [x, y] = sets.map(|(set, name)| {
            let chosen = draw(set.len(), subsets, name, i);
            chosen
                .iter()
                .flat_map(|&i| set.row(i))
                .copied()
                .collect::<Vec<f32>>()
        });
        let [x, y] = [Rows::new(&x, real.width())?, Rows::new(&y, real.width())?];
        Ok(estimate(&x, &y))
    };
    let values = (0..subsets.count).into_par_iter().map(one);
    let values = values.collect::<Result<Vec<f64>>>()?;
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Ok(Kid {
        mean,
        std: (squares / count).sqrt(),
        standard_error: (squares / (count - 1.0) / count).sqrt(),
        subsets: subsets.count,
        size: subsets.size.min(real.len()).min(generated.len()),
    })
}

/// The unbiased `MMD²` of all of two sets, each `[N, d]`: every sample is used once, but how well the number is known is
/// not said.
///
/// # Errors
/// If the sets have different features, or one of them has fewer than two samples.
pub fn mmd2(real: &Rows, generated: &Rows) -> Result<f64> {
    check(real, generated)?;
    Ok(estimate(real, generated))
}

fn check(real: &Rows, generated: &Rows) -> Result<()> {
    real.check_same_width(generated)?;
    match real.len().min(generated.len()) {
        0 | 1 => Err(Error::usage(
            "a KID needs at least two samples of either kind; take more of them",
        )),
        _ => Ok(()),
    }
}

fn estimate(x: &Rows, y: &Rows) -> f64 {
    let [n, m] = [x, y].map(|rows| rows.len() as f64);
    let own = |rows: &Rows, n: f64| 2.0 * kernel_sum([rows, rows], Part::Upper) / (n * (n - 1.0));
    own(x, n) + own(y, m) - 2.0 * kernel_sum([x, y], Part::All) / (n * m)
}

/// The sum of the kernel over all pairs, or over those of different samples of one set.
fn kernel_sum(sets: [&Rows; 2], part: Part) -> f64 {
    let d = sets[0].width() as f64;
    let begin = |_: &_| 0.0;
    let sums = products(sets, part, begin, |sum: &mut f64, block| {
        for i in block.rows.clone() {
            let first = match part {
                Part::All => 0,
                Part::Upper => (i + 1).saturating_sub(block.columns.start),
            };
            let row = block.row(i).iter().skip(first);
            *sum += row.map(|product| (product / d + 1.0).powi(3)).sum::<f64>();
        }
    });
    sums.iter().sum()
}

/// The samples of subset number `i` of a set of `n`: the beginning of a shuffled deck.
fn draw(n: usize, subsets: &Subsets, name: &str, i: usize) -> Vec<usize> {
    let mut rng = stream(subsets.seed, name, i as u64);
    let mut deck: Vec<usize> = (0..n).collect();
    let size = subsets.size.min(n);
    for at in 0..size {
        deck.swap(at, at + below(&mut rng, n - at));
    }
    deck.truncate(size);
    deck
}

#[cfg(test)]
mod tests {
    use super::super::blocks::tests::{normal, on_threads};
    use super::*;

    #[test]
    fn the_definition_on_few_numbers() {
        // k of 1 and 3: 64; of 0 and 2: 1; across: 1, 27 and 1, 343.
        let (x, y) = ([1.0, 3.0], [0.0, 2.0]);
        let [x, y] = [&x, &y].map(|x| Rows::new(x, 1).unwrap());
        assert_eq!(mmd2(&x, &y).unwrap(), 64.0 + 1.0 - 2.0 * (372.0 / 4.0));
        let own = mmd2(&x, &x).unwrap();
        assert_eq!(own, 2.0 * 64.0 - 2.0 * (8.0 + 64.0 + 64.0 + 1000.0) / 4.0);
    }

    #[test]
    fn subsets_average_what_each_of_them_gives() {
        let (a, b) = (normal("a", 500, 8), normal("b", 400, 8));
        let [a, b] = [&a, &b].map(|x| Rows::new(x, 8).unwrap());
        let subsets = Subsets {
            count: 20,
            size: 300,
            seed: 5,
        };
        let each = |i| {
            let [x, y] = [(a, "kid real"), (b, "kid generated")].map(|(set, name)| {
                let chosen = draw(set.len(), &subsets, name, i);
                let mut sorted = chosen.clone();
                sorted.sort();
                sorted.dedup();
                assert_eq!((sorted.len(), chosen.len()), (300, 300));
                chosen
                    .iter()
                    .flat_map(|&i| set.row(i).to_vec())
                    .collect::<Vec<f32>>()
            });
            mmd2(&Rows::new(&x, 8).unwrap(), &Rows::new(&y, 8).unwrap()).unwrap()
        };
        let values: Vec<f64> = (0..20).map(each).collect();
        let mean = values.iter().sum::<f64>() / 20.0;
        let kid = kid(&a, &b, &subsets).unwrap();
        assert!((kid.mean - mean).abs() < 1e-15 && kid.std > 0.0);
        assert!((kid.standard_error - kid.std / 19f64.sqrt()).abs() < 1e-15);
        assert!(kid.mean.abs() < 6.0 * kid.std, "{kid:?}");
    }

    #[test]
    fn all_of_a_small_set_is_every_subset() {
        let (a, b) = (normal("a", 60, 8), normal("b", 50, 8));
        let [a, b] = [&a, &b].map(|x| Rows::new(x, 8).unwrap());
        let kid = kid(&a, &b, &Subsets::default()).unwrap();
        assert!((kid.mean - mmd2(&a, &b).unwrap()).abs() < 1e-14);
        assert!(kid.std < 1e-14 && (kid.subsets, kid.size) == (100, 50));
    }

    #[test]
    fn sets_that_differ_are_told_apart_and_threads_change_nothing() {
        let (a, mut b) = (normal("a", 300, 20), normal("b", 300, 20));
        b.iter_mut().for_each(|x| *x += 0.5);
        let [a, b] = [&a, &b].map(|x| Rows::new(x, 20).unwrap());
        let subsets = Subsets {
            count: 10,
            size: 100,
            seed: 1,
        };
        let [one, three] = [1, 3].map(|n| on_threads(n, || kid(&a, &b, &subsets).unwrap()));
        assert_eq!(one, three);
        assert!(one.mean > 10.0 * one.standard_error, "{one:?}");
        let other = kid(&a, &b, &Subsets { seed: 2, ..subsets }).unwrap();
        assert_ne!(one.mean, other.mean);
    }

    #[test]
    fn what_has_no_kid() {
        let [two, one] = [2, 1].map(|n| Rows::new(&[1.0; 4][..2 * n], 2).unwrap());
        let wide = Rows::new(&[1.0; 4], 1).unwrap();
        for (a, b) in [(&two, &one), (&one, &two), (&two, &wide)] {
            assert!(mmd2(a, b).is_err() && kid(a, b, &Subsets::default()).is_err());
        }
        for (count, size) in [(0, 1000), (100, 1)] {
            let seed = 0;
            assert!(kid(&two, &two, &Subsets { count, size, seed }).is_err());
        }
    }
}
