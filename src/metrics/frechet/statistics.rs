//! Files of statistics as pytorch-fid, clean-fid, torch-fidelity and the FID's first authors pass them around: an `.npz`
//! archive with the mean `mu`, `[n]`, and the covariance `sigma`, `[n, n]`, of features.
//!
//! Such a file says neither which features these are nor of how many pictures: whoever compares has to know.

use std::path::Path;

use super::Gaussian;
use crate::numbers::npy::{self, Parsed};
use crate::numbers::{Error, Result, Shape, npz};

/// How far beyond what a covariance can be its numbers may go, relative to their size: files of 32-bit floats, in sums of
/// millions of products, are off by less.
const ROUNDING: f64 = 1e-3;

/// Reads a file of statistics: floats of any size, rows or columns first, compressed or not.
///
/// # Errors
/// If the file is missing, damaged, no archive with `mu` and `sigma`, or if these are no mean and covariance.
pub fn read(path: &Path) -> Result<Gaussian> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    parse(&bytes).map_err(|why| {
        let advice = "make it again with a tool that computes the FID";
        Error::failure(format!(
            "{} is no file of FID statistics: {why}; {advice}",
            path.display()
        ))
    })
}

/// Decodes the bytes of a file of statistics; the error says what is wrong with them.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8]) -> Parsed<Gaussian> {
    let array = |name| -> Parsed<(Shape, Vec<f64>)> {
        let array = npy::parse_f64(&npz::array(bytes, name)?);
        array.map_err(|why| format!("its array {name} cannot be used, as {why}"))
    };
    let ((shape, mean), (square, mut covariance)) = (array("mu")?, array("sigma")?);
    let n = mean.len();
    if n == 0 || shape.len() != 1 || square[..] != [n, n] {
        return Err(format!(
            "mu has the shape {shape} and sigma {square}, not [n] and [n, n]"
        ));
    }
    if !mean.iter().chain(&covariance).all(|x| x.is_finite()) {
        return Err("one of its numbers is not finite".into());
    }
    let size = (0..n).map(|i| covariance[i * n + i].abs());
    let slack = ROUNDING * size.fold(0.0, f64::max);
    for i in 0..n {
        let variance = covariance[i * n + i];
        if variance < -slack {
            return Err(format!("the variance of feature {i} is {variance:e}"));
        }
        for j in 0..i {
            let [a, b] = [covariance[i * n + j], covariance[j * n + i]];
            if (a - b).abs() > slack {
                return Err(format!(
                    "sigma is not symmetric: {a:e} at ({i}, {j}), {b:e} at ({j}, {i})"
                ));
            }
            let other = covariance[j * n + j];
            let most = variance.max(0.0).sqrt() * other.max(0.0).sqrt();
            if a.abs() > most + slack {
                return Err(format!(
                    "features of variances {variance:e} and {other:e} cannot have the covariance {a:e}"
                ));
            }
            let mean = 0.5 * a + 0.5 * b;
            (covariance[i * n + j], covariance[j * n + i]) = (mean, mean);
        }
    }
    Ok(Gaussian::new(&mean, &covariance))
}

/// Writes a file of statistics in 64 bits, uncompressed, atomically: [`read`] and the other tools read it. Equal
/// statistics give equal bytes.
///
/// # Errors
/// If `path` cannot be written.
pub fn write(path: &Path, gaussian: &Gaussian) -> Result<()> {
    let n = gaussian.features();
    let (mu, sigma) = (Shape::from([n]), Shape::from([n, n]));
    let (mean, covariance) = (gaussian.mean(), gaussian.covariance());
    npz::write(path, &[("mu", &mu, mean), ("sigma", &sigma, covariance)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a file with these arrays, of which the second one is square.
    fn file(arrays: &[(&str, &[f64])]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npz");
        let shapes: Vec<Shape> = arrays
            .iter()
            .enumerate()
            .map(|(i, (_, x))| match i {
                0 => Shape::from([x.len()]),
                _ => Shape::from([x.len().isqrt(), x.len().isqrt()]),
            })
            .collect();
        let arrays = arrays.iter().zip(&shapes);
        let arrays: Vec<_> = arrays
            .map(|((name, x), shape)| (*name, shape, *x))
            .collect();
        npz::write(&path, &arrays).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn what_was_written_is_read_bit_for_bit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npz");
        let gaussian = Gaussian::new(&[0.1, -3.0], &[1.0, 0.3, 0.3, 2.0]);
        write(&path, &gaussian).unwrap();
        assert_eq!(read(&path).unwrap(), gaussian);
        let first = std::fs::read(&path).unwrap();
        write(&path, &gaussian).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }

    #[test]
    fn other_files_are_refused_in_one_sentence() {
        let mu: (&str, &[f64]) = ("mu", &[0.0, 0.0]);
        let sigma = |x: [f64; 4]| file(&[mu, ("sigma", &x)]);
        for (bytes, words) in [
            (b"what".to_vec(), "it is no complete .npz archive"),
            (file(&[mu]), "it has no array sigma; it has mu.npy"),
            (file(&[("arr_0", &[0.0])]), "no array mu; it has arr_0.npy"),
            (
                file(&[("mu", &[0.0]), ("sigma", &[1.0; 4])]),
                "mu has the shape [1] and sigma [2, 2]",
            ),
            (
                file(&[("mu", &[]), ("sigma", &[])]),
                "mu has the shape [0] and sigma [0, 0]",
            ),
            (sigma([1.0, 0.0, 0.0, f64::NAN]), "is not finite"),
            (sigma([1.0, 0.5, 0.0, 1.0]), "sigma is not symmetric"),
            (
                sigma([1.0, 0.0, 0.0, -1.0]),
                "variance of feature 1 is -1e0",
            ),
            (
                sigma([1.0, 9.0, 9.0, 2.0]),
                "cannot have the covariance 9e0",
            ),
        ] {
            let message = parse(&bytes).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npz");
        let missing = read(&path).unwrap_err().to_string();
        assert!(missing.contains("x.npz"), "{missing}");
        std::fs::write(&path, "what").unwrap();
        let message = read(&path).unwrap_err().to_string();
        let words = "x.npz is no file of FID statistics: it is no complete .npz archive; make";
        assert!(message.contains(words), "{message}");
    }

    #[test]
    fn rounding_to_32_bits_is_no_fault() {
        let bytes = file(&[
            ("mu", &[0.0, 0.0]),
            ("sigma", &[1.0, 0.5, 0.500_000_1, -1e-9]),
        ]);
        assert!(
            parse(&bytes).is_err(),
            "a covariance with what never varies"
        );
        let bytes = file(&[("mu", &[0.0, 0.0]), ("sigma", &[1.0, 1.000_1, 1.0, 1.0])]);
        let read = parse(&bytes).unwrap();
        assert_eq!(read.covariance()[1], read.covariance()[2]);
    }
}
