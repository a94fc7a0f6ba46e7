//! Kernels that only move numbers: gathers and concatenations, and a transpose for other kernels' packing.

use super::cut::{Cut, Elements};
use super::family::{Family, Machine};
use super::lanes::Lanes;
use super::pointwise::BLOCK;
use super::work::Work;
use super::workspace::Workspace;
use crate::tape::plan::Facts;
use crate::tape::plan::kernel::{Concat, Gather};

/// What moving a number costs where its place has to be found, in floating-point operations.
const FOUND: usize = 64;

/// And where numbers move together.
const COPIED: usize = 8;

impl Family for Gather {
    fn cut(&self, machine: Machine, instructions: usize) -> Cut {
        let elements = Elements {
            unit: BLOCK,
            count: self.count,
            cost: FOUND,
        };
        Cut::in_ranges(elements, instructions, machine)
    }

    fn compute(&self, work: &mut Work<'_>, _: &mut Workspace) {
        let (x, range) = (work.from.read(self.x), work.range());
        for (i, out) in range.zip(work.row()) {
            let axes = self.axes.iter();
            let place = axes.fold(self.first, |place, axis| {
                place + i / axis.divisor % axis.size * axis.stride
            });
            *out = x[place];
        }
    }
}

impl Family for Concat {
    fn cut(&self, machine: Machine, instructions: usize) -> Cut {
        let elements = Elements {
            unit: BLOCK,
            count: self.count(),
            cost: COPIED,
        };
        Cut::in_ranges(elements, instructions, machine)
    }

    /// What is left of a row of one of both, again and again.
    fn compute(&self, work: &mut Work<'_>, _: &mut Workspace) {
        let (a, b) = (work.from.read(self.a), work.from.read(self.b));
        let ([first, second], mut at) = (self.lengths, work.range().start);
        let mut out = work.row();
        while !out.is_empty() {
            let (row, place) = (at / (first + second), at % (first + second));
            let rest = match place < first {
                true => &a[row * first..][place..first],
                false => &b[row * second..][place - first..second],
            };
            let (now, later) = out.split_at_mut(rest.len().min(out.len()));
            now.copy_from_slice(&rest[..now.len()]);
            at += now.len();
            out = later;
        }
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
