//! A judgement of pictures.

use std::fmt;

use serde::Serialize;

use crate::metrics::ColouredShapesReport;

/// How well pictures match a data set; less is better, and only equal numbers of samples can be compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PictureReport {
    /// Pictures judged.
    pub samples: usize,
    /// Fréchet distance in the features of a fixed random network: no FID.
    pub frechet_random: f64,
    /// Fréchet distance in the pixels of the shrunk pictures.
    pub frechet_pixels: f64,
    /// Which shapes there are, where the data set has shapes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shapes: Option<ColouredShapesReport>,
}

impl fmt::Display for PictureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shapes {
            Some(shapes) => writeln!(f, "{shapes}")?,
            None => writeln!(f, "samples             {:>8}", self.samples)?,
        }
        writeln!(
            f,
            "frechet_random      {:>8.4}  (fixed random features; no FID)",
            self.frechet_random
        )?;
        write!(f, "frechet_pixels      {:>8.4}", self.frechet_pixels)
    }
}
