//! Computes contractions, a chunk at a time:
//!
//! ```text
//! for each stripe of the result's places
//!     for each block of terms
//!         pack the right factor
//!         for each place of the stripe, each two registers of lanes, each few rows
//!             a tile of sums += over pairs of places down, pairs across, and terms
//!     turn the sums into planes of the result
//! ```

use std::ops::Range;

use super::product::Product;
use super::window::Window;
use super::{Scratch, WIDTH};
use crate::exec::cpu::lanes::{Kernel, Lanes};
use crate::exec::cpu::rearrange::transpose_rows;
use crate::exec::cpu::tile::Tile;
use crate::exec::cpu::work::Work;

/// Computes a chunk of a contraction.
pub(super) struct Sums<'a, 'w> {
    pub product: Product,
    /// All of the left factor, packed.
    pub left: &'a [f32],
    /// All of the right factor, as it is.
    pub right: &'a [f32],
    pub scratch: &'a mut Scratch,
    /// The chunk.
    pub work: &'a mut Work<'w>,
}

impl Kernel for Sums<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let [height, width] = self.product.result;
        let stripe = self.product.stripe(L::N);
        for first in (0..height).step_by(stripe) {
            let rows = first..height.min(first + stripe);
            let places = first * width..rows.end * width;
            self.add_up::<L>(rows);
            match self.product.lanes_are_outer() {
                true => self.write_lanes::<L>(places),
                false => self.write_rows::<L>(places),
            }
        }
    }
}

impl Sums<'_, '_> {
    /// The sums of some rows of places: place after place, and for each place row after row, its lanes.
    #[inline(always)]
    fn add_up<L: Lanes>(&mut self, places: Range<usize>) {
        let product = &self.product;
        let [rows, lanes] = product.extent(self.work.chunk);
        let padded = lanes.len().next_multiple_of(L::N);
        let Scratch { right, sums, .. } = &mut *self.scratch;
        if product.left.depth == 0 {
            sums.fill(0.0);
        }
        for terms in product.blocks() {
            let (factor, panel) = (&product.right, product.right.panel(terms.len(), L::N));
            factor.pack::<L>(self.right, lanes.clone(), terms.clone(), right, L::N);
            let mut sums = sums.chunks_exact_mut(rows.len() * padded);
            for i in places.clone() {
                for j in 0..product.result[1] {
                    let place = Place {
                        windows: [product.window(0, i), product.window(1, j)],
                        terms: terms.len(),
                        left: &self.left[product.packed_place(rows.start, terms.start, L::N)..],
                        left_steps: product.left.steps(terms.len(), product.panel_rows(L::N)),
                        group: product.packed_place(L::N, 0, L::N),
                        right,
                        right_steps: product.right.steps(terms.len(), L::N),
                        panel,
                        rows: rows.len(),
                        lanes: padded,
                        sums: sums.next().expect("room for every place"),
                        go_on: terms.start > 0,
                    };
                    place.add_up::<L>();
                }
            }
        }
    }

    /// Writes sums where each row is a picture.
    #[inline(always)]
    fn write_rows<L: Lanes>(&mut self, places: Range<usize>) {
        let [rows, lanes] = self.product.extent(self.work.chunk);
        let padded = lanes.len().next_multiple_of(L::N);
        for (i, row) in rows.clone().enumerate() {
            let out = &mut self.work.piece(row)[places.start..];
            let (sums, size) = (
                &self.scratch.sums[i * padded..],
                [places.len(), lanes.len()],
            );
            transpose_rows::<L>(sums, rows.len() * padded, size, out, self.product.places());
        }
    }

    /// Writes sums where each lane is a filter. They are turned into planes first, as a register belongs to many pieces.
    #[inline(always)]
    fn write_lanes<L: Lanes>(&mut self, places: Range<usize>) {
        let [rows, lanes] = self.product.extent(self.work.chunk);
        let padded = lanes.len().next_multiple_of(L::N);
        let Scratch { sums, planes, .. } = &mut *self.scratch;
        let filter = rows.len() * places.len();
        for i in 0..rows.len() {
            let (sums, size) = (&sums[i * padded..], [places.len(), lanes.len()]);
            let planes = &mut planes[i * places.len()..];
            transpose_rows::<L>(sums, rows.len() * padded, size, planes, filter);
        }
        for (lane, planes) in lanes.zip(planes.chunks_exact(filter)) {
            let piece = self
                .work
                .piece(lane)
                .chunks_exact_mut(self.product.places());
            for (out, plane) in piece.zip(planes.chunks_exact(places.len())) {
                out[places.clone()].copy_from_slice(plane);
            }
        }
    }
}

/// What a block of terms adds to the sums of one place of the result.
struct Place<'a> {
    windows: [Window; 2],
    terms: usize,
    /// The left factor's block from the first row on, and how far apart its panels are.
    left: &'a [f32],
    left_steps: [usize; 3],
    group: usize,
    /// The right factor's block, and how far apart its registers of lanes are.
    right: &'a [f32],
    right_steps: [usize; 3],
    panel: usize,
    rows: usize,
    lanes: usize,
    sums: &'a mut [f32],
    go_on: bool,
}

impl Place<'_> {
    /// Two registers of lanes stay in the first-level cache while the rows pass by.
    #[inline(always)]
    fn add_up<L: Lanes>(self) {
        let [down, across] = self.windows;
        let terms = [down.count, across.count, self.terms];
        if terms.contains(&0) {
            if !self.go_on {
                self.sums.fill(0.0);
            }
            return;
        }
        let start = |[y, x]: [usize; 2], step: [usize; 3]| y * step[0] + x * step[1];
        let left = start([down.left, across.left], self.left_steps);
        let right = start([down.right, across.right], self.right_steps);
        let step = |[y, x]: [isize; 2], step: [usize; 3]| {
            [y * step[0] as isize, x * step[1] as isize, step[2] as isize]
        };
        let a_step = step([down.left_step, across.left_step], self.left_steps);
        let b_step = step([down.right_step, across.right_step], self.right_steps);
        for lane in (0..self.lanes).step_by(WIDTH * L::N) {
            let width = WIDTH.min((self.lanes - lane) / L::N);
            let mut row = 0;
            while row < self.rows {
                // Of the rows that are left of a panel, as many as fill half of the registers with sums.
                let rest = (L::N - row % L::N).min(self.rows - row);
                let high = match rest.min(L::REGISTERS / (2 * WIDTH)) {
                    7 => 6,
                    5 => 4,
                    high => high,
                };
                let tile = Tile {
                    terms,
                    a: self.left,
                    a_start: row / L::N * self.group + left + row % L::N,
                    a_row: 1,
                    a_step,
                    b: self.right,
                    b_start: lane / L::N * self.panel + right,
                    b_panel: self.panel,
                    b_step,
                    out: &mut self.sums[row * self.lanes + lane..],
                    out_row: self.lanes,
                    columns: width * L::N,
                    go_on: self.go_on,
                };
                tile.run::<L>(high, width);
                row += high;
            }
        }
    }
}
