//! Pairwise sums in many dimensions: lanes are coordinates.
//!
//! A tile of squared distances stays in registers while the loop walks along the coordinates:
//!
//! ```text
//!              b: J charges, where they lie
//!    a ┌┐    ┌──┬──┬──┬──┐
//!   P  ││    │  │  │  │  │   at each register of coordinates: load the rows' registers,
//!      ││ ×  │  │  │  │  │   P × J times subtract, multiply, add
//!      └┘    └──┴──┴──┴──┘
//! ```
//!
//! The rows of pictures are long, so all is done for a block of coordinates at a time. The block of a chunk of points is
//! copied to where a tile's registers lie side by side, since rows whose distance is a multiple of 4 KiB push each other
//! out of the first-level cache; the copy stays in the second-level one, and the charges' rows, which are read where they
//! lie, pass by it. The distances of a chunk to all charges are kept in scratch memory; a field's second pass turns them
//! into weights and adds up weighted differences, lanes again being coordinates.

use std::ops::Range;

use super::Sums;
use super::tiles::{add_differences, pack, squares, unpack};
use crate::exec::cpu::lanes::Lanes;
use crate::exec::cpu::lanes::math::inverse_half_power;
use crate::tape::plan::Pairwise;

/// The most points of a chunk.
const POINTS: usize = 64;

/// Points of a chunk out of `count`: as the charges are read once for every chunk, rather more, but not so many that
/// threads have nothing to do.
pub(super) fn chunk(count: usize, threads: usize) -> usize {
    match count < 2 * threads * POINTS {
        true => 16,
        false => POINTS,
    }
}

/// Coordinates of a block of squared distances: the sums over lanes at its end are few beside it.
const SQUARES: usize = 1024;

/// Coordinates of a block of weighted differences: a tile's points, their sums and charges fit the first-level cache,
/// those of a chunk the second.
const DIFFERENCES: usize = 256;

/// Numbers of scratch that a thread needs for sums over so many charges: distances and blocks.
pub(super) fn scratch(charges: usize) -> usize {
    POINTS * (charges + SQUARES.max(2 * DIFFERENCES))
}

impl Sums<'_> {
    /// With 32 registers, 16 sums, 4 registers of points, and some to compute with (with 24 sums the compiler runs out
    /// of registers); with 16, half as many. Either way there are as many sums as a register has lanes.
    #[inline(always)]
    pub(super) fn by_rows<L: Lanes>(mut self) {
        let (m, width) = (self.geometry.m, self.width);
        let count = self.geometry.charges[0] + self.geometry.charges[1];
        let scratch = std::mem::take(&mut self.scratch);
        let (s, blocks) = scratch.split_at_mut(POINTS * count);
        let out = std::mem::take(&mut self.out);
        let mut start = self.range.start;
        for out in out.chunks_mut(POINTS * width) {
            let points = start..start + out.len() / width;
            let a = &self.a[points.start * m..points.end * m];
            let s = &mut s[..points.len() * count];
            s.fill(self.epsilon * self.epsilon);
            if L::REGISTERS >= 32 {
                self.add_squares::<L, 4, 4>(a, blocks, s);
            } else {
                self.add_squares::<L, 2, 4>(a, blocks, s);
            }
            match self.what {
                Pairwise::Potential => self.potential::<L>(s, out),
                _ => {
                    self.weigh::<L>(s);
                    if L::REGISTERS >= 32 {
                        self.differences::<L, 2, 8>(a, s, blocks, out);
                    } else {
                        self.differences::<L, 2, 4>(a, s, blocks, out);
                    }
                }
            }
            start = points.end;
        }
    }

    /// Charge `j` of all.
    #[inline(always)]
    fn charge(&self, j: usize) -> &[f32] {
        let ([y, x], m) = (self.charges, self.geometry.m);
        match j.checked_sub(self.geometry.charges[0]) {
            None => &y[j * m..][..m],
            Some(j) => &x[j * m..][..m],
        }
    }

    /// The signed charges `q` of the two kinds.
    #[inline(always)]
    fn q(&self) -> [f32; 2] {
        let [real, generated] = self.geometry.charges;
        [1.0 / real.max(1) as f32, -1.0 / generated.max(1) as f32]
    }

    /// The coordinates `block` of `J` charges from `j` on: behind the last charge, that one again.
    #[inline(always)]
    fn charges<const J: usize>(&self, j: usize, block: &Range<usize>) -> [&[f32]; J] {
        let last = self.geometry.charges[0] + self.geometry.charges[1] - 1;
        let mut rows = [&[][..]; J];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = &self.charge((j + i).min(last))[block.clone()];
        }
        rows
    }

    /// Adds `‖a − b‖²` for points `a` and all charges to `s`, a row per point.
    #[inline(always)]
    fn add_squares<L: Lanes, const P: usize, const J: usize>(
        &self,
        a: &[f32],
        blocks: &mut [f32],
        s: &mut [f32],
    ) {
        assert_eq!(P * J, L::N, "a register has the sums of a tile");
        let m = self.geometry.m;
        let count = self.geometry.charges[0] + self.geometry.charges[1];
        for first in (0..m).step_by(SQUARES) {
            let block = first..m.min(first + SQUARES);
            let panel = P * block.len().next_multiple_of(L::N);
            pack::<L, P>(a, m, &block, blocks);
            for j in (0..count).step_by(J) {
                let b = self.charges::<J>(j, &block);
                for (s, a) in s.chunks_mut(P * count).zip(blocks.chunks_exact(panel)) {
                    let mut tile = [0.0; 16];
                    L::sums(squares::<L, P, J>(a, b).as_flattened()).store(&mut tile);
                    for (s, tile) in s.chunks_mut(count).zip(tile.chunks_exact(J)) {
                        for (s, tile) in s[j..].iter_mut().zip(tile) {
                            *s += tile;
                        }
                    }
                }
            }
        }
    }

    /// Eq. (8): `Φ̂(a) = Σ_j q_j s_j^(−d/2)`.
    #[inline(always)]
    fn potential<L: Lanes>(&self, s: &[f32], out: &mut [f32]) {
        let [real, generated] = self.geometry.charges;
        for (out, s) in out.iter_mut().zip(s.chunks_exact(real + generated)) {
            *out = 0.0;
            for (s, q) in [&s[..real], &s[real..]].into_iter().zip(self.q()) {
                let mut sum = L::splat(0.0);
                let mut registers = s.chunks_exact(L::N);
                for s in &mut registers {
                    sum = sum.add(inverse_half_power(L::load(s), self.d));
                }
                let mut rest = 0.0;
                for s in registers.remainder() {
                    let mut k = [0.0; 16];
                    inverse_half_power(L::splat(*s), self.d).store(&mut k);
                    rest += k[0];
                }
                *out += q * (sum.sum() + rest);
            }
        }
    }

    /// Turns `s` into the weights of Eq. (34), `q_j d s_j^(−(d+2)/2)`.
    #[inline(always)]
    fn weigh<L: Lanes>(&self, s: &mut [f32]) {
        let [real, generated] = self.geometry.charges;
        for s in s.chunks_exact_mut(real + generated) {
            let (y, x) = s.split_at_mut(real);
            for (s, q) in [y, x].into_iter().zip(self.q()) {
                let factor = L::splat(q * self.d as f32);
                for s in s.chunks_mut(L::N) {
                    let power = inverse_half_power(L::load_partial(s, 0.0), self.d + 2);
                    factor.mul(power).store_partial(s);
                }
            }
        }
    }

    /// Writes `Σ_j w_j (a − b_j)` to each point's row of `out`.
    #[inline(always)]
    fn differences<L: Lanes, const P: usize, const J: usize>(
        &self,
        a: &[f32],
        weights: &[f32],
        blocks: &mut [f32],
        out: &mut [f32],
    ) {
        let m = self.geometry.m;
        let count = self.geometry.charges[0] + self.geometry.charges[1];
        let (points, sums) = blocks.split_at_mut(POINTS * DIFFERENCES);
        for first in (0..m).step_by(DIFFERENCES) {
            let block = first..m.min(first + DIFFERENCES);
            let panel = P * block.len().next_multiple_of(L::N);
            pack::<L, P>(a, m, &block, points);
            let sums = &mut sums[..(a.len() / m).div_ceil(P) * panel];
            sums.fill(0.0);
            for j in (0..count).step_by(J) {
                let b = self.charges::<J>(j, &block);
                let tiles = points.chunks_exact(panel).zip(sums.chunks_exact_mut(panel));
                for (weights, (a, sums)) in weights.chunks(P * count).zip(tiles) {
                    // Behind the last charge and the last point weights are 0.
                    let mut w = [[0.0; J]; P];
                    for (w, weights) in w.iter_mut().zip(weights.chunks_exact(count)) {
                        for (w, weight) in w.iter_mut().zip(&weights[j..]) {
                            *w = *weight;
                        }
                    }
                    add_differences::<L, P, J>(w, a, b, sums);
                }
            }
            unpack::<L, P>(sums, m, &block, out);
        }
    }
}
