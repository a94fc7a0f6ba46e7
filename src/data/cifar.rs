//! CIFAR-10: records of one label byte and a planar picture of 32 x 32 pixels in the binary version; in the
//! Python version, such pictures alone in a [pickle].

use std::fs;
use std::path::Path;

use super::{decode, pickle};
use crate::numbers::{Error, Result};

/// Width and height of the pictures in pixels.
pub const SIDE: usize = 32;

/// Bytes of a picture: 1024 reds, 1024 greens and 1024 blues, row by row.
pub const PLANES: usize = 3 * SIDE * SIDE;

/// The label, 0 to 9, then the picture.
pub type Record = [u8; 1 + PLANES];

/// Pictures in each file of the published set.
pub(super) const BATCH: usize = 10_000;

/// How CIFAR-10 is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// `data_batch_1.bin`: [`read_records`].
    Binary,
    /// `data_batch_1`: [`pickle::pixels`].
    Python,
}

impl Version {
    /// The folder that the published archive unpacks to.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Binary => "cifar-10-batches-bin",
            Self::Python => "cifar-10-batches-py",
        }
    }

    /// The name of the file of test pictures, which are not for training.
    pub(super) fn test(self) -> &'static str {
        match self {
            Self::Binary => "test_batch.bin",
            Self::Python => "test_batch",
        }
    }

    /// The names of the training set's files.
    pub(super) fn batches(self) -> [String; 5] {
        let end = match self {
            Self::Binary => ".bin",
            Self::Python => "",
        };
        [1, 2, 3, 4, 5].map(|i| format!("data_batch_{i}{end}"))
    }

    /// The version that the file at `path` has by its name, if it is one of the set.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        [Self::Binary, Self::Python].into_iter().find(|version| {
            name == version.test() || version.batches().iter().any(|batch| batch == name)
        })
    }
}

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

/// Reads a file of the set: its bytes, to be cut with [`pictures`].
///
/// # Errors
/// If it cannot be read or holds something else.
pub(super) fn read(path: &Path, version: Version) -> Result<Vec<u8>> {
    let bytes = fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    match pictures(&bytes, version) {
        Ok(_) => Ok(bytes),
        Err(why) => Err(Error::failure(format!(
            "cannot use {}: {why}",
            path.display()
        ))),
    }
}

/// The pictures in the bytes of a file.
///
/// # Errors
/// A few words if it holds something else.
pub(super) fn pictures(
    bytes: &[u8],
    version: Version,
) -> std::result::Result<Vec<&[u8; PLANES]>, String> {
    Ok(match version {
        Version::Binary => read_records(bytes)?
            .iter()
            .filter_map(|record| record.last_chunk())
            .collect(),
        Version::Python => pickle::pixels(bytes)?.iter().collect(),
    })
}

/// The picture of these `planes` with `side` x `side` pixels, resized as [`decode::picture`] does.
pub(super) fn picture(planes: &[u8; PLANES], side: usize) -> Vec<u8> {
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
        let planes: [u8; PLANES] = std::array::from_fn(|i| (i * i / 7) as u8);
        assert_eq!(picture(&planes, 32), planes);
        let flat: [u8; PLANES] = std::array::from_fn(|i| (1 + i / 1024) as u8 * 50);
        let large = picture(&flat, 48);
        assert_eq!(large.len(), 3 * 48 * 48);
        assert!((0..3).all(|c| large[c * 48 * 48..][..48 * 48] == [50 * (c as u8 + 1); 48 * 48]));
    }
}
