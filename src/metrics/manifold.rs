//! Are samples like the data, and is all of the data among them? Two answers each, from balls around samples.
//!
//! Let `B_k(x)` be the ball around a sample `x` that reaches to its `k`-th nearest neighbour in its own set. Balls around
//! all real samples stand for where the data are, and balls around generated ones for where the generator reaches.
//!
//! - **precision**: the share of generated samples in a ball of a real one; **recall**: the share of real samples in a ball
//!   of a generated one (improved precision and recall, Kynkäänniemi et al. 2019, who take `k` = 3). Balls have their edge.
//! - **density**: the number of real balls that a generated sample is in, over `k`, averaged; **coverage**: the share of
//!   real samples whose ball holds a generated one (Naeem et al. 2020, who take `k` = 5). Balls are without their edge, as in
//!   these authors' program. Density can exceed 1. A few generated outliers, whose balls are large, raise recall, but not
//!   coverage, which has balls around real samples only.
//!
//! Numbers depend on `k` and on how many samples there are, so that only equal ones can be compared. Kynkäänniemi et al.
//! take 50,000 of either kind, Naeem et al. 10,000.

use std::ops::Range;

use serde::Serialize;

use super::blocks::{Part, Rows, distances};
use super::neighbours::radii;
use crate::numbers::{Error, Result};

/// To which neighbour balls reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// For precision and recall.
    pub precision_recall: usize,
    /// For density and coverage.
    pub density_coverage: usize,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            precision_recall: 3,
            density_coverage: 5,
        }
    }
}

/// How two sets of samples overlap; see [the module](self).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overlap {
    /// Share of generated samples in a ball of a real one, 0 to 1.
    pub precision: f64,
    /// Share of real samples in a ball of a generated one, 0 to 1.
    pub recall: f64,
    /// Real balls around a generated sample, over `k`, on average; from 0, and about 1 if the sets match.
    pub density: f64,
    /// Share of real samples with a generated one in their ball, 0 to 1.
    pub coverage: f64,
}

/// What one block of generated samples finds.
struct Found {
    /// For each of them, whether it is in a real ball.
    precise: Vec<bool>,
    /// Real balls around them.
    around: usize,
    /// Which real samples are in a generated ball.
    recalled: Vec<bool>,
    /// Which real balls hold a generated sample.
    covered: Vec<bool>,
}

/// Precision, recall, density and coverage of features, each set `[N, d]`. All distances are looked at, block by block;
/// the same for any number of threads.
///
/// # Errors
/// If the sets have different features, or one of them has not more samples than a ball reaches neighbours.
pub fn overlap(real: &Rows, generated: &Rows, reach: Reach) -> Result<Overlap> {
    real.check_same_width(generated)?;
    let ks = [reach.precision_recall, reach.density_coverage];
    let most = ks[0].max(ks[1]);
    let fewest = real.len().min(generated.len());
    if ks.contains(&0) || fewest <= most {
        return Err(Error::usage(format!(
            "balls that reach to neighbours number {} and {} need more samples of either kind than that, not {fewest}",
            ks[0], ks[1]
        )));
    }
    let real_radii = radii(real, &ks);
    let generated_radii = &radii(generated, &ks[..1])[0];
    let begin = |rows: &Range<usize>| Found {
        precise: vec![false; rows.len()],
        around: 0,
        recalled: vec![false; real.len()],
        covered: vec![false; real.len()],
    };
    let sets = [generated, real];
    let blocks = distances(sets, Part::All, begin, |found, block| {
        for (j, is_precise) in block.rows.clone().zip(&mut found.precise) {
            for (i, &squared) in block.columns.clone().zip(block.row(j)) {
                *is_precise |= squared <= real_radii[0][i];
                found.recalled[i] |= squared <= generated_radii[j];
                let is_inside = squared < real_radii[1][i];
                found.covered[i] |= is_inside;
                found.around += usize::from(is_inside);
            }
        }
    });
    let samples = generated.len() as f64;
    let precise = blocks
        .iter()
        .map(|found| count(&found.precise))
        .sum::<usize>();
    let around = blocks.iter().map(|found| found.around).sum::<usize>();
    let share = |flags: fn(&Found) -> &[bool]| {
        let anywhere = (0..real.len()).filter(|&i| blocks.iter().any(|found| flags(found)[i]));
        anywhere.count() as f64 / real.len() as f64
    };
    Ok(Overlap {
        precision: precise as f64 / samples,
        recall: share(|found| &found.recalled),
        density: around as f64 / (reach.density_coverage as f64 * samples),
        coverage: share(|found| &found.covered),
    })
}

fn count(flags: &[bool]) -> usize {
    flags.iter().filter(|&&flag| flag).count()
}

#[cfg(test)]
mod tests {
    use super::super::blocks::tests::{normal, on_threads};
    use super::*;

    fn judge(real: &[f32], generated: &[f32], width: usize) -> Overlap {
        let [real, generated] = [real, generated].map(|x| Rows::new(x, width).unwrap());
        overlap(&real, &generated, Reach::default()).unwrap()
    }

    /// On a line one can count: balls of 0 … 5 reach 3 or 5 neighbours far.
    #[test]
    fn counted_by_hand() {
        let real = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        // Radii for k = 3 are 3, 2, 2, 2, 2, 3, and for k = 5 they are 5, 4, 3, 3, 4, 5.
        let found = judge(&real, &[8.0, 8.0, 8.0, 8.0, 8.0, 9.0], 1);
        // 8 is on the edge of the ball of 5 for k = 3; that ball for k = 5 holds 8 and 9, and 4's has 8 on its edge.
        assert_eq!((found.precision, found.recall), (5.0 / 6.0, 0.0));
        assert_eq!(found.density, 6.0 / 30.0);
        assert_eq!(found.coverage, 1.0 / 6.0);
    }

    #[test]
    fn the_same_distribution_a_part_of_it_and_another_one() {
        let (real, same) = (normal("a", 900, 6), normal("b", 700, 6));
        let all = judge(&real, &same, 6);
        assert!(all.precision > 0.8 && all.recall > 0.8, "{all:?}");
        assert!(
            (all.density - 1.0).abs() < 0.1 && all.coverage > 0.95,
            "{all:?}"
        );
        let narrow: Vec<f32> = same.iter().map(|x| 0.3 * x).collect();
        let narrow = judge(&real, &narrow, 6);
        assert!(narrow.precision > 0.95 && narrow.recall < 0.2, "{narrow:?}");
        assert!(narrow.density > 1.2 && narrow.coverage < 0.5, "{narrow:?}");
        let far: Vec<f32> = same.iter().map(|x| x + 30.0).collect();
        let far = judge(&real, &far, 6);
        let none = [far.precision, far.recall, far.density, far.coverage];
        assert_eq!(none, [0.0; 4]);
        let itself = judge(&real, &real, 6);
        let ones = [
            itself.precision,
            itself.recall,
            itself.density,
            itself.coverage,
        ];
        assert_eq!(
            ones, [1.0; 4],
            "k balls of others and one's own less the one whose edge it is"
        );
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let (real, other) = (normal("a", 600, 6), normal("b", 530, 6));
        let [one, three] = [1, 3].map(|n| on_threads(n, || judge(&real, &other, 6)));
        assert_eq!(one, three);
    }

    #[test]
    fn too_few_samples_are_refused() {
        let [six, five] = [6, 5].map(|n| Rows::new(&[1.0; 6][..n], 1).unwrap());
        assert!(overlap(&six, &six, Reach::default()).is_ok());
        let message = overlap(&six, &five, Reach::default())
            .unwrap_err()
            .to_string();
        assert!(message.contains("3 and 5 need more samples"), "{message}");
        let wide = Rows::new(&[1.0; 12], 2).unwrap();
        assert!(overlap(&six, &wide, Reach::default()).is_err());
        let nothing = Reach {
            precision_recall: 0,
            density_coverage: 5,
        };
        assert!(overlap(&six, &six, nothing).is_err());
    }
}
