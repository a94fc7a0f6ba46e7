//! Matrix products `C = A B`.
//!
//! Small and medium right factors (up to [`RESIDENT`] numbers, which fit the second-level cache) go through
//! our own kernel: tiles of `C` of 4 rows by up to 4 registers (`tile`). `A` is read in place, transposed or
//! not; `B` is read in place if its rows are whole registers, else from a packed copy whose panels are.
//!
//! Larger ones go to the `matrixmultiply` crate, which blocks for all cache levels (and allocates its packing
//! buffers at each call).
//!
//! The result does not depend on the number of threads: in our kernel every element of `C` is one chain of
//! multiply-adds over `k`, in order, in whatever tile it lies; the library is called for chunks of rows that are
//! the same for any number of threads.

#![expect(unsafe_code, reason = "matrixmultiply takes pointers")]

use super::lanes::{Kernel, Lanes};
use super::rearrange::transpose_rows;
use super::tile::Tile;

/// Right factors of up to this many numbers (512 KiB) are handled by our own kernel.
const RESIDENT: usize = 128 * 1024;

/// Rows of a tile.
const TILE_ROWS: usize = 4;

/// The geometry of a product: `C` is `[m, n]`, the sum runs over `k`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gemm {
    pub m: usize,
    pub k: usize,
    pub n: usize,
    /// `A` is stored as `[k, m]`.
    pub ta: bool,
    /// `B` is stored as `[n, k]`.
    pub tb: bool,
}

/// How the right factor is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// In place, by our kernel.
    InPlace,
    /// From a packed copy of so many numbers, by our kernel.
    Packed(usize),
    /// In place, by `matrixmultiply`.
    Library,
}

impl Gemm {
    /// The product of sizes `[m, k, n]`.
    pub fn new(ta: bool, tb: bool, [m, k, n]: [usize; 3]) -> Self {
        Self { m, k, n, ta, tb }
    }

    /// The least number of rows to compute in one go: a tile's, or what repays the library's packing of `B`.
    pub fn chunk_rows(&self, lanes: usize) -> usize {
        match self.right(lanes) {
            Right::Library => 128,
            _ => TILE_ROWS,
        }
    }

    /// How `B` is read on a machine with `lanes` numbers per register.
    pub fn right(&self, lanes: usize) -> Right {
        if self.k * self.n > RESIDENT {
            Right::Library
        } else if self.tb || !self.n.is_multiple_of(lanes) {
            Right::Packed(self.k * self.n.next_multiple_of(lanes))
        } else {
            Right::InPlace
        }
    }
}

/// Copies panels of `B` so that a row of a panel is contiguous and a whole number of registers, zeros behind
/// the last column. Panel `j` (of [`Lanes::N`] columns) starts at `j · N · k`.
pub(super) struct Pack<'a> {
    pub gemm: Gemm,
    pub b: &'a [f32],
    /// The panels to write.
    pub panels: std::ops::Range<usize>,
    /// Room for exactly these panels.
    pub out: &'a mut [f32],
}

impl Kernel for Pack<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Gemm { k, n, tb, .. } = self.gemm;
        for (j, panel) in self.panels.zip(self.out.chunks_exact_mut(k * L::N)) {
            let columns = j * L::N..n.min((j + 1) * L::N);
            if columns.len() < L::N {
                panel.fill(0.0);
            }
            if tb {
                let b = &self.b[columns.start * k..columns.end * k];
                transpose_rows::<L>(b, k, [columns.len(), k], panel, L::N);
            } else {
                for (row, b) in panel.chunks_exact_mut(L::N).zip(self.b.chunks_exact(n)) {
                    row[..columns.len()].copy_from_slice(&b[columns.clone()]);
                }
            }
        }
    }
}

/// Rows of `C`.
pub(super) struct Rows<'a> {
    pub gemm: Gemm,
    pub right: Right,
    /// All of `A`.
    pub a: &'a [f32],
    /// All of `B`, or its packed copy.
    pub b: &'a [f32],
    /// The rows to compute.
    pub rows: std::ops::Range<usize>,
    /// Room for exactly these rows.
    pub out: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Gemm { m, k, n, ta, tb } = self.gemm;
        assert_eq!(self.out.len(), self.rows.len() * n);
        if self.rows.is_empty() || n == 0 {
            return;
        }
        if k == 0 {
            return self.out.fill(0.0);
        }
        assert!(self.rows.end <= m && self.a.len() == m * k);
        if self.right == Right::Library {
            assert_eq!(self.b.len(), k * n);
            let (row_a, col_a) = if ta { (1, m) } else { (k, 1) };
            let (row_b, col_b) = if tb { (1, k) } else { (n, 1) };
            let a = &self.a[self.rows.start * row_a..];
            // SAFETY: with these strides the call reads rows `self.rows` of `A` and all of `B`, whose sizes
            // were asserted above, and writes `self.rows.len()` rows of `n` to `out`, asserted above.
            unsafe {
                matrixmultiply::sgemm(
                    self.rows.len(),
                    k,
                    n,
                    1.0,
                    a.as_ptr(),
                    row_a as isize,
                    col_a as isize,
                    self.b.as_ptr(),
                    row_b as isize,
                    col_b as isize,
                    0.0,
                    self.out.as_mut_ptr(),
                    n as isize,
                    1,
                );
            }
            return;
        }
        let (a_row, a_step) = if ta { (1, m) } else { (k, 1) };
        let mut column = 0;
        while column < n {
            let registers = (n - column) / L::N;
            let width = match registers {
                4.. if L::MANY_REGISTERS => 4,
                2.. => 2,
                _ => 1,
            };
            for row in self.rows.clone().step_by(TILE_ROWS) {
                let tile = Tile {
                    k,
                    a: &self.a[row * a_row..],
                    a_row,
                    a_step,
                    b: self.b,
                    b_start: if self.right == Right::InPlace {
                        column
                    } else {
                        column * k
                    },
                    b_panel: if self.right == Right::InPlace {
                        L::N
                    } else {
                        L::N * k
                    },
                    b_step: if self.right == Right::InPlace {
                        n
                    } else {
                        L::N
                    },
                    out: &mut self.out[(row - self.rows.start) * n + column..],
                    out_row: n,
                    columns: (n - column).min(width * L::N),
                    go_on: false,
                };
                tile.run::<L>(TILE_ROWS.min(self.rows.end - row), width);
            }
            column += width * L::N;
        }
    }
}
