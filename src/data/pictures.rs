//! A set of square colour pictures, one byte per channel, in memory or in a mapped file.

use std::fmt;

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
    /// A cache file; the pictures come first in it.
    Mapped(Mmap),
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

    /// Pictures at the start of a mapped file, which is at least `count` pictures long.
    pub(super) fn mapped(side: usize, count: usize, map: Mmap) -> Self {
        assert!(count * picture_bytes(side) <= map.len(), "the map is short");
        let storage = Storage::Mapped(map);
        Self {
            side,
            count,
            storage,
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
    /// # Panics
    /// If there is no picture `i`.
    pub fn bytes(&self, i: usize) -> &[u8] {
        assert!(i < self.count, "picture {i} of {}", self.count);
        let all: &[u8] = match &self.storage {
            Storage::Owned(bytes) => bytes,
            Storage::Mapped(map) => map,
        };
        let size = picture_bytes(self.side);
        &all[i * size..(i + 1) * size]
    }
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

    fn write(&self, i: usize, out: &mut [f32]) {
        let bytes = self.bytes(i);
        assert_eq!(bytes.len(), out.len(), "numbers of one picture");
        for (x, &byte) in out.iter_mut().zip(bytes) {
            *x = f32::from(byte) / 127.5 - 1.0;
        }
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
        pictures.write(1, &mut x);
        assert_eq!(x.map(to_u8), pictures.bytes(1));
        pictures.write(0, &mut x);
        assert_eq!(x.map(to_u8), pictures.bytes(0));
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
