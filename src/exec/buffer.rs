//! Numbers that start on a cache line, so that a full SIMD register never straddles two.

#![expect(unsafe_code, reason = "a Vec of lines is viewed as a slice of numbers")]

use std::ops::{Deref, DerefMut};

/// One cache line of numbers.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A fixed number of `f32`, aligned to 64 bytes. Derefs to a slice.
#[derive(Debug, Clone, Default)]
pub struct Buffer {
    lines: Vec<Line>,
    count: usize,
}

impl Buffer {
    /// `count` copies of `value`.
    pub fn filled(count: usize, value: f32) -> Self {
        Self {
            lines: vec![Line([value; 16]); count.div_ceil(16)],
            count,
        }
    }

    /// A copy of `values`.
    pub fn from_slice(values: &[f32]) -> Self {
        let mut buffer = Self::filled(values.len(), 0.0);
        buffer.copy_from_slice(values);
        buffer
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: `lines` holds at least `count.div_ceil(16)` lines of 16 initialised numbers each, without
        // padding (64 bytes at 64-byte alignment), so `count` numbers from its start are valid.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.count) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and `&mut self` makes the borrow exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.count) }
    }
}
