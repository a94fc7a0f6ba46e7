//! NumPy's `.npy` format, version 1.0, for little-endian `f32` arrays in row-major order.
//!
//! Layout: `\x93NUMPY`, version `1 0`, a 16-bit header length, a Python dict literal padded with spaces so
//! that the data starts at a multiple of 64 bytes, a newline, the numbers.

use std::path::Path;

use super::atomic::write_atomically;
use super::{Error, Result, Shape, Tensor};

const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";

/// Writes `tensor` to `path`, atomically; `numpy.load(path)` reads it.
///
/// # Errors
/// If `path` cannot be written.
pub fn write(path: &Path, tensor: &Tensor) -> Result<()> {
    let axes: String = tensor.shape().iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}",
        axes.trim_end()
    );
    let unpadded = MAGIC.len() + 2 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    write_atomically(path, |w| {
        w.write_all(MAGIC)?;
        w.write_all(&(header.len() as u16).to_le_bytes())?;
        w.write_all(header.as_bytes())?;
        for x in tensor.data() {
            w.write_all(&x.to_le_bytes())?;
        }
        Ok(())
    })
}

/// Reads a little-endian `f32`, row-major array, such as `numpy.save(path, x.astype("float32"))` writes.
///
/// # Errors
/// If the file is missing, not `.npy`, of another type or order, or shorter than its header says.
pub fn read(path: &Path) -> Result<Tensor> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    parse(&bytes).map_err(|why| {
        Error::failure(format!(
            "cannot use {}: {why}; save it with numpy.save(path, array.astype('float32'))",
            path.display()
        ))
    })
}

fn parse(bytes: &[u8]) -> std::result::Result<Tensor, String> {
    let body = bytes
        .strip_prefix(MAGIC)
        .ok_or("it is not a version 1.0 .npy file")?;
    let (length, body) = body
        .split_first_chunk::<2>()
        .ok_or("its header is cut off")?;
    let length = usize::from(u16::from_le_bytes(*length));
    let header = body.get(..length).ok_or("its header is cut off")?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is not text")?;
    if !header.contains("'<f4'") {
        return Err("its numbers are not little-endian 32-bit floats".into());
    }
    if !header.contains("'fortran_order': False") {
        return Err("its order is not row-major".into());
    }
    let axes = header
        .split_once("'shape': (")
        .and_then(|(_, rest)| rest.split_once(')'))
        .ok_or("its header has no shape")?
        .0;
    let axes = axes
        .split(',')
        .map(str::trim)
        .filter(|axis| !axis.is_empty())
        .map(|axis| axis.parse().map_err(|_| "its shape is not a list of sizes"))
        .collect::<std::result::Result<Vec<usize>, _>>()?;
    let data = &body[length..];
    let bytes_wanted = axes
        .iter()
        .try_fold(4usize, |product, &axis| product.checked_mul(axis));
    if bytes_wanted != Some(data.len()) {
        return Err(format!(
            "its shape {:?} does not fit its {} bytes of data",
            axes,
            data.len()
        ));
    }
    let numbers = data.as_chunks::<4>().0.iter();
    let numbers = numbers.map(|&x| f32::from_le_bytes(x)).collect();
    Tensor::new(Shape::from(axes), numbers).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_with_aligned_data() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        for shape in [vec![], vec![3], vec![2, 3], vec![0, 4]] {
            let count = Shape::from(shape.clone()).count();
            let data = (0..count).map(|i| i as f32 - 1.5).collect();
            let tensor = Tensor::new(shape, data).unwrap();
            write(&path, &tensor).unwrap();
            assert_eq!(read(&path).unwrap(), tensor);
            let length = std::fs::metadata(&path).unwrap().len() as usize;
            assert_eq!((length - 4 * count) % 64, 0);
        }
    }

    #[test]
    fn broken_files_are_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        write(&path, &Tensor::zeros([4, 2])).unwrap();
        let good = std::fs::read(&path).unwrap();
        for cut in 0..good.len() {
            assert!(parse(&good[..cut]).is_err());
        }
        let text = String::from_utf8_lossy(&good).into_owned();
        assert!(text.contains("(4, 2,)"), "{text}");
        let doubles: Vec<u8> = good
            .windows(3)
            .position(|w| w == b"<f4")
            .map(|at| [&good[..at], b"<f8", &good[at + 3..]].concat())
            .unwrap();
        assert!(parse(&doubles).unwrap_err().contains("32-bit floats"));
    }
}
