//! Matrix products `C = A B` with so few columns that tiles of the general kernel (`gemm`) would be mostly empty lanes:
//! a network's last layer with its one potential or two coordinates, the gradients of the first one.
//!
//! Where the rows of `A` are contiguous, lanes run along the terms: a register's worth of rows has one register of
//! partial sums each. Where `A` is stored transposed, neighbouring rows are neighbours in memory, and lanes run along
//! the rows.
//!
//! The order of a sum depends on nothing but the number of its terms.

use std::ops::Range;

use super::gemm::Gemm;
use super::lanes::{Kernel, Lanes};

/// Products of more columns are left to the general kernel.
pub(super) const MOST_COLUMNS: usize = 4;

/// Rows of a chunk, and the most that are worked on together.
pub(super) const ROWS: usize = 64;

/// Rows of `C`.
pub(super) struct NarrowRows<'a> {
    pub gemm: Gemm,
    /// All of `A`.
    pub a: &'a [f32],
    /// All of `B`; if the rows of `A` are contiguous, as `[n, k]`.
    pub b: &'a [f32],
    /// The rows to compute.
    pub rows: Range<usize>,
    /// Room for exactly these rows.
    pub out: &'a mut [f32],
}

impl Kernel for NarrowRows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Gemm { m, k, n, ta, tb } = self.gemm;
        let step = if ta { ROWS } else { L::N };
        let mut sums = [0.0; ROWS];
        for first in self.rows.clone().step_by(step) {
            let rows = step.min(self.rows.end - first);
            for column in 0..n {
                let sums = &mut sums[..rows];
                if ta {
                    let (start, next) = if tb { (column * k, 1) } else { (column, n) };
                    let b = self.b[start..].iter().step_by(next);
                    across_rows::<L>(&self.a[first..], m, b.take(k), sums);
                } else {
                    let a = &self.a[first * k..][..rows * k];
                    along_terms::<L>(a, &self.b[column * k..][..k], sums);
                }
                let out = &mut self.out[(first - self.rows.start) * n + column..];
                for (out, sum) in out.iter_mut().step_by(n).zip(sums) {
                    *out = *sum;
                }
            }
        }
    }
}

/// The products of up to a register's worth of rows of `a`, all as long as `b`, with `b`.
#[inline(always)]
fn along_terms<L: Lanes>(a: &[f32], b: &[f32], out: &mut [f32]) {
    let k = b.len();
    let mut sums = [L::splat(0.0); 16];
    for start in (0..k).step_by(L::N) {
        let end = k.min(start + L::N);
        let b = L::load_partial(&b[start..end], 0.0);
        for (sum, row) in sums[..L::N].iter_mut().zip(a.chunks_exact(k)) {
            *sum = L::load_partial(&row[start..end], 0.0).mul_add(b, *sum);
        }
    }
    L::sums(&sums[..L::N]).store_partial(out);
}

/// `Σ_l a[l · row + i] · b[l]` for up to [`ROWS`] neighbouring `i`.
#[inline(always)]
fn across_rows<'b, L: Lanes>(
    a: &[f32],
    row: usize,
    b: impl Iterator<Item = &'b f32>,
    out: &mut [f32],
) {
    let mut sums = [L::splat(0.0); ROWS / 4];
    for (l, b) in b.enumerate() {
        let (a, b) = (&a[l * row..][..out.len()], L::splat(*b));
        for (sum, a) in sums.iter_mut().zip(a.chunks(L::N)) {
            *sum = L::load_partial(a, 0.0).mul_add(b, *sum);
        }
    }
    for (out, sum) in out.chunks_mut(L::N).zip(sums) {
        sum.store_partial(out);
    }
}
