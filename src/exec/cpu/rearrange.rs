//! Sums over axes, general broadcasts, transposes: kernels that mostly move numbers.

use super::lanes::{Kernel, Lanes};

/// Partial sums are closed after so many terms: the rounding error grows with the number of terms in a chain.
const CHAIN: usize = 256;

/// Chains that a thread takes at a time where all of them share the chains of long rows.
pub(super) const CHAINS: usize = 16;

/// Chains of all rows of a sum, if its rows are contiguous and so few and long that threads had better share them;
/// else 0.
pub(super) fn shared_chains([outer, reduced, inner]: [usize; 3], lanes: usize) -> usize {
    let chains = reduced.div_ceil(CHAIN * lanes);
    match inner == 1 && outer < CHAINS && chains > CHAINS {
        true => outer * chains,
        false => 0,
    }
}

/// The sums of some chains of contiguous rows.
pub(super) struct Chains<'a> {
    /// `[outer, reduced, 1]`.
    pub size: [usize; 3],
    pub x: &'a [f32],
    /// Which of [`shared_chains`].
    pub range: std::ops::Range<usize>,
    /// Room for exactly these.
    pub out: &'a mut [f32],
}

impl Kernel for Chains<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let [_, reduced, _] = self.size;
        let per_row = reduced.div_ceil(CHAIN * L::N);
        for (chain, out) in self.range.zip(self.out) {
            let row = &self.x[chain / per_row * reduced..][..reduced];
            let first = chain % per_row * CHAIN * L::N;
            *out = sum_chain::<L>(&row[first..reduced.min(first + CHAIN * L::N)]);
        }
    }
}

/// Elements of a sum `y[o, i] = Σ_r x[o, r, i]`.
pub(super) struct Sum<'a> {
    /// `[outer, reduced, inner]`.
    pub size: [usize; 3],
    pub x: &'a [f32],
    /// The sums of all [`shared_chains`], if there are any.
    pub chains: &'a [f32],
    /// The elements to compute, counted through `[outer, inner]`.
    pub range: std::ops::Range<usize>,
    /// Room for exactly these.
    pub out: &'a mut [f32],
}

impl Kernel for Sum<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let [outer, reduced, inner] = self.size;
        if !self.chains.is_empty() {
            let rows = self.chains.chunks_exact(self.chains.len() / outer);
            for (out, row) in self.out.iter_mut().zip(rows.skip(self.range.start)) {
                *out = row.iter().fold(0.0, |total, chain| total + chain);
            }
            return;
        }
        let mut element = self.range.start;
        let mut out = self.out;
        while !out.is_empty() {
            let (o, i) = (element / inner, element % inner);
            let x = &self.x[o * reduced * inner..][..reduced * inner];
            let width = if inner == 1 {
                out[0] = sum_row::<L>(x);
                1
            } else {
                let width = out.len().min(inner - i).min(L::N);
                sum_columns::<L>(x, inner, i, &mut out[..width]);
                width
            };
            element += width;
            out = &mut out[width..];
        }
    }
}

/// The sum of a contiguous row, a register of partial sums at a time.
#[inline(always)]
fn sum_row<L: Lanes>(x: &[f32]) -> f32 {
    let chains = x.chunks(CHAIN * L::N);
    chains.fold(0.0, |total, chain| total + sum_chain::<L>(chain))
}

/// The sum of at most a chain's numbers for each lane.
#[inline(always)]
fn sum_chain<L: Lanes>(x: &[f32]) -> f32 {
    let mut sums = L::splat(0.0);
    for x in x.chunks(L::N) {
        sums = sums.add(L::load_partial(x));
    }
    sums.sum()
}

/// The sums of neighbouring columns `first..first + out.len()` of rows of `stride`.
#[inline(always)]
fn sum_columns<L: Lanes>(x: &[f32], stride: usize, first: usize, out: &mut [f32]) {
    let mut total = L::splat(0.0);
    for chain in x.chunks(CHAIN * stride) {
        let mut sums = L::splat(0.0);
        for row in chain.chunks_exact(stride) {
            let row = &row[first..][..out.len()];
            sums = sums.add(L::load_partial(row));
        }
        total = total.add(sums);
    }
    total.store_partial(out);
}

/// Elements `range` of a general broadcast between shapes of one rank, see [`crate::tape::Op::Broadcast`].
pub(super) fn broadcast(
    x: &[f32],
    from: &[usize],
    to: &[usize],
    range: std::ops::Range<usize>,
    out: &mut [f32],
) {
    for (element, out) in range.zip(out) {
        let (mut rest, mut stride, mut offset) = (element, 1, 0);
        for (&small, &large) in from.iter().zip(to).rev() {
            if small != 1 {
                offset += rest % large * stride;
            }
            stride *= small;
            rest /= large;
        }
        *out = x[offset];
    }
}

/// Elements `range` of the transpose of `x`, which is `[rows, cols]`.
pub(super) fn transpose(
    x: &[f32],
    [rows, cols]: [usize; 2],
    range: std::ops::Range<usize>,
    out: &mut [f32],
) {
    for (element, out) in range.zip(out) {
        *out = x[element % rows * cols + element / rows];
    }
}

/// Writes the rows of `x`, `x_row` apart and `cols` long, as columns of `out`, whose rows are `out_row` apart.
///
/// Blocks of whole registers; the last ones reach back over those before them rather than over the edge.
#[inline(always)]
pub(super) fn transpose_rows<L: Lanes>(
    x: &[f32],
    x_row: usize,
    [rows, cols]: [usize; 2],
    out: &mut [f32],
    out_row: usize,
) {
    let back = |i: usize, end: usize| i.min(end.saturating_sub(L::N));
    for i in (0..rows).step_by(L::N).map(|i| back(i, rows)) {
        for j in (0..cols).step_by(L::N).map(|j| back(j, cols)) {
            let (x, out) = (&x[i * x_row + j..], &mut out[j * out_row + i..]);
            if rows >= L::N && cols >= L::N {
                L::transpose(x, x_row, out, out_row);
                continue;
            }
            for i in 0..rows.min(L::N) {
                for (j, x) in x[i * x_row..][..cols.min(L::N)].iter().enumerate() {
                    out[j * out_row + i] = *x;
                }
            }
        }
    }
}
