//! Sums and maxima along an axis.

use std::ops::Range;

use super::cut::{Cut, Elements};
use super::family::{Family, Machine};
use super::lanes::{Kernel, Lanes};
use super::work::{Reading, Work};
use super::workspace::Workspace;
use crate::tape::plan::Facts;
use crate::tape::plan::kernel::{Reduce, Reduction};

/// Partial results are closed after so many terms: the rounding error of a sum grows with the number of terms in a chain.
const CHAIN: usize = 256;

/// Chains that a thread takes at a time where all of them share the chains of long rows.
const CHAINS: usize = 16;

impl Reduce {
    /// Chains of all rows, if the rows are contiguous and so few and long that threads had better share them; else 0.
    fn shared_chains(&self, lanes: usize) -> usize {
        let [outer, reduced, inner] = self.size;
        let chains = reduced.div_ceil(CHAIN * lanes);
        match inner == 1 && outer < CHAINS && chains > CHAINS {
            true => outer * chains,
            false => 0,
        }
    }
}

impl Family for Reduce {
    fn cut(&self, machine: Machine, instructions: usize) -> Cut {
        let elements = Elements {
            // Sixteen columns are a register or two; rows are whole by themselves.
            unit: if self.size[2] == 1 { 1 } else { 16 },
            count: self.count(),
            cost: 2 * self.size[1],
        };
        Cut::in_ranges(elements, instructions, machine)
    }

    fn preparation(&self, machine: Machine) -> Vec<Range<usize>> {
        let chains = self.shared_chains(machine.lanes);
        let parts = (0..chains).step_by(CHAINS);
        parts
            .map(|first| first..chains.min(first + CHAINS))
            .collect()
    }

    fn prepare(&self, part: usize, from: &Reading<'_>, out: &mut [f32]) {
        from.isa.run(Chains {
            how: self.how,
            reduced: self.size[1],
            x: from.read(self.x),
            first: part * CHAINS,
            out,
        });
    }

    fn compute(&self, work: &mut Work<'_>, _: &mut Workspace) {
        let (from, range) = (work.from, work.range());
        from.isa.run(Reduced {
            how: self.how,
            size: self.size,
            x: from.read(self.x),
            chains: from.prepared(self.shared_chains(from.lanes)),
            range,
            out: work.row(),
        });
    }
}

/// How two numbers become one.
trait Fold {
    /// What changes nothing.
    const START: f32;
    /// Lane by lane.
    fn join<L: Lanes>(total: L, x: L) -> L;
    /// All lanes, always in the same order.
    fn lanes<L: Lanes>(total: L) -> f32;
    /// Two numbers.
    fn two(total: f32, x: f32) -> f32;
}

struct Added;

impl Fold for Added {
    const START: f32 = 0.0;

    #[inline(always)]
    fn join<L: Lanes>(total: L, x: L) -> L {
        total.add(x)
    }

    #[inline(always)]
    fn lanes<L: Lanes>(total: L) -> f32 {
        total.sum()
    }

    #[inline(always)]
    fn two(total: f32, x: f32) -> f32 {
        total + x
    }
}

struct Largest;

impl Fold for Largest {
    const START: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn join<L: Lanes>(total: L, x: L) -> L {
        // The total where x is not a number.
        x.max(total)
    }

    #[inline(always)]
    fn lanes<L: Lanes>(total: L) -> f32 {
        let mut lanes = [0.0; 16];
        total.store(&mut lanes);
        lanes[..L::N]
            .iter()
            .fold(Self::START, |a, &b| Self::two(a, b))
    }

    #[inline(always)]
    fn two(total: f32, x: f32) -> f32 {
        if x > total { x } else { total }
    }
}

/// Some chains of contiguous rows.
struct Chains<'a> {
    how: Reduction,
    /// Numbers in a row.
    reduced: usize,
    x: &'a [f32],
    /// The first of them.
    first: usize,
    /// Room for exactly these.
    out: &'a mut [f32],
}

impl Kernel for Chains<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        match self.how {
            Reduction::Sum => self.fold::<L, Added>(),
            Reduction::Max => self.fold::<L, Largest>(),
        }
    }
}

impl Chains<'_> {
    #[inline(always)]
    fn fold<L: Lanes, F: Fold>(self) {
        let per_row = self.reduced.div_ceil(CHAIN * L::N);
        for (chain, out) in (self.first..).zip(self.out) {
            let row = &self.x[chain / per_row * self.reduced..][..self.reduced];
            let first = chain % per_row * CHAIN * L::N;
            *out = fold_chain::<L, F>(&row[first..self.reduced.min(first + CHAIN * L::N)]);
        }
    }
}

/// Elements of a result `y[o, i]`, from `x[o, r, i]` for all `r`.
struct Reduced<'a> {
    how: Reduction,
    /// `[outer, reduced, inner]`.
    size: [usize; 3],
    x: &'a [f32],
    /// All shared chains, if there are any.
    chains: &'a [f32],
    /// The elements to compute, counted through `[outer, inner]`.
    range: Range<usize>,
    /// Room for exactly these.
    out: &'a mut [f32],
}

impl Kernel for Reduced<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        match self.how {
            Reduction::Sum => self.fold::<L, Added>(),
            Reduction::Max => self.fold::<L, Largest>(),
        }
    }
}

impl Reduced<'_> {
    #[inline(always)]
    fn fold<L: Lanes, F: Fold>(self) {
        let [outer, reduced, inner] = self.size;
        if !self.chains.is_empty() {
            let rows = self.chains.chunks_exact(self.chains.len() / outer);
            for (out, row) in self.out.iter_mut().zip(rows.skip(self.range.start)) {
                *out = row.iter().fold(F::START, |total, &x| F::two(total, x));
            }
            return;
        }
        let mut element = self.range.start;
        let mut out = self.out;
        while !out.is_empty() {
            let (o, i) = (element / inner, element % inner);
            let x = &self.x[o * reduced * inner..][..reduced * inner];
            let width = if inner == 1 {
                out[0] = fold_row::<L, F>(x);
                1
            } else {
                let width = out.len().min(inner - i).min(L::N);
                fold_columns::<L, F>(x, inner, i, &mut out[..width]);
                width
            };
            element += width;
            out = &mut out[width..];
        }
    }
}

/// A contiguous row, a register of partial results at a time.
#[inline(always)]
fn fold_row<L: Lanes, F: Fold>(x: &[f32]) -> f32 {
    let chains = x.chunks(CHAIN * L::N);
    chains.fold(F::START, |total, chain| {
        F::two(total, fold_chain::<L, F>(chain))
    })
}

/// At most a chain's numbers for each lane.
#[inline(always)]
fn fold_chain<L: Lanes, F: Fold>(x: &[f32]) -> f32 {
    let mut total = L::splat(F::START);
    for x in x.chunks(L::N) {
        total = F::join(total, L::load_partial(x, F::START));
    }
    F::lanes(total)
}

/// Neighbouring columns `first..first + out.len()` of rows of `stride`.
#[inline(always)]
fn fold_columns<L: Lanes, F: Fold>(x: &[f32], stride: usize, first: usize, out: &mut [f32]) {
    let mut total = L::splat(F::START);
    for chain in x.chunks(CHAIN * stride) {
        let mut partial = L::splat(F::START);
        for row in chain.chunks_exact(stride) {
            let row = &row[first..][..out.len()];
            partial = F::join(partial, L::load_partial(row, F::START));
        }
        total = F::join(total, partial);
    }
    total.store_partial(out);
}
