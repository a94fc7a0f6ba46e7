//! Matrix products `C = A B`.
//!
//! Tiles of `C` of 4 or 6 rows by up to 4 registers (`tile`). `A` is read in place, transposed or not; `B` is read in place
//! if its rows are whole registers, and short or all of it in the second-level cache, else from a packed copy: panels of
//! a register's width. All threads share a large copy; of a small one each has its own, as packing it takes less time
//! than waiting for another thread's part to arrive.
//!
//! A chunk is some rows of `C`. With a large `B` the sums are cut into blocks of [`TERMS`], so that the part of `A`
//! that belongs to a chunk and a block stays in the second-level cache while all of `C`'s columns pass by, and the
//! chunk has several tiles' rows, which share each panel while it is in the cache too.
//!
//! Where `C` has a few columns only, `narrow` computes it, without a copy of `B` wherever that can be.
//!
//! The result does not depend on the number of threads: every element of `C` is one chain of multiply-adds over
//! `k`, in order, in whatever tile and block it lies.

use super::lanes::{Kernel, Lanes};
use super::narrow::{self, NarrowRows};
use super::rearrange::transpose_rows;
use super::tile::Tile;

/// Right factors of up to this many numbers (512 KiB) stay in the second-level cache.
const RESIDENT: usize = 128 * 1024;

/// Packed copies of up to this many numbers are made by each thread for itself.
const OWN: usize = 32 * 1024;

/// Terms of a block.
const TERMS: usize = 512;

/// Registers in a row of a tile, at most.
const TILE_REGISTERS: usize = 4;

/// Rows of a tile.
const TILE_ROWS: usize = 4;

/// Rows of a tile, and tiles of a chunk, where the right factor is larger.
const LARGE_ROWS: usize = 6;
const LARGE_TILES: usize = 4;

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
    /// In place.
    InPlace,
    /// From this thread's packed copy of so many numbers.
    Own(usize),
    /// From all threads' packed copy of so many numbers.
    Shared(usize),
}

impl Gemm {
    /// The product of sizes `[m, k, n]`.
    pub fn new(ta: bool, tb: bool, [m, k, n]: [usize; 3]) -> Self {
        Self { m, k, n, ta, tb }
    }

    /// Whether the right factor leaves the second-level cache.
    fn is_large(&self) -> bool {
        self.k * self.n > RESIDENT
    }

    /// Whether there are too few columns for tiles.
    fn is_narrow(&self) -> bool {
        self.n <= narrow::MOST_COLUMNS
    }

    /// The least number of rows to compute in one go: a tile's, or what repays walking through all of `B`.
    pub fn chunk_rows(&self) -> usize {
        match (self.is_narrow(), self.is_large()) {
            (true, _) => narrow::ROWS,
            // The fewest chunks, of equal size.
            (false, true) => {
                let chunks = self.m.div_ceil(LARGE_ROWS * LARGE_TILES);
                self.m.div_ceil(chunks.max(1))
            }
            (false, false) => TILE_ROWS,
        }
    }

    /// How `B` is read on a machine with `lanes` numbers per register.
    pub fn right(&self, lanes: usize) -> Right {
        let in_place = match self.is_narrow() {
            true => self.ta || self.tb || self.n == 1,
            false if self.tb || !self.n.is_multiple_of(lanes) => false,
            // A row that is no longer than a tile is read as a panel would be.
            false => !self.is_large() || self.n <= TILE_REGISTERS * lanes,
        };
        let packed = self.k * self.n.next_multiple_of(lanes);
        match in_place || packed == 0 {
            true => Right::InPlace,
            false if packed <= OWN => Right::Own(packed),
            false => Right::Shared(packed),
        }
    }
}

/// Copies panels of `B` so that a row of a panel is contiguous and a whole number of registers, zeros behind
/// the last column. Panel `j` (of [`Lanes::N`] columns) starts at `j · N · k`. For `narrow` the copy is `[n, k]`.
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
        if self.gemm.is_narrow() {
            for (column, out) in self.out.chunks_exact_mut(k).take(n).enumerate() {
                let b = self.b[column..].iter().step_by(n);
                out.iter_mut().zip(b).for_each(|(out, b)| *out = *b);
            }
            return;
        }
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
        let Gemm { m, k, n, ta, .. } = self.gemm;
        assert_eq!(self.out.len(), self.rows.len() * n);
        if self.rows.is_empty() || n == 0 {
            return;
        }
        if k == 0 {
            return self.out.fill(0.0);
        }
        assert!(self.rows.end <= m && self.a.len() == m * k);
        if self.gemm.is_narrow() {
            let Self {
                gemm,
                a,
                b,
                rows,
                out,
                ..
            } = self;
            return NarrowRows {
                gemm,
                a,
                b,
                rows,
                out,
            }
            .run::<L>();
        }
        let (a_row, a_step) = if ta { (1, m) } else { (k, 1) };
        // From one register of columns to the next, and from one term to the next.
        let (b_panel, b_step) = match self.right {
            Right::InPlace => (L::N, n),
            Right::Own(_) | Right::Shared(_) => (L::N * k, L::N),
        };
        let (terms, tile_rows) = match self.gemm.is_large() {
            true => (TERMS, LARGE_ROWS),
            false => (k, TILE_ROWS),
        };
        for term in (0..k).step_by(terms) {
            let mut column = 0;
            while column < n {
                let registers = (n - column) / L::N;
                let width = match registers {
                    TILE_REGISTERS.. if L::REGISTERS >= 32 => TILE_REGISTERS,
                    2.. => 2,
                    _ => 1,
                };
                let mut row = self.rows.start;
                while row < self.rows.end {
                    let high = match self.rows.end - row {
                        rest if rest >= tile_rows => tile_rows,
                        4.. => 4,
                        rest => rest,
                    };
                    let tile = Tile {
                        terms: [1, 1, terms.min(k - term)],
                        a: self.a,
                        a_start: row * a_row + term * a_step,
                        a_row,
                        a_step: [0, 0, a_step as isize],
                        b: self.b,
                        b_start: column / L::N * b_panel + term * b_step,
                        b_panel,
                        b_step: [0, 0, b_step as isize],
                        out: &mut self.out[(row - self.rows.start) * n + column..],
                        out_row: n,
                        columns: (n - column).min(width * L::N),
                        go_on: term > 0,
                    };
                    tile.run::<L>(high, width);
                    row += high;
                }
                column += width * L::N;
            }
        }
    }
}
