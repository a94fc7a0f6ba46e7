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
//! The terms of a sum may be counted along three axes, nested, with steps of their own: a convolution sums over rows of
//! taps, taps of a row and channels, and reads all of them where they lie.
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
    /// Terms of each sum along each axis, the innermost last; at least one.
    pub terms: [usize; 3],
    /// The left factor.
    pub a: &'a [f32],
    /// Where the tile's first row starts in it.
    pub a_start: usize,
    /// From one row of the left factor to the next.
    pub a_row: usize,
    /// From one term of the left factor to the next, along each axis.
    pub a_step: [isize; 3],
    /// The right factor.
    pub b: &'a [f32],
    /// Where the tile's columns start in it.
    pub b_start: usize,
    /// From one register of columns to the next.
    pub b_panel: usize,
    /// From one term of the right factor to the next, along each axis.
    pub b_step: [isize; 3],
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
    /// So many rows (1 to 4, 6, or 8 of at most 2 registers) of so many registers (1, 2 or 4).
    #[inline(always)]
    pub fn run<L: Lanes>(self, rows: usize, width: usize) {
        match (rows, width) {
            (8, 2) => self.edge::<L, 8, 2>(),
            (8, _) => self.edge::<L, 8, 1>(),
            (_, 4) => self.rows::<L, 4>(rows),
            (_, 2) => self.rows::<L, 2>(rows),
            _ => self.rows::<L, 1>(rows),
        }
    }

    #[inline(always)]
    fn rows<L: Lanes, const WIDTH: usize>(self, rows: usize) {
        match rows {
            6 => self.edge::<L, 6, WIDTH>(),
            4 => self.edge::<L, 4, WIDTH>(),
            3 => self.edge::<L, 3, WIDTH>(),
            2 => self.edge::<L, 2, WIDTH>(),
            _ => self.edge::<L, 1, WIDTH>(),
        }
    }

    /// The first and the last of the places that the terms of a row have in a factor.
    fn reach(&self, start: usize, step: [isize; 3]) -> [isize; 2] {
        let mut reach = [start as isize; 2];
        for (terms, step) in self.terms.into_iter().zip(step) {
            reach[usize::from(step > 0)] += (terms as isize - 1) * step;
        }
        reach
    }

    /// Only at the right edge are there registers that are not whole: elsewhere sums go straight to their registers.
    #[inline(always)]
    fn edge<L: Lanes, const ROWS: usize, const WIDTH: usize>(self) {
        match self.columns == WIDTH * L::N {
            true => self.registers::<L, ROWS, WIDTH, true>(),
            false => self.registers::<L, ROWS, WIDTH, false>(),
        }
    }

    /// `ROWS × WIDTH` registers, all of them whole or not.
    #[inline(always)]
    fn registers<L: Lanes, const ROWS: usize, const WIDTH: usize, const WHOLE: bool>(self) {
        let [first, last] = self.reach(self.a_start, self.a_step);
        assert!(first >= 0 && last as usize + (ROWS - 1) * self.a_row < self.a.len());
        let [first, last] = self.reach(self.b_start, self.b_step);
        assert!(first >= 0 && last as usize + (WIDTH - 1) * self.b_panel + L::N <= self.b.len());
        let mut c = [[L::splat(0.0); WIDTH]; ROWS];
        if self.go_on {
            for (i, c) in c.iter_mut().enumerate() {
                let row = &self.out[i * self.out_row..];
                if WHOLE {
                    for (j, c) in c.iter_mut().enumerate() {
                        *c = L::load(&row[j * L::N..]);
                    }
                    continue;
                }
                for (c, out) in c.iter_mut().zip(row[..self.columns].chunks(L::N)) {
                    *c = L::load_partial(out, 0.0);
                }
            }
        }
        let [outer, middle, inner] = self.terms.map(|n| n as isize);
        for i in 0..outer {
            for j in 0..middle {
                let from =
                    |start: usize, step: [isize; 3]| start as isize + i * step[0] + j * step[1];
                let mut a = from(self.a_start, self.a_step);
                let mut b = from(self.b_start, self.b_step);
                for _ in 0..inner {
                    let mut right = [L::splat(0.0); WIDTH];
                    for (j, right) in right.iter_mut().enumerate() {
                        let start = b as usize + j * self.b_panel;
                        // SAFETY: j < WIDTH, and b is between the places asserted before the loop.
                        *right = L::load(unsafe { self.b.get_unchecked(start..start + L::N) });
                    }
                    for (i, c) in c.iter_mut().enumerate() {
                        // SAFETY: i < ROWS, and a is between the places asserted before the loop.
                        let left = unsafe { *self.a.get_unchecked(a as usize + i * self.a_row) };
                        let left = L::splat(left);
                        for (c, &right) in c.iter_mut().zip(&right) {
                            *c = left.mul_add(right, *c);
                        }
                    }
                    a += self.a_step[2];
                    b += self.b_step[2];
                }
            }
        }
        for (i, c) in c.iter().enumerate() {
            let row = &mut self.out[i * self.out_row..];
            if WHOLE {
                for (j, c) in c.iter().enumerate() {
                    c.store(&mut row[j * L::N..]);
                }
                continue;
            }
            for (out, c) in row[..self.columns].chunks_mut(L::N).zip(c) {
                c.store_partial(out);
            }
        }
    }
}
