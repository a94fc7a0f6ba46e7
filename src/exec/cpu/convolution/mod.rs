//! Convolutions as products of matrices that are never written down.
//!
//! A convolution is a product: rows are filters, columns are positions of all pictures, and the terms of a sum
//! are the taps of all channels. The left factor is the filters; the right one, "im2col", repeats every pixel
//! once for each tap that meets it: 25 times the batch. Here only a block of it exists at a time, a few channels
//! for [`COLUMNS`] positions, gathered by each thread into its own cache while it computes:
//!
//! 1. [`crate::exec::view`] says which pixel a tap meets at a position, for all three contractions alike.
//! 2. `stage` copies a few channels of the pictures in question into a padded array whose phases are apart, so
//!    that under any stride the pixels that neighbouring positions meet are neighbours.
//! 3. `product` computes answers and pictures. For pictures (the transposed convolution) a pixel meets only
//!    every `s`-th tap: its positions fall into `s × s` classes, and each is a dense product with the taps that
//!    reach it, so that no zero is ever multiplied.
//! 4. `filter` computes gradients of filters, where the sums run over positions.
//! 5. `scatter` computes most pictures the other way round: nothing is gathered, products are spread.
//!
//! Sums go on from block to block in a small array of results, in an order that depends on nothing but the
//! sizes; at the end of a chunk it is written out, and the step's pointwise work (bias, activation) runs on it
//! while it is in the cache.

mod filter;
mod product;
mod scatter;
mod stage;

use std::ops::Range;

use super::cut::Cut;
use super::lanes::Lanes;
use super::tile::Tile;
use crate::exec::buffer::Buffer;
use crate::tape::convolution::Convolution;
use crate::tape::plan::Contraction;

pub(super) use filter::{Filters, PackAnswers};
pub(super) use product::{PackFilters, Product, Products};
pub(super) use scatter::Scatter;

/// Positions that are worked on together.
const COLUMNS: usize = 128;

/// Terms of a block of sums, about.
const TERMS: usize = 192;

/// Rows of a tile: with the four registers of a row that makes 24 sums, which hide the latency of
/// multiply-adds, four registers of the right factor, and one broadcast number.
const ROWS: usize = 6;

/// Registers in a row of a panel of the right factor.
const PANEL: usize = 4;

/// Fewer chunks than this would leave threads idle.
const CHUNKS: usize = 16;

/// A thread's memory for one block.
#[derive(Debug)]
pub(super) struct Scratch {
    stage: Buffer,
    gathered: Buffer,
    sums: Buffer,
    runs: Vec<stage::Run>,
}

/// How much of it a contraction needs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Need {
    stage: usize,
    gathered: usize,
    sums: usize,
    runs: usize,
}

impl Need {
    /// Enough for both.
    pub fn max(self, other: Self) -> Self {
        Self {
            stage: self.stage.max(other.stage),
            gathered: self.gathered.max(other.gathered),
            sums: self.sums.max(other.sums),
            runs: self.runs.max(other.runs),
        }
    }

    /// The memory.
    pub fn allocate(self) -> Scratch {
        Scratch {
            stage: Buffer::filled(self.stage, f32::NAN),
            gathered: Buffer::filled(self.gathered, f32::NAN),
            sums: Buffer::filled(self.sums, f32::NAN),
            runs: Vec::with_capacity(self.runs),
        }
    }
}

/// Whether pictures are spread rather than gathered, see `scatter`.
pub(super) fn scatters(what: Contraction, c: &Convolution, lanes: usize) -> bool {
    what == Contraction::Picture && scatter::suits(c, lanes)
}

/// How the result of `what` is cut: pictures (filters) and channels of each.
pub(super) fn cut(what: Contraction, c: &Convolution, lanes: usize) -> Cut {
    match what {
        Contraction::Filter => filter::cut(c, lanes),
        _ if scatters(what, c, lanes) => scatter::cut(c),
        _ => Product::new(what, c).cut(),
    }
}

/// What a contraction needs of each thread.
pub(super) fn need(what: Contraction, c: &Convolution, lanes: usize) -> Need {
    match what {
        Contraction::Filter => filter::need(c, lanes),
        _ if scatters(what, c, lanes) => scatter::need(c, lanes),
        _ => Product::new(what, c).need(lanes),
    }
}

/// Numbers of the operand that is packed once for all threads: filters, or for filters the answers.
pub(super) fn packed(what: Contraction, c: &Convolution, lanes: usize) -> usize {
    match what {
        Contraction::Filter => filter::packed(c, lanes),
        _ if scatters(what, c, lanes) => 0,
        _ => Product::new(what, c).packed(),
    }
}

/// How many parts the packing of that operand has.
pub(super) fn packing_parts(what: Contraction, c: &Convolution, lanes: usize) -> usize {
    match what {
        Contraction::Filter => filter::packing_parts(c, lanes),
        _ => Product::new(what, c).packing_parts(),
    }
}

/// Part `i` of the packed operand.
pub(super) fn packing_part(
    what: Contraction,
    c: &Convolution,
    lanes: usize,
    i: usize,
) -> Range<usize> {
    match what {
        Contraction::Filter => filter::packing_part(c, lanes, i),
        _ => Product::new(what, c).packing_part(i),
    }
}

/// The product of a left factor, whose rows are `row` and whose terms are `step` apart, with panels of a right
/// factor, each of `k` rows of `PANEL` registers, `panel` numbers from the next.
struct Block<'a> {
    rows: usize,
    columns: usize,
    k: usize,
    a: &'a [f32],
    left: Left,
    b: &'a [f32],
    panel: usize,
    /// From one row of a panel to the next.
    b_step: usize,
    sums: &'a mut [f32],
    /// Whether the sums go on from what they are.
    go_on: bool,
}

/// How the left factor lies in memory.
#[derive(Clone, Copy)]
enum Left {
    /// Groups of [`ROWS`] rows, `group` numbers apart, in which the rows of one term are neighbours.
    Groups { group: usize },
    /// Row after row.
    Rows { row: usize },
    /// Term after term, the rows of each being neighbours.
    Terms { term: usize },
}

impl Block<'_> {
    /// A panel of the right factor stays in the first-level cache while the rows of the left one pass by.
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let width = PANEL * L::N;
        let stride = self.columns.next_multiple_of(width);
        for (panel, first) in (0..self.columns).step_by(width).enumerate() {
            let registers = (self.columns - first).min(width).div_ceil(L::N);
            for row in (0..self.rows).step_by(ROWS) {
                let mut register = 0;
                while register < registers {
                    let many = if L::MANY_REGISTERS { 3 } else { usize::MAX };
                    let wide = match registers - register {
                        n if n >= many => 4,
                        2.. => 2,
                        _ => 1,
                    };
                    let mut done = 0;
                    let rows = ROWS.min(self.rows - row);
                    while done < rows {
                        let high = match rows - done {
                            ROWS.. => ROWS,
                            4.. => 4,
                            2.. => 2,
                            _ => 1,
                        };
                        let (start, a_row, a_step) = match self.left {
                            Left::Groups { group } => (row / ROWS * group + done, 1, ROWS),
                            Left::Rows { row: next } => ((row + done) * next, next, 1),
                            Left::Terms { term } => (row + done, 1, term),
                        };
                        let out = (row + done) * stride + first + register * L::N;
                        let tile = Tile {
                            k: self.k,
                            a: &self.a[start..],
                            a_row,
                            a_step,
                            b: self.b,
                            b_start: panel * self.panel + register * L::N,
                            b_panel: L::N,
                            b_step: self.b_step,
                            out: &mut self.sums[out..],
                            out_row: stride,
                            columns: wide * L::N,
                            go_on: self.go_on,
                        };
                        tile.run::<L>(high, wide);
                        done += high;
                    }
                    register += wide;
                }
            }
        }
    }
}
