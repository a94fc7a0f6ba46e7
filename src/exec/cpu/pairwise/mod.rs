//! Sums over pairs of an evaluation point and a charge: potential, field, curvature.
//!
//! Differences are formed directly everywhere: `‖a‖² + ‖b‖² − 2ab` would cancel where points are near. In few
//! dimensions, say the plane, the lanes of a register are charges (`panels`); in many, say pictures, they are
//! coordinates (`rows`), so that charges are read where they lie.

mod panels;
mod rows;
mod tiles;

use super::lanes::{Kernel, Lanes};
use crate::tape::plan::Pairwise;

pub(super) use panels::Pack;

/// From so many dimensions on, lanes are coordinates: the sums over the lanes at the end of a row are then few.
const MANY_DIMENSIONS: usize = 48;

/// Sizes of a pairwise sum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    /// Real charges `N_y` and generated charges `N_x`.
    pub charges: [usize; 2],
    /// Dimension.
    pub m: usize,
}

/// Numbers per point of a sum in `m` dimensions.
pub(super) fn width(what: Pairwise, m: usize) -> usize {
    match what {
        Pairwise::Potential => 1,
        _ => m,
    }
}

/// Whether charges are packed into panels. Curvatures always are: they only occur in second derivatives.
pub(super) fn packs(what: Pairwise, m: usize) -> bool {
    m < MANY_DIMENSIONS || matches!(what, Pairwise::Curvature(_))
}

/// Points that are worked on together, out of `count`, by so many threads.
pub(super) fn points(what: Pairwise, m: usize, count: usize, threads: usize) -> usize {
    match packs(what, m) {
        true => panels::POINTS,
        false => rows::chunk(count, threads),
    }
}

/// Numbers of scratch that a thread needs for a sum over so many charges.
pub(super) fn scratch(what: Pairwise, geometry: &Geometry) -> usize {
    match packs(what, geometry.m) {
        true => 0,
        false => rows::scratch(geometry.charges[0] + geometry.charges[1]),
    }
}

/// A pairwise sum at some of the points.
pub(super) struct Sums<'a> {
    pub what: Pairwise,
    pub geometry: Geometry,
    pub d: u32,
    pub epsilon: f32,
    pub a: &'a [f32],
    /// The vectors of a curvature, else empty.
    pub v: &'a [f32],
    /// Real charges and generated ones.
    pub charges: [&'a [f32]; 2],
    /// The same in panels, if this sum [`packs`].
    pub packed: &'a [f32],
    /// The points to evaluate.
    pub range: std::ops::Range<usize>,
    /// [`scratch`] numbers of this thread.
    pub scratch: &'a mut [f32],
    /// Room for exactly their results.
    pub out: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        if packs(self.what, self.geometry.m) {
            self.by_panels::<L>();
        } else {
            self.by_rows::<L>();
        }
    }
}

/// A row of a panel, in registers. A loop rather than `array::from_fn`, here as everywhere in these kernels: a
/// closure handed to the standard library's array functions may stay a function of its own, compiled without
/// the instruction set.
#[inline(always)]
fn registers<L: Lanes, const WIDTH: usize>(row: &[f32]) -> [L; WIDTH] {
    let row = &row[..WIDTH * L::N];
    let mut registers = [L::splat(0.0); WIDTH];
    for (i, register) in registers.iter_mut().enumerate() {
        *register = L::load(&row[i * L::N..]);
    }
    registers
}
