//! Gradients of filters: gathered positions times answers, summed over all positions of the batch.
//!
//! Rows are the taps of a few channels, columns are filters. The answers are packed once for all threads so
//! that the filters of a position are neighbours.

use std::ops::Range;

use super::stage::{Positions, Stage};
use super::{Block, CHUNKS, Left, Need, PANEL, Scratch, TERMS};
use crate::exec::cpu::cut::{Chunk, Cut};
use crate::exec::cpu::lanes::{Kernel, Lanes};
use crate::exec::cpu::rearrange::transpose_rows;
use crate::exec::view::View;
use crate::tape::convolution::Convolution;

/// Rows and panels of a chunk, about.
const MOST_ROWS: usize = 126;
const MOST_PANELS: usize = 4;

pub(super) fn cut(c: &Convolution, lanes: usize) -> Cut {
    let (taps, width) = (c.kernel[0] * c.kernel[1], PANEL * lanes);
    let mut cut = Cut {
        outer: c.filters,
        outer_block: MOST_PANELS.min(c.filters.div_ceil(width)) * width,
        inner: c.channels,
        inner_block: (MOST_ROWS / taps).clamp(1, c.channels),
        unit: taps,
    };
    while cut.chunks() < CHUNKS && (cut.inner_block > 1 || cut.outer_block > width) {
        if cut.inner_block > 1 {
            cut.inner_block = cut.inner_block.div_ceil(2);
        } else {
            cut.outer_block = (cut.outer_block / width).div_ceil(2) * width;
        }
    }
    cut
}

pub(super) fn need(c: &Convolution, lanes: usize) -> Need {
    let cut = cut(c, lanes);
    let view = View::of_pictures(c);
    let [terms, pictures, rows] = Positions::most(&view, c.batch, TERMS);
    let stage = Stage::new(&view, pictures, rows);
    let taps = cut.inner_block * cut.unit;
    Need {
        stage: cut.inner_block * stage.channel() + lanes,
        gathered: taps * terms + lanes,
        sums: taps * cut.outer_block,
        runs: pictures * rows,
    }
}

/// Numbers in a panel of the packed answers.
fn panel(c: &Convolution, lanes: usize) -> usize {
    c.batch * c.positions() * PANEL * lanes
}

pub(super) fn packed(c: &Convolution, lanes: usize) -> usize {
    c.filters.div_ceil(PANEL * lanes) * panel(c, lanes)
}

/// A part is a picture's share of a panel.
pub(super) fn packing_parts(c: &Convolution, lanes: usize) -> usize {
    c.filters.div_ceil(PANEL * lanes) * c.batch
}

pub(super) fn packing_part(c: &Convolution, lanes: usize, i: usize) -> Range<usize> {
    let size = c.positions() * PANEL * lanes;
    i * size..(i + 1) * size
}

/// Packs one part of the answers: position after position, the numbers of a panel of filters side by side.
pub(in crate::exec::cpu) struct PackAnswers<'a> {
    pub c: Convolution,
    pub y: &'a [f32],
    pub part: usize,
    /// Room for exactly this part.
    pub out: &'a mut [f32],
}

impl Kernel for PackAnswers<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (width, positions) = (PANEL * L::N, self.c.positions());
        let (panel, picture) = (self.part / self.c.batch, self.part % self.c.batch);
        let filters = panel * width..self.c.filters.min((panel + 1) * width);
        let y = &self.y[(picture * self.c.filters + filters.start) * positions..];
        transpose_rows::<L>(y, positions, [filters.len(), positions], self.out, width);
        for row in self.out.chunks_exact_mut(width) {
            row[filters.len()..].fill(0.0);
        }
    }
}

/// Computes a chunk of filters' gradients.
pub(in crate::exec::cpu) struct Filters<'a, F> {
    pub c: Convolution,
    /// All pictures.
    pub x: &'a [f32],
    /// All packed answers.
    pub packed: &'a [f32],
    /// Filters, and channels of each.
    pub chunk: &'a Chunk,
    pub scratch: &'a mut Scratch,
    /// The chunk's piece of a filter of the result.
    pub piece: F,
}

impl<'a, F: FnMut(usize) -> &'a mut [f32]> Kernel for Filters<'a, F> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let Scratch {
            stage: staged,
            gathered,
            sums,
            runs,
        } = &mut *self.scratch;
        let (c, width) = (&self.c, PANEL * L::N);
        let view = View::of_pictures(c);
        let (columns, channels) = (self.chunk.outer.len(), self.chunk.inner.clone());
        let rows = channels.len() * view.tap_count();
        let stride = columns.next_multiple_of(width);
        if c.batch == 0 {
            sums[..rows * stride].fill(0.0);
        }
        let panel = panel(c, L::N);
        let packed = &self.packed[self.chunk.outer.start / width * panel..];
        let mut before = 0;
        for positions in Positions::blocks(&view, 0..c.batch, TERMS) {
            let terms = positions.count();
            let stage = Stage::new(&view, positions.pictures.len(), positions.rows.len());
            stage.runs(&positions, terms, terms, runs);
            stage.fill(self.x, c.channels, channels.clone(), &positions, staged);
            stage.gather_taps::<L>(channels.len(), staged, runs, terms, gathered);
            Block {
                rows,
                columns,
                k: terms,
                a: gathered,
                left: Left::Rows { row: terms },
                b: &packed[before * width..],
                panel,
                b_step: width,
                sums,
                go_on: before > 0,
            }
            .run::<L>();
            before += terms;
        }
        for (column, filter) in self.chunk.outer.clone().enumerate() {
            let piece = (self.piece)(filter);
            for (out, sums) in piece.iter_mut().zip(sums.chunks_exact(stride)) {
                *out = sums[column];
            }
        }
    }
}
