//! Pictures of few channels: every answer is multiplied with all taps, and the products are spread.
//!
//! Three rows, the colours of a picture, would not repay the gathering of a right factor. But each answer meets all
//! taps of all channels, and these 75 rows times the answers of a picture, which are read where they lie, are a dense
//! product over the filters. Its results are then added to the pixels that their taps meet ("col2im"): one addition
//! for as many multiply-adds as there are filters.

use super::{Block, Left, Need, PANEL, Scratch};
use crate::exec::cpu::cut::{Chunk, Cut};
use crate::exec::cpu::lanes::{Kernel, Lanes};
use crate::tape::convolution::Convolution;

/// Pictures of this many channels repay gathering.
const MANY_CHANNELS: usize = 16;

/// Fewer filters than this do not repay the additions.
const LEAST_FILTERS: usize = 16;

/// Answers of a picture that are worked on together, about: their products stay in the second-level cache.
const COLUMNS: usize = 256;

/// Whole rows of answers that are worked on together.
fn block(c: &Convolution) -> usize {
    let [rows, row] = c.answer;
    (COLUMNS / row.max(1)).clamp(1, rows.max(1))
}

/// Whether this suits the sizes: blocks must be whole registers, as answers are read in place.
pub(super) fn suits(c: &Convolution, lanes: usize) -> bool {
    let [rows, row] = c.answer;
    c.channels < MANY_CHANNELS
        && c.filters >= LEAST_FILTERS
        && rows.is_multiple_of(block(c))
        && (block(c) * row).is_multiple_of(lanes)
}

pub(super) fn cut(c: &Convolution) -> Cut {
    Cut {
        outer: c.batch,
        outer_block: 1,
        inner: c.channels,
        inner_block: c.channels,
        unit: c.picture.iter().product(),
    }
}

pub(super) fn need(c: &Convolution, lanes: usize) -> Need {
    let columns = (block(c) * c.answer[1]).next_multiple_of(PANEL * lanes);
    Need {
        sums: c.filter() * columns,
        ..Need::default()
    }
}

/// Computes the pictures of a chunk.
pub(in crate::exec::cpu) struct Scatter<'a, F> {
    pub c: Convolution,
    /// All answers.
    pub y: &'a [f32],
    /// All filters.
    pub w: &'a [f32],
    pub chunk: &'a Chunk,
    pub scratch: &'a mut Scratch,
    /// A picture of the result.
    pub piece: F,
}

impl<'a, F: FnMut(usize) -> &'a mut [f32]> Kernel for Scatter<'a, F> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let (c, width) = (self.c, PANEL * L::N);
        let [rows, row] = c.answer;
        let columns = block(&c) * row;
        for picture in self.chunk.outer.clone() {
            let y = &self.y[picture * c.filters * c.positions()..][..c.filters * c.positions()];
            let out = (self.piece)(picture);
            out.fill(0.0);
            for first in (0..rows).step_by(block(&c)) {
                Block {
                    rows: c.filter(),
                    columns,
                    k: c.filters,
                    a: self.w,
                    left: Left::Terms { term: c.filter() },
                    b: &y[first * row..],
                    panel: width,
                    b_step: c.positions(),
                    sums: &mut self.scratch.sums,
                    go_on: false,
                }
                .run::<L>();
                spread(
                    &c,
                    first,
                    &self.scratch.sums,
                    columns.next_multiple_of(width),
                    out,
                );
            }
        }
    }
}

/// Adds the products of rows of answers from row `first` on, a line of `sums` for each tap of each channel, to the
/// pixels that they meet.
#[inline(always)]
fn spread(c: &Convolution, first: usize, sums: &[f32], line: usize, out: &mut [f32]) {
    let ([height, width], [_, row]) = (c.picture, c.answer);
    let ([down, across], [above, left]) = (c.window.stride, c.window.padding);
    let mut lines = sums.chunks_exact(line);
    for plane in out.chunks_exact_mut(height * width) {
        for k in 0..c.kernel[0] {
            for l in 0..c.kernel[1] {
                let products = lines.next().expect("a line for every tap of every channel");
                // Answers `start..end` of a row meet pixels, the first of them pixel `at`.
                let start = left.saturating_sub(l).div_ceil(across).min(row);
                let at = (start * across + l).saturating_sub(left);
                let end = row.min(start + width.saturating_sub(at).div_ceil(across));
                for (i, products) in products.chunks_exact(row).take(block(c)).enumerate() {
                    let pixel = ((first + i) * down + k).checked_sub(above);
                    let Some(pixel) = pixel.filter(|&pixel| pixel < height) else {
                        continue;
                    };
                    let pixels = &mut plane[pixel * width..][at.min(width)..width];
                    for (pixel, product) in
                        pixels.iter_mut().step_by(across).zip(&products[start..end])
                    {
                        *pixel += product;
                    }
                }
            }
        }
    }
}
