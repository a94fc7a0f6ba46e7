//! A contraction as a product: rows of a left factor times lanes of a right one, at each place of the result.
//!
//! | result | rows | lanes | terms | left factor | right factor |
//! |---|---|---|---|---|---|
//! | an answer | pictures | filters | channels of the pixels that taps meet | pixels | taps |
//! | a pixel | pictures | channels | filters of the answers that meet it | answers | taps |
//! | a tap | channels | filters | pictures, at the pixels that answers meet with it | pixels | answers |
//!
//! The left factor is packed once for all threads. The right one is packed by each thread into its own cache, a block
//! of terms at a time. Sums go on from block to block in a small array, in an order that depends on nothing but the
//! sizes, and are turned at the end into the planes of the result.

use std::ops::Range;

use super::factor::Factor;
use super::window::{Axis, Window};
use super::{Need, WIDTH};
use crate::exec::cpu::cut::{Chunk, Cut};
use crate::exec::cpu::lanes::{Kernel, Lanes};
use crate::tape::convolution::Convolution;
use crate::tape::plan::Contraction;

/// Rows and lanes of a chunk, at most: so often is used what a chunk reads.
const ROWS: usize = 64;
const LANES: usize = 64;

/// Fewer chunks than this would leave threads idle.
const CHUNKS: usize = 16;

/// Terms of a block of a sum, about: they repay reading and writing it, and both factors' blocks stay in the caches.
const TERMS: usize = 300;

/// But at least so many at each place, which lie one after the other.
const LEAST_TERMS: usize = 4;

/// Sums that are worked on together, about: the right factor is packed anew for every so many of them.
const SUMS: usize = 256 << 10;

/// A contraction as a product.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    what: Contraction,
    pub(super) left: Factor,
    pub(super) right: Factor,
    axes: [Axis; 2],
    /// Height and width of a plane of the result.
    pub(super) result: [usize; 2],
    /// Terms that are worked on together at each place of the factors.
    block: usize,
}

impl Product {
    pub fn new(what: Contraction, c: &Convolution) -> Self {
        let (left, right, result) = match what {
            Contraction::Answer => (Factor::rows(c.x()), Factor::rows(c.w()), c.answer),
            Contraction::Picture => (Factor::rows(c.y()), Factor::columns(c.w()), c.picture),
            Contraction::Filter => (Factor::columns(c.x()), Factor::columns(c.y()), c.kernel),
        };
        let mut product = Self {
            what,
            left,
            right,
            axes: Axis::both(c),
            result,
            block: 1,
        };
        let pairs = [0, 1].map(|axis| {
            let windows = (0..result[axis]).map(|at| product.window(axis, at).count);
            windows.sum::<usize>()
        });
        let most = TERMS * product.places() / (pairs[0] * pairs[1]).max(1);
        product.block = even(left.depth, most.max(LEAST_TERMS));
        product
    }

    /// Places of a plane of the result.
    pub(super) fn places(&self) -> usize {
        self.result[0] * self.result[1]
    }

    /// What place `at` of the result sums over along `axis`.
    pub(super) fn window(&self, axis: usize, at: usize) -> Window {
        match self.what {
            Contraction::Answer => self.axes[axis].of_answer(at),
            Contraction::Picture => self.axes[axis].of_pixel(at),
            Contraction::Filter => self.axes[axis].of_tap(at),
        }
    }

    /// Rows and lanes of a chunk: whole registers.
    fn chunk(&self, lanes: usize) -> [usize; 2] {
        let size = [self.left.rows, self.right.rows];
        let mut chunk =
            [even(size[0], ROWS), even(size[1], LANES)].map(|n| n.next_multiple_of(lanes));
        let least = [lanes, WIDTH * lanes];
        while size[0].div_ceil(chunk[0]) * size[1].div_ceil(chunk[1]) < CHUNKS {
            // The longer side is halved, but the lanes not below what fills a tile.
            let axis = usize::from(chunk[1] > chunk[0].max(least[1]) || chunk[0] <= least[0]);
            if chunk[axis] <= least[axis] {
                break;
            }
            chunk[axis] = (chunk[axis] / 2).next_multiple_of(lanes);
        }
        chunk
    }

    /// Whether the result has a picture, or filter, for each lane rather than for each row.
    pub(super) fn lanes_are_outer(&self) -> bool {
        self.what == Contraction::Filter
    }

    /// Blocks of terms, in order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let (depth, block) = (self.left.depth, self.block);
        (0..depth)
            .step_by(block)
            .map(move |first| first..depth.min(first + block))
    }

    /// How the result is cut: it has pictures of answers or pixels, or filters of taps.
    pub fn cut(&self, lanes: usize) -> Cut {
        let (mut size, mut block) = ([self.left.rows, self.right.rows], self.chunk(lanes));
        if self.lanes_are_outer() {
            size.reverse();
            block.reverse();
        }
        Cut {
            outer: size[0],
            outer_block: block[0],
            inner: size[1],
            inner_block: block[1],
            unit: self.places(),
        }
    }

    /// The rows and the lanes of a chunk.
    pub(super) fn extent(&self, chunk: &Chunk) -> [Range<usize>; 2] {
        let mut extent = [chunk.outer.clone(), chunk.inner.clone()];
        if self.lanes_are_outer() {
            extent.reverse();
        }
        extent
    }

    /// Rows of the result's places that are worked on together.
    pub(super) fn stripe(&self, lanes: usize) -> usize {
        let [rows, columns] = self.chunk(lanes);
        even(
            self.result[0],
            SUMS / (rows * columns * self.result[1]).max(1),
        )
    }

    pub fn need(&self, lanes: usize) -> Need {
        let [rows, columns] = self.chunk(lanes);
        let sums = self.stripe(lanes) * self.result[1] * rows * columns;
        Need {
            right: self.block * self.right.places() * columns,
            sums,
            planes: match self.lanes_are_outer() {
                true => sums,
                false => 0,
            },
        }
    }

    /// Rows of a panel of the left factor: as many as a register has lanes, so that it can be packed in registers, or all
    /// of a few.
    pub(super) fn panel_rows(&self, lanes: usize) -> usize {
        self.left.rows.clamp(1, lanes)
    }

    /// Room for the packed left factor: panels of rows, one after the other, and for each block after block of terms.
    pub fn packed(&self, lanes: usize) -> usize {
        let rows = self.left.rows.next_multiple_of(self.panel_rows(lanes));
        rows * self.left.depth * self.left.places()
    }

    /// A part is a block of a panel.
    pub fn packing_parts(&self, lanes: usize) -> usize {
        self.left.rows.div_ceil(lanes) * self.left.depth.div_ceil(self.block)
    }

    /// The first row, and the terms, of part `i`.
    fn part(&self, i: usize, lanes: usize) -> (usize, Range<usize>) {
        let blocks = self.left.depth.div_ceil(self.block);
        let first = i % blocks * self.block;
        (
            i / blocks * lanes,
            first..self.left.depth.min(first + self.block),
        )
    }

    /// Where part `i` lies.
    pub fn packing_part(&self, i: usize, lanes: usize) -> Range<usize> {
        let (row, terms) = self.part(i, lanes);
        let start = self.packed_place(row, terms.start, lanes);
        start..start + self.left.panel(terms.len(), self.panel_rows(lanes))
    }

    /// Where the block of the panel from `row` and of the terms from `term` on starts.
    pub(super) fn packed_place(&self, row: usize, term: usize, lanes: usize) -> usize {
        (row * self.left.depth + term * self.panel_rows(lanes)) * self.left.places()
    }
}

/// The size of the fewest equal blocks of at most `most` that `count` falls into; at least 1.
fn even(count: usize, most: usize) -> usize {
    let blocks = count.div_ceil(most.max(1)).max(1);
    count.div_ceil(blocks).max(1)
}

/// Packs a part of the left factor.
pub(super) struct PackLeft<'a> {
    pub product: Product,
    /// All of it.
    pub left: &'a [f32],
    pub part: usize,
    /// Room for exactly this part.
    pub out: &'a mut [f32],
}

impl Kernel for PackLeft<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let left = self.product.left;
        let (row, terms) = self.product.part(self.part, L::N);
        let rows = row..left.rows.min(row + L::N);
        let width = self.product.panel_rows(L::N);
        left.pack::<L>(self.left, rows, terms, self.out, width);
    }
}
