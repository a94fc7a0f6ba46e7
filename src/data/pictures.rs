//! A set of square colour pictures, one byte per channel, in memory or in a mapped file.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::Dataset;
use crate::numbers::{Error, Result};

/// Channels of a picture: red, green, blue.
pub const CHANNELS: usize = 3;

/// Bytes of one picture of `side` x `side` pixels.
pub(super) const fn picture_bytes(side: usize) -> usize {
    CHANNELS * side * side
}

/// Square RGB pictures of one size, each planar: all reds row by row, then all greens, then all blues.
pub struct Pictures {
    side: usize,
    count: usize,
    storage: Storage,
}

enum Storage {
    Owned(Vec<u8>),
    /// The cache file of this path; the pictures come first in it, then a checksum of each.
    Mapped(Mmap, PathBuf),
}

impl Pictures {
    /// Wraps pictures of `side` x `side` pixels, one after the other, each 3·side² bytes.
    ///
    /// # Errors
    /// If `side` is 0 or `bytes` holds no whole number of pictures.
    pub fn new(side: usize, bytes: Vec<u8>) -> Result<Self> {
        if side == 0 || !bytes.len().is_multiple_of(picture_bytes(side)) {
            return Err(Error::failure(format!(
                "{} bytes are no whole number of pictures of {side} x {side} pixels",
                bytes.len()
            )));
        }
        Ok(Self {
            side,
            count: bytes.len() / picture_bytes(side),
            storage: Storage::Owned(bytes),
        })
    }

    /// Pictures at the start of the mapped file `path`, which holds `count` of them and a checksum of each.
    pub(super) fn mapped(side: usize, count: usize, map: Mmap, path: PathBuf) -> Self {
        let least = count * (picture_bytes(side) + SUM);
        assert!(least <= map.len(), "the map is short");
        Self {
            side,
            count,
            storage: Storage::Mapped(map, path),
        }
    }

    /// Width and height of each picture in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Picture `i`, \[3, side, side\], 0 is dark and 255 bright.
    ///
    /// # Errors
    /// If it lies in a cache file and is not as it was written there. The file is deleted then, so that the pictures are
    /// decoded again at the next start.
    ///
    /// # Panics
    /// If there is no picture `i`.
    pub fn bytes(&self, i: usize) -> Result<&[u8]> {
        assert!(i < self.count, "picture {i} of {}", self.count);
        let size = picture_bytes(self.side);
        let place = i * size..(i + 1) * size;
        match &self.storage {
            Storage::Owned(bytes) => Ok(&bytes[place]),
            Storage::Mapped(map, path) => {
                let picture = &map[place];
                let sum = &map[self.count * size + i * SUM..][..SUM];
                match checksum(picture) == *sum {
                    true => Ok(picture),
                    false => Err(damaged(path, i)),
                }
            }
        }
    }
}

/// Bytes of a checksum.
const SUM: usize = size_of::<u32>();

/// What is written of `bytes` to know them again.
pub(super) fn checksum(bytes: &[u8]) -> [u8; SUM] {
    crc32fast::hash(bytes).to_le_bytes()
}

/// Picture `i` of the cache file `path` is damaged, and with it the file.
fn damaged(path: &Path, i: usize) -> Error {
    let advice = match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            "delete that file, and the next start decodes the pictures again"
        }
        _ => "that file has been deleted, so the next start decodes the pictures again",
    };
    Error::failure(format!(
        "picture {i} of the decoded ones in {} is not what was written there, as when a disk fails; {advice}",
        path.display()
    ))
}

impl fmt::Debug for Pictures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, count, .. } = self;
        write!(f, "Pictures({count} of {side} x {side})")
    }
}

/// The byte for a number in [−1, 1]: (x + 1) · 127.5, rounded. Numbers outside become 0 or 255, NaN becomes 0.
pub fn to_u8(x: f32) -> u8 {
    ((x + 1.0) * 127.5).round() as u8 // `as` saturates
}

/// Each picture is `[3, side, side]`, numbers from −1 (byte 0) to 1 (byte 255): x / 127.5 − 1. [`to_u8`] is the inverse.
impl Dataset for Pictures {
    fn count(&self) -> usize {
        self.count
    }

    fn numbers(&self) -> usize {
        picture_bytes(self.side)
    }

    fn write(&self, i: usize, out: &mut [f32]) -> Result<()> {
        let bytes = self.bytes(i)?;
        assert_eq!(bytes.len(), out.len(), "numbers of one picture");
        for (x, &byte) in out.iter_mut().zip(bytes) {
            *x = f32::from(byte) / 127.5 - 1.0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_way_there_and_back() {
        let bytes: Vec<u8> = (0..=255).chain(0..=229).chain([7; 8 * 8 * 3]).collect();
        let pictures = Pictures::new(9, bytes[..486].to_vec()).unwrap();
        assert_eq!((pictures.side(), pictures.len()), (9, 2));
        let mut x = [f32::NAN; 243];
        pictures.write(1, &mut x).unwrap();
        assert_eq!(x.map(to_u8), pictures.bytes(1).unwrap());
        pictures.write(0, &mut x).unwrap();
        assert_eq!(x.map(to_u8), pictures.bytes(0).unwrap());
        assert_eq!(x[0], -1.0);
    }

    #[test]
    fn numbers_outside_are_clamped() {
        let x = [-1.0, 1.0, -7.0, 7.0, f32::NAN, f32::INFINITY, 0.0, -0.001];
        assert_eq!(x.map(to_u8), [0, 255, 0, 255, 0, 255, 128, 127]);
    }

    #[test]
    fn broken_sizes_are_refused() {
        assert!(Pictures::new(0, vec![]).is_err());
        assert!(Pictures::new(2, vec![0; 13]).is_err());
        assert!(Pictures::new(2, vec![]).unwrap().is_empty());
    }
}
