//! Pairwise sums in many dimensions: lanes are coordinates.
//!
//! A tile of squared distances stays in registers while the loop walks along the coordinates:
//!
//! ```text
//!              b: CHARGES rows, where they lie
//!    a ┌┐    ┌──┬──┬──┬──┬──┬──┐
//!      ││    │  │  │  │  │  │  │   at each register of coordinates: load the rows' registers,
//!      ││ ×  │  │  │  │  │  │  │   POINTS × CHARGES times subtract, multiply, add
//!      └┘    └──┴──┴──┴──┴──┴──┘
//! ```
//!
//! Neither operand is copied or transposed. The rows of pictures are long, so tiles take a block of
//! [`COORDINATES`] at a time, and a chunk of [`POINTS`] points meets a tile's charges while they are in the
//! first-level cache. The distances of a chunk to all charges are kept in scratch memory; a field's second pass
//! turns them into weights and adds up weighted differences, lanes again being coordinates.

use super::Sums;
use crate::exec::cpu::lanes::Lanes;
use crate::exec::cpu::lanes::math::inverse_half_power;
use crate::tape::plan::Pairwise;

/// Points of a chunk.
pub(super) const POINTS: usize = 16;

/// Coordinates of a block.
const COORDINATES: usize = 1024;

impl Sums<'_> {
    /// With 32 registers, 16 sums, 4 registers of points, and some to compute with (with 24 sums the compiler runs out
    /// of registers); with 16, half as many.
    #[inline(always)]
    pub(super) fn by_rows<L: Lanes>(mut self) {
        let (m, width) = (self.geometry.m, super::width(self.what, self.geometry.m));
        let count = self.geometry.charges[0] + self.geometry.charges[1];
        let scratch = std::mem::take(&mut self.scratch);
        let out = std::mem::take(&mut self.out);
        let mut start = self.range.start;
        for out in out.chunks_mut(POINTS * width) {
            let points = start..start + out.len() / width;
            let a = &self.a[points.start * m..points.end * m];
            let s = &mut scratch[..points.len() * count];
            s.fill(self.epsilon * self.epsilon);
            if L::REGISTERS >= 32 {
                self.add_squares::<L, 4, 4>(a, s);
            } else {
                self.add_squares::<L, 2, 4>(a, s);
            }
            match self.what {
                Pairwise::Potential => self.potential::<L>(s, out),
                _ => {
                    self.weigh::<L>(s);
                    out.fill(0.0);
                    if L::REGISTERS >= 32 {
                        self.add_differences::<L, 2, 8>(a, s, out);
                    } else {
                        self.add_differences::<L, 2, 4>(a, s, out);
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

    /// Adds `‖a − b‖²` for points `a` and all charges to `s`, a row per point.
    #[inline(always)]
    fn add_squares<L: Lanes, const P: usize, const J: usize>(&self, a: &[f32], s: &mut [f32]) {
        let m = self.geometry.m;
        let count = self.geometry.charges[0] + self.geometry.charges[1];
        let points = a.len() / m;
        for first in (0..m).step_by(COORDINATES) {
            let coordinates = first..m.min(first + COORDINATES);
            for j in (0..count).step_by(J) {
                // A tile at an edge takes its last row several times.
                let mut b = [&[][..]; J];
                for (i, b) in b.iter_mut().enumerate() {
                    *b = &self.charge((j + i).min(count - 1))[coordinates.clone()];
                }
                for p in (0..points).step_by(P) {
                    let mut rows = [&[][..]; P];
                    for (i, row) in rows.iter_mut().enumerate() {
                        let start = (p + i).min(points - 1) * m;
                        *row = &a[start + coordinates.start..start + coordinates.end];
                    }
                    let tile = squares::<L, P, J>(rows, b);
                    for (s, tile) in s[p * count..].chunks_mut(count).zip(tile) {
                        for (s, tile) in s[j..].iter_mut().zip(tile) {
                            *s += tile.sum();
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
                    let power = inverse_half_power(L::load_partial(s), self.d + 2);
                    factor.mul(power).store_partial(s);
                }
            }
        }
    }

    /// Adds `Σ_j w_j (a − b_j)` to each point's row of `out`.
    #[inline(always)]
    fn add_differences<L: Lanes, const P: usize, const J: usize>(
        &self,
        a: &[f32],
        weights: &[f32],
        out: &mut [f32],
    ) {
        let m = self.geometry.m;
        let count = self.geometry.charges[0] + self.geometry.charges[1];
        for first in (0..m).step_by(COORDINATES) {
            let coordinates = first..m.min(first + COORDINATES);
            for j in (0..count).step_by(J) {
                let points = a.len() / m;
                let mut b = [&[][..]; J];
                for (i, b) in b.iter_mut().enumerate() {
                    *b = &self.charge((j + i).min(count - 1))[coordinates.clone()];
                }
                for p in (0..points).step_by(P) {
                    let (out, a) = (&mut out[p * m..], &a[p * m..]);
                    // Behind the last charge weights are 0.
                    let mut tile = [[0.0; J]; P];
                    let rows = weights[p * count..].chunks_exact(count);
                    for (tile, row) in tile.iter_mut().zip(rows) {
                        for (tile, weight) in tile.iter_mut().zip(&row[j..]) {
                            *tile = *weight;
                        }
                    }
                    if points - p < P {
                        for (p, tile) in tile[..points - p].iter().enumerate() {
                            let (out, a) = (&mut out[p * m..], &a[p * m..]);
                            differences::<L, 1, J>(&[*tile], a, b, out, [m, first]);
                        }
                    } else {
                        differences::<L, P, J>(&tile, a, b, out, [m, first]);
                    }
                }
            }
        }
    }
}

/// A tile of sums of squared differences, a lane for each coordinate modulo the number of lanes.
#[inline(always)]
fn squares<L: Lanes, const P: usize, const J: usize>(
    a: [&[f32]; P],
    b: [&[f32]; J],
) -> [[L; J]; P] {
    let mut s = [[L::splat(0.0); J]; P];
    let len = a[0].len();
    let whole = len - len % L::N;
    for c in (0..whole).step_by(L::N) {
        let mut points = [L::splat(0.0); P];
        for (point, a) in points.iter_mut().zip(a) {
            *point = L::load(&a[c..]);
        }
        for (j, b) in b.iter().enumerate() {
            let b = L::load(&b[c..]);
            for (s, point) in s.iter_mut().zip(points) {
                let difference = point.sub(b);
                s[j] = difference.mul_add(difference, s[j]);
            }
        }
    }
    if whole < len {
        for (s, a) in s.iter_mut().zip(a) {
            let a = L::load_partial(&a[whole..]);
            for (s, b) in s.iter_mut().zip(b) {
                let difference = a.sub(L::load_partial(&b[whole..]));
                *s = difference.mul_add(difference, *s);
            }
        }
    }
    s
}

/// Adds `Σ_j w_j (a − b_j)` to `P` rows of `out`, which like those of `a` are `m` long, from coordinate `first` on.
#[inline(always)]
fn differences<L: Lanes, const P: usize, const J: usize>(
    w: &[[f32; J]; P],
    a: &[f32],
    b: [&[f32]; J],
    out: &mut [f32],
    [m, first]: [usize; 2],
) {
    let mut weights = [[L::splat(0.0); J]; P];
    for (weights, w) in weights.iter_mut().zip(w) {
        for (weight, &w) in weights.iter_mut().zip(w) {
            *weight = L::splat(w);
        }
    }
    let len = b[0].len();
    let whole = len - len % L::N;
    for c in (0..whole).step_by(L::N) {
        let (mut x, mut sums) = ([L::splat(0.0); P], [L::splat(0.0); P]);
        for (p, (x, sum)) in x.iter_mut().zip(&mut sums).enumerate() {
            *x = L::load(&a[p * m + first + c..]);
            *sum = L::load(&out[p * m + first + c..]);
        }
        for (j, b) in b.iter().enumerate() {
            let b = L::load(&b[c..]);
            for ((sum, x), weights) in sums.iter_mut().zip(x).zip(&weights) {
                *sum = weights[j].mul_add(x.sub(b), *sum);
            }
        }
        for (p, sum) in sums.iter().enumerate() {
            sum.store(&mut out[p * m + first + c..]);
        }
    }
    if whole < len {
        for (p, weights) in weights.iter().enumerate() {
            let rest = p * m + first + whole..p * m + first + len;
            let x = L::load_partial(&a[rest.clone()]);
            let mut sum = L::load_partial(&out[rest.clone()]);
            for (weight, b) in weights.iter().zip(b) {
                sum = weight.mul_add(x.sub(L::load_partial(&b[whole..])), sum);
            }
            sum.store_partial(&mut out[rest]);
        }
    }
}
