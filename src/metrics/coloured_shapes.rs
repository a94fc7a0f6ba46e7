//! Which of the 24 modes of the coloured shapes does a generator reach, in what proportion, and how cleanly?

use std::fmt;

use serde::Serialize;

use super::modes::{COVERED, largest, smallest};
use crate::data::coloured_shapes::{self, MODES};

/// How a set of pictures is spread over the modes form times colour; see [`ColouredShapesReport::new`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColouredShapesReport {
    /// Number of pictures judged.
    pub samples: usize,
    /// Number of covered modes, 0 to 24: those with at least 20 % of their fair share (1/24 of all pictures).
    pub modes_covered: usize,
    /// Share of all pictures that are recognised as a clean shape, 0 to 1; of true ones, at least 0.995.
    pub recognised: f64,
    /// The smallest of [`Self::shares`].
    pub share_min: f64,
    /// The largest of [`Self::shares`].
    pub share_max: f64,
    /// Per mode, form by form: pictures recognised as it, relative to the fair share.
    pub shares: [f64; MODES],
}

impl ColouredShapesReport {
    /// Judges `pictures`, \[N, 3, side, side\] from −1 to 1. Pictures that are not recognised stay in every
    /// denominator. Without pictures every number is 0.
    ///
    /// # Panics
    /// If `side` is 0. Numbers after the last whole picture are ignored.
    pub fn new(pictures: &[f32], side: usize) -> Self {
        let pictures = pictures.chunks_exact(3 * side * side);
        let samples = pictures.len();
        let mut counts = [0.0; MODES];
        for found in pictures.filter_map(|picture| coloured_shapes::classify(picture, side)) {
            counts[found.mode()] += 1.0;
        }
        let all = samples.max(1) as f64;
        let shares = counts.map(|count| count * MODES as f64 / all);
        Self {
            samples,
            modes_covered: shares.iter().filter(|&&share| share >= COVERED).count(),
            recognised: counts.iter().sum::<f64>() / all,
            share_min: smallest(&shares),
            share_max: largest(&shares),
            shares,
        }
    }
}

impl fmt::Display for ColouredShapesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "samples             {:>8}", self.samples)?;
        writeln!(f, "modes covered       {:>5}/{MODES}", self.modes_covered)?;
        writeln!(
            f,
            "clean shapes        {:>7.1}%  (true pictures: 99.5% or more)",
            100.0 * self.recognised
        )?;
        write!(
            f,
            "share per mode      {:>4.2} to {:.2} of fair",
            self.share_min, self.share_max
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Pictures};

    fn numbers(pictures: &Pictures) -> Vec<f32> {
        let mut numbers = vec![0.0; pictures.len() * pictures.bytes(0).unwrap().len()];
        for (i, row) in numbers
            .chunks_mut(pictures.bytes(0).unwrap().len())
            .enumerate()
        {
            pictures.write(i, row).unwrap();
        }
        numbers
    }

    #[test]
    fn the_data_itself_is_nearly_perfect() {
        let report =
            ColouredShapesReport::new(&numbers(&coloured_shapes::pictures(1, 32, 4800)), 32);
        assert_eq!((report.samples, report.modes_covered), (4800, 24));
        assert!(report.recognised > 0.995, "{report}");
        assert!(
            report.share_min > 0.75 && report.share_max < 1.25,
            "{report}"
        );
    }

    #[test]
    fn collapse_and_rubbish_show() {
        let one = numbers(&coloured_shapes::pictures(1, 16, 1)).repeat(10);
        let report = ColouredShapesReport::new(&one, 16);
        assert_eq!((report.modes_covered, report.recognised), (1, 1.0));
        assert_eq!((report.share_min, report.share_max), (0.0, 24.0));
        let grey = ColouredShapesReport::new(&[0.0; 3 * 16 * 16 * 4], 16);
        assert_eq!((grey.samples, grey.modes_covered), (4, 0));
        assert_eq!(ColouredShapesReport::new(&[], 16).samples, 0);
        let json = serde_json::to_string(&grey).unwrap();
        assert!(json.contains("\"modes_covered\":0"), "{json}");
    }
}
