//! The innermost loops of pairwise sums in many dimensions (`rows`): tiles of points and charges.

use std::ops::Range;

use super::registers;
use crate::exec::cpu::lanes::Lanes;

/// Copies the coordinates `block` of rows of `m` to panels of `P` rows: a register of each row of the panel, then the
/// next register of each. There are zeros behind the last coordinate and the last row.
#[inline(always)]
pub(super) fn pack<L: Lanes, const P: usize>(
    rows: &[f32],
    m: usize,
    block: &Range<usize>,
    out: &mut [f32],
) {
    let panel = P * block.len().next_multiple_of(L::N);
    for (rows, panel) in rows.chunks(P * m).zip(out.chunks_exact_mut(panel)) {
        if rows.len() < P * m {
            panel.fill(0.0);
        }
        for (i, row) in rows.chunks_exact(m).enumerate() {
            let registers = panel[i * L::N..].chunks_mut(P * L::N);
            for (x, register) in row[block.clone()].chunks(L::N).zip(registers) {
                L::load_partial(x, 0.0).store(register);
            }
        }
    }
}

/// The inverse of [`pack`].
#[inline(always)]
pub(super) fn unpack<L: Lanes, const P: usize>(
    panels: &[f32],
    m: usize,
    block: &Range<usize>,
    rows: &mut [f32],
) {
    let panel = P * block.len().next_multiple_of(L::N);
    for (rows, panel) in rows.chunks_mut(P * m).zip(panels.chunks_exact(panel)) {
        for (i, row) in rows.chunks_exact_mut(m).enumerate() {
            let registers = panel[i * L::N..].chunks(P * L::N);
            for (x, register) in row[block.clone()].chunks_mut(L::N).zip(registers) {
                L::load(register).store_partial(x);
            }
        }
    }
}

/// A tile of sums of squared differences between the rows of a panel and those of `b`, a lane for each coordinate
/// modulo the number of lanes. What is left of the rows comes first: afterwards the sums would have to leave their
/// registers for it.
#[inline(always)]
pub(super) fn squares<L: Lanes, const P: usize, const J: usize>(
    a: &[f32],
    b: [&[f32]; J],
) -> [[L; J]; P] {
    let len = b[0].len();
    let whole = len - len % L::N;
    let mut s = [[L::splat(0.0); J]; P];
    if whole < len {
        let b = rest::<L, J>(b, whole);
        let points = registers::<L, P>(&a[whole * P..][..P * L::N]);
        for (s, point) in s.iter_mut().zip(points) {
            for (s, b) in s.iter_mut().zip(b) {
                *s = s.add_square(point.sub(b));
            }
        }
    }
    for c in (0..whole).step_by(L::N) {
        let points = registers::<L, P>(&a[c * P..][..P * L::N]);
        for (j, b) in b.iter().enumerate() {
            let b = L::load(&b[c..]);
            for (s, point) in s.iter_mut().zip(points) {
                s[j] = s[j].add_square(point.sub(b));
            }
        }
    }
    s
}

/// Adds `Σ_j w_j (a − b_j)` to a panel of sums, for a panel of points and rows of charges.
#[inline(always)]
pub(super) fn add_differences<L: Lanes, const P: usize, const J: usize>(
    w: [[f32; J]; P],
    a: &[f32],
    b: [&[f32]; J],
    out: &mut [f32],
) {
    let len = b[0].len();
    let whole = len - len % L::N;
    let rest = rest::<L, J>(b, whole);
    let mut weights = [[L::splat(0.0); J]; P];
    for (weights, w) in weights.iter_mut().zip(w) {
        for (weight, w) in weights.iter_mut().zip(w) {
            *weight = L::splat(w);
        }
    }
    for c in (0..whole).step_by(L::N) {
        let (points, sums) = (&a[c * P..][..P * L::N], &mut out[c * P..][..P * L::N]);
        for (i, weights) in weights.iter().enumerate() {
            let (point, out) = (L::load(&points[i * L::N..]), &mut sums[i * L::N..]);
            let mut sum = L::load(out);
            for (weight, b) in weights.iter().zip(b) {
                sum = weight.mul_add(point.sub(L::load(&b[c..])), sum);
            }
            sum.store(out);
        }
    }
    if whole < len {
        let (points, sums) = (&a[whole * P..], &mut out[whole * P..]);
        for (i, weights) in weights.iter().enumerate() {
            let (point, out) = (L::load(&points[i * L::N..]), &mut sums[i * L::N..]);
            let mut sum = L::load(out);
            for (weight, b) in weights.iter().zip(rest) {
                sum = weight.mul_add(point.sub(b), sum);
            }
            sum.store(out);
        }
    }
}

/// What rows have behind their whole registers, and zeros.
#[inline(always)]
fn rest<L: Lanes, const J: usize>(rows: [&[f32]; J], whole: usize) -> [L; J] {
    let mut rest = [L::splat(0.0); J];
    for (rest, row) in rest.iter_mut().zip(rows) {
        *rest = L::load_partial(&row[whole..], 0.0);
    }
    rest
}
