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

use super::cut::Cut;
use crate::exec::buffer::Buffer;
use crate::tape::convolution::Convolution;
use crate::tape::plan::Contraction;

pub(super) use product::{PackLeft, Product};
pub(super) use scatter::Scatter;
pub(super) use sums::Sums;

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
pub(super) fn scatters(what: Contraction, c: &Convolution, lanes: usize) -> bool {
    what == Contraction::Picture && scatter::suits(c, lanes)
}

/// How the result of `what` is cut: pictures (filters) and channels of each.
pub(super) fn cut(what: Contraction, c: &Convolution, lanes: usize) -> Cut {
    match scatters(what, c, lanes) {
        true => scatter::cut(c),
        false => Product::new(what, c).cut(lanes),
    }
}

/// What a contraction needs of each thread.
pub(super) fn need(what: Contraction, c: &Convolution, lanes: usize) -> Need {
    match scatters(what, c, lanes) {
        true => scatter::need(c),
        false => Product::new(what, c).need(lanes),
    }
}

/// Numbers of the factor that is packed once for all threads.
pub(super) fn packed(what: Contraction, c: &Convolution, lanes: usize) -> usize {
    match scatters(what, c, lanes) {
        true => 0,
        false => Product::new(what, c).packed(lanes),
    }
}
