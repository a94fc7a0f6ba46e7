//! NumPy's `.npz` format: a zip archive in which `NAME.npy` is the array `NAME`, compressed or not.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::atomic::write_atomically;
use super::npy::{self, Parsed};
use super::words::escaped;
use super::{Error, Result, Shape};

/// Names that are told where one is missing.
const MOST_NAMES: usize = 8;

/// Bytes of an array beyond which it is not unpacked: those of 16,384 x 16,384 numbers of 64 bits.
const MOST_BYTES: u64 = 1 << 31;

/// Writes arrays of `f64` to `path`, uncompressed and atomically; `numpy.load(path)[name]` reads them. Equal arrays give
/// equal bytes.
///
/// # Errors
/// If `path` cannot be written.
pub fn write(path: &Path, arrays: &[(&str, &Shape, &[f64])]) -> Result<()> {
    let bytes = packed(arrays)
        .map_err(|e| Error::failure(format!("cannot pack arrays for {}: {e}", path.display())))?;
    write_atomically(path, |w| w.write_all(&bytes))
}

fn packed(arrays: &[(&str, &Shape, &[f64])]) -> std::result::Result<Vec<u8>, ZipError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for &(name, shape, numbers) in arrays {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(size_of_val(numbers) as u64 >= u64::from(u32::MAX / 2));
        zip.start_file(format!("{name}.npy"), options)?;
        zip.write_all(&npy::bytes_f64(shape, numbers))?;
    }
    Ok(zip.finish()?.into_inner())
}

/// The bytes of the array `name`, a `.npy` file, of the bytes of an archive: for [`npy::parse`] or
/// [`npy::parse_f64`]. The error says what is wrong with the archive.
///
/// # Errors
/// If it is no zip archive, damaged, or has no array of this name.
pub fn array(archive: &[u8], name: &str) -> Parsed<Vec<u8>> {
    let mut zip = ZipArchive::new(Cursor::new(archive))
        .map_err(|_| "it is no complete .npz archive".to_owned())?;
    let index = zip.index_for_name(&format!("{name}.npy"));
    let index = index.ok_or_else(|| format!("it has no array {name}{}", has(&zip)))?;
    let damaged = |why: &str| format!("its array {name} is damaged ({})", escaped(why));
    let file = zip.by_index(index).map_err(|e| damaged(&e.to_string()))?;
    let mut bytes = Vec::new();
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|e| damaged(&e.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("its array {name} is larger than 2 GiB"));
    }
    Ok(bytes)
}

/// Which arrays there are instead.
fn has(zip: &ZipArchive<Cursor<&[u8]>>) -> String {
    let names = zip.file_names().filter_map(std::result::Result::ok);
    let mut names: Vec<String> = names.map(|n| format!("{:.40}", escaped(&n))).collect();
    names.sort();
    let more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    match more {
        0 => {}
        more => names.push(format!("{more} more")),
    }
    match names.is_empty() {
        true => "; it is empty".into(),
        false => format!("; it has {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<u8> {
        let (two, four) = (Shape::from([2]), Shape::from([2, 2]));
        packed(&[
            ("mu", &two, &[0.1, -2.0][..]),
            ("sigma", &four, &[1.0, 0.5, 0.5, 3.0]),
        ])
        .unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_equal_arrays_give_equal_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npz");
        let shape = Shape::from([2]);
        write(&path, &[("mu", &shape, &[0.1, -2.0])]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mu = npy::parse_f64(&array(&bytes, "mu").unwrap()).unwrap();
        assert_eq!(mu, (shape, vec![0.1, -2.0]));
        assert_eq!(example(), example());
        let sigma = npy::parse(&array(&example(), "sigma").unwrap()).unwrap();
        assert_eq!((&sigma.shape()[..], sigma.data()[3]), (&[2, 2][..], 3.0));
    }

    #[test]
    fn other_archives_are_refused_in_words() {
        let message = array(&example(), "arr_0").unwrap_err();
        assert_eq!(message, "it has no array arr_0; it has mu.npy, sigma.npy");
        let message = array(&packed(&[]).unwrap(), "mu").unwrap_err();
        assert_eq!(message, "it has no array mu; it is empty");
        let message = array(b"\x93NUMPY\x01\x00", "mu").unwrap_err();
        assert_eq!(message, "it is no complete .npz archive");
        let good = example();
        for cut in 0..good.len() {
            assert!(array(&good[..cut], "mu").is_err(), "cut at {cut}");
        }
        let mut bad = good.clone();
        let at = bad.windows(8).position(|w| w == 0.1f64.to_le_bytes());
        bad[at.unwrap()] ^= 1;
        let message = array(&bad, "mu").unwrap_err();
        assert!(
            message.starts_with("its array mu is damaged ("),
            "{message}"
        );
        assert!(array(&bad, "sigma").is_ok());
    }
}
