//! The innermost loop of every product: a tile of the result stays in registers while the loop walks along the
//! terms of its sums.
//!
//! ```text
//!              b: WIDTH registers of one row of the right factor
//!            ┌────┬────┬────┬────┐
//!            └────┴────┴────┴────┘
//!    a ┌┐    ┌────┬────┬────┬────┐
//!      ││    │    │    │    │    │   at each term: load b, broadcast each number of a,
//!      ││ ×  │    │    │    │    │   ROWS × WIDTH fused multiply-adds
//!      └┘    └────┴────┴────┴────┘
//! ```
//!
//! Each element is one chain of multiply-adds over the terms, in order, wherever it lies in a tile: how a
//! product is cut into tiles and blocks does not change its bits.

#![expect(
    unsafe_code,
    reason = "the innermost loop indexes without bounds checks"
)]

use super::lanes::Lanes;

/// One tile of a product: where its operands start and how far apart their rows are.
pub(super) struct Tile<'a> {
    /// Terms of each sum; at least one.
    pub k: usize,
    /// The left factor from the tile's first row on.
    pub a: &'a [f32],
    /// From one row of the left factor to the next.
    pub a_row: usize,
    /// From one term of the left factor to the next.
    pub a_step: usize,
    /// The right factor.
    pub b: &'a [f32],
    /// Where the tile's columns start in it.
    pub b_start: usize,
    /// From one register of columns to the next.
    pub b_panel: usize,
    /// From one term of the right factor to the next.
    pub b_step: usize,
    /// The result from the tile's first element on.
    pub out: &'a mut [f32],
    /// From one row of the result to the next.
    pub out_row: usize,
    /// How many columns are stored: fewer than the tile has at the right edge.
    pub columns: usize,
    /// Whether the chains go on from what `out` holds.
    pub go_on: bool,
}

impl Tile<'_> {
    /// So many rows (1 to 4, or 6) of so many registers (1, 2 or 4).
    #[inline(always)]
    pub fn run<L: Lanes>(self, rows: usize, width: usize) {
        match width {
            4 => self.rows::<L, 4>(rows),
            2 => self.rows::<L, 2>(rows),
            _ => self.rows::<L, 1>(rows),
        }
    }

    #[inline(always)]
    fn rows<L: Lanes, const WIDTH: usize>(self, rows: usize) {
        match rows {
            6 => self.registers::<L, 6, WIDTH>(),
            4 => self.registers::<L, 4, WIDTH>(),
            3 => self.registers::<L, 3, WIDTH>(),
            2 => self.registers::<L, 2, WIDTH>(),
            _ => self.registers::<L, 1, WIDTH>(),
        }
    }

    /// `ROWS × WIDTH` registers.
    #[inline(always)]
    fn registers<L: Lanes, const ROWS: usize, const WIDTH: usize>(self) {
        let last = self.k - 1;
        assert!((ROWS - 1) * self.a_row + last * self.a_step < self.a.len());
        let last_b = self.b_start + (WIDTH - 1) * self.b_panel + last * self.b_step;
        assert!(last_b + L::N <= self.b.len());
        let mut c = [[L::splat(0.0); WIDTH]; ROWS];
        if self.go_on {
            for (i, c) in c.iter_mut().enumerate() {
                let row = &self.out[i * self.out_row..][..self.columns];
                for (c, out) in c.iter_mut().zip(row.chunks(L::N)) {
                    *c = L::load_partial(out);
                }
            }
        }
        for l in 0..self.k {
            let mut b = [L::splat(0.0); WIDTH];
            for (j, b) in b.iter_mut().enumerate() {
                let start = self.b_start + j * self.b_panel + l * self.b_step;
                // SAFETY: j < WIDTH and l ≤ last, so the end is at most the one asserted before the loop.
                *b = L::load(unsafe { self.b.get_unchecked(start..start + L::N) });
            }
            for (i, c) in c.iter_mut().enumerate() {
                // SAFETY: i < ROWS and l ≤ last, so the index is at most the one asserted before the loop.
                let a = unsafe { *self.a.get_unchecked(i * self.a_row + l * self.a_step) };
                let a = L::splat(a);
                for (c, &b) in c.iter_mut().zip(&b) {
                    *c = a.mul_add(b, *c);
                }
            }
        }
        for (i, c) in c.iter().enumerate() {
            let row = &mut self.out[i * self.out_row..][..self.columns];
            for (out, c) in row.chunks_mut(L::N).zip(c) {
                c.store_partial(out);
            }
        }
    }
}
