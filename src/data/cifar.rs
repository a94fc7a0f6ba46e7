//! CIFAR-10 in its binary version: records of one label byte and a planar picture of 32 x 32 pixels.

use std::fs;
use std::path::{Path, PathBuf};

use super::decode;
use crate::numbers::{Error, Result};

/// Width and height of the pictures in pixels.
pub const SIDE: usize = 32;

/// The label, 0 to 9, then 1024 reds, 1024 greens and 1024 blues, row by row.
pub type Record = [u8; 1 + 3 * SIDE * SIDE];

/// The records in the bytes of a file such as `data_batch_1.bin`, without copying them.
///
/// # Errors
/// A few words if there is no record, the length is no multiple of a record's, or a label is above 9.
pub fn read_records(bytes: &[u8]) -> std::result::Result<&[Record], String> {
    let (records, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(format!(
            "its {} bytes are {} more than {} records of {}; download it again",
            bytes.len(),
            rest.len(),
            records.len(),
            size_of::<Record>()
        ));
    }
    if records.is_empty() {
        return Err("it is empty; download it again".into());
    }
    let wrong = |record: &Record| record[0] > 9;
    match records.iter().position(wrong) {
        Some(i) => Err(format!(
            "record {i} has the label {}, not 0 to 9; is it CIFAR-10's binary version?",
            records[i][0]
        )),
        None => Ok(records),
    }
}

/// The files of the training set in `folder`: those of `data_batch_1.bin` to `data_batch_5.bin` that exist.
/// `test_batch.bin` is not for training.
pub(super) fn batches(folder: &Path) -> Vec<PathBuf> {
    let names = (1..=5).map(|i| PathBuf::from(format!("data_batch_{i}.bin")));
    names.filter(|name| folder.join(name).is_file()).collect()
}

/// Reads a file of records.
///
/// # Errors
/// If it cannot be read or holds something else.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    match read_records(&bytes) {
        Ok(_) => Ok(bytes),
        Err(why) => Err(Error::failure(format!(
            "cannot use {}: {why}",
            path.display()
        ))),
    }
}

/// The picture of `record` with `side` x `side` pixels, resized as [`decode::picture`] does.
pub(super) fn picture(record: &Record, side: usize) -> Vec<u8> {
    let planes = &record[1..];
    let rgb = image::RgbImage::from_fn(SIDE as u32, SIDE as u32, |x, y| {
        let at = y as usize * SIDE + x as usize;
        image::Rgb([0, 1, 2].map(|c| planes[c * SIDE * SIDE + at]))
    });
    decode::planar(&decode::resized(rgb, side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_and_nonsense_is_named() {
        let mut bytes = vec![0; 3 * 3073];
        bytes[3073] = 9;
        assert_eq!(read_records(&bytes).unwrap()[1][0], 9);
        bytes[2 * 3073] = 10;
        let why = read_records(&bytes).unwrap_err();
        assert!(why.contains("record 2 has the label 10"), "{why}");
        let why = read_records(&bytes[..3080]).unwrap_err();
        assert!(
            why.contains("3080 bytes are 7 more than 1 records"),
            "{why}"
        );
        assert!(read_records(&[]).unwrap_err().contains("empty"));
    }

    #[test]
    fn pictures_of_their_own_side_are_untouched() {
        let record: Record = std::array::from_fn(|i| (i * i / 7) as u8);
        assert_eq!(picture(&record, 32), record[1..]);
        let flat: Record = std::array::from_fn(|i| i.div_ceil(1024) as u8 * 50);
        let large = picture(&flat, 48);
        assert_eq!(large.len(), 3 * 48 * 48);
        assert!((0..3).all(|c| large[c * 48 * 48..][..48 * 48] == [50 * (c as u8 + 1); 48 * 48]));
    }
}
