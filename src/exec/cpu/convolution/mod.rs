//! Convolutions as products whose factors are read where they lie.
//!
//! Pictures, filters and answers meet in one trilinear form ([`crate::tape::convolution`]): along each axis, a pixel
//! `h`, an answer `i` and a tap `k` wherever `h = i·s + k − p`. Each contraction keeps one of the three as the place
//! of its result and sums over the pairs of the other two:
//!
//! ```text
//!            y[i][n, o] += Σ_c  x[h][n, c] · w[k][c, o]      for every tap k of i that meets a pixel h
//!            x[h][n, c] += Σ_o  y[i][n, o] · w[k][o, c]      for every answer i that meets h, by its tap k
//!            w[k][c, o] += Σ_n  x[h][c, n] · y[i][n, o]      for every answer i that meets a pixel h with k
//! ```
//!
//! So a place of the result is a sum of ordinary matrix products, of a matrix of the left factor with one of the right
//! one. With each matrix stored so that its rows lie side by side, all of them are read in place, by one loop that walks
//! along the pairs and along the terms of each: no "im2col" is gathered, no padding is stored, and what meets only
//! padding is never multiplied. That is much: with 5 × 5 taps at stride 2, 28 % of the taps of pictures of 8 × 8.
//!
//! 1. `window` says which pairs belong to a place.
//! 2. `factor` lays rows side by side.
//! 3. `product` sees each contraction as such a product, and says how it is cut into chunks and blocks.
//! 4. `sums` computes a chunk.
//! 5. `scatter` computes pictures of few channels, which would leave most lanes empty, the other way round.

mod factor;
mod product;
mod scatter;
mod sums;
mod window;

use std::ops::Range;

use self::product::{PackLeft, Product};
use self::scatter::Scatter;
use self::sums::Sums;
use super::cut::Cut;
use super::family::{self, Family, Machine};
use super::work::{Reading, Work};
use super::workspace::Workspace;
use crate::exec::buffer::Buffer;
use crate::tape::plan::Contraction;
use crate::tape::plan::kernel::Contract;

/// Registers in a row of a tile.
const WIDTH: usize = 2;

/// A thread's memory for one block.
#[derive(Debug)]
pub(super) struct Scratch {
    /// The packed right factor.
    right: Buffer,
    sums: Buffer,
    /// Planes of the result on their way out.
    planes: Buffer,
}

/// How much of it a contraction needs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Need {
    right: usize,
    sums: usize,
    planes: usize,
}

impl Need {
    /// Enough for both.
    pub fn max(self, other: Self) -> Self {
        Self {
            right: self.right.max(other.right),
            sums: self.sums.max(other.sums),
            planes: self.planes.max(other.planes),
        }
    }

    /// The memory.
    pub fn allocate(self) -> Scratch {
        let [right, sums, planes] =
            [self.right, self.sums, self.planes].map(|count| Buffer::filled(count, f32::NAN));
        Scratch {
            right,
            sums,
            planes,
        }
    }
}

/// Whether products are spread over pictures rather than added up place by place, see `scatter`.
fn scatters(kernel: &Contract, lanes: usize) -> bool {
    kernel.what == Contraction::Picture && scatter::suits(&kernel.sizes, lanes)
}

impl Family for Contract {
    /// Pictures (filters), and channels of each.
    fn cut(&self, machine: Machine, _: usize) -> Cut {
        match scatters(self, machine.lanes) {
            true => scatter::cut(&self.sizes),
            false => Product::new(self.what, &self.sizes).cut(machine.lanes),
        }
    }

    /// The left factor, packed once for all threads.
    fn preparation(&self, machine: Machine) -> Vec<Range<usize>> {
        if scatters(self, machine.lanes) {
            return vec![];
        }
        let product = Product::new(self.what, &self.sizes);
        let parts = 0..match product.packed(machine.lanes) {
            0 => 0,
            _ => product.packing_parts(machine.lanes),
        };
        let parts = parts.map(|part| product.packing_part(part, machine.lanes));
        parts.collect()
    }

    fn prepare(&self, part: usize, from: &Reading<'_>, out: &mut [f32]) {
        from.isa.run(PackLeft {
            product: Product::new(self.what, &self.sizes),
            left: from.read(self.a),
            part,
            out,
        });
    }

    fn need(&self, machine: Machine) -> family::Need {
        let convolution = match scatters(self, machine.lanes) {
            true => scatter::need(&self.sizes),
            false => Product::new(self.what, &self.sizes).need(machine.lanes),
        };
        family::Need {
            convolution,
            ..family::Need::default()
        }
    }

    fn compute(&self, work: &mut Work<'_>, workspace: &mut Workspace) {
        let (from, scratch) = (work.from, &mut workspace.convolution);
        if scatters(self, from.lanes) {
            from.isa.run(Scatter {
                c: self.sizes,
                y: from.read(self.a),
                w: from.read(self.b),
                scratch,
                work,
            });
        } else {
            let product = Product::new(self.what, &self.sizes);
            from.isa.run(Sums {
                left: from.prepared(product.packed(from.lanes)),
                product,
                right: from.read(self.b),
                scratch,
                work,
            });
        }
    }
}
