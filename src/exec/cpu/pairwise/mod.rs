//! Sums over pairs of an evaluation point and a charge: potential, field, curvature.
//!
//! Differences are formed directly everywhere: `‖a‖² + ‖b‖² − 2ab` would cancel where points are near. In few
//! dimensions, say the plane, the lanes of a register are charges (`panels`); in many, say pictures, they are
//! coordinates (`rows`), so that charges are read where they lie.

mod panels;
mod rows;
mod tiles;

use std::ops::Range;

use self::panels::Pack;
use super::cut::{Cut, Elements};
use super::family::{Family, Machine, Need};
use super::lanes::{Kernel, Lanes};
use super::work::{Reading, Work};
use super::workspace::Workspace;
use crate::tape::plan::Pairwise;
use crate::tape::plan::kernel::Pairs;

/// From so many dimensions on, lanes are coordinates: the sums over the lanes at the end of a row are then few.
const MANY_DIMENSIONS: usize = 48;

/// Sizes of a pairwise sum.
#[derive(Debug, Clone, Copy)]
struct Geometry {
    /// Real charges `N_y` and generated charges `N_x`.
    charges: [usize; 2],
    /// Dimension.
    m: usize,
}

impl Pairs {
    fn geometry(&self) -> Geometry {
        let [_, real, generated, m] = self.size;
        Geometry {
            charges: [real, generated],
            m,
        }
    }

    /// Whether charges are packed into panels. Curvatures always are: they only occur in second derivatives.
    fn packs(&self) -> bool {
        self.size[3] < MANY_DIMENSIONS || matches!(self.what, Pairwise::Curvature(_))
    }
}

impl Family for Pairs {
    fn cut(&self, machine: Machine, instructions: usize) -> Cut {
        let [points, real, generated, m] = self.size;
        let width = self.width();
        let pair = (3 * m + 8).div_ceil(width);
        let together = match self.packs() {
            true => panels::POINTS,
            false => rows::chunk(points, machine.threads),
        };
        let elements = Elements {
            unit: together * width,
            count: points * width,
            cost: (real + generated) * pair,
        };
        Cut::in_ranges(elements, instructions, machine)
    }

    fn preparation(&self, machine: Machine) -> Vec<Range<usize>> {
        let (geometry, lanes) = (self.geometry(), machine.lanes);
        let (panels, size) = (geometry.panels(lanes), geometry.panel(lanes));
        let panels = 0..if self.packs() { panels } else { 0 };
        panels.map(|i| i * size..(i + 1) * size).collect()
    }

    fn prepare(&self, part: usize, from: &Reading<'_>, out: &mut [f32]) {
        let [_, _, y, x] = self.charges;
        from.isa.run(Pack {
            geometry: self.geometry(),
            y: from.read(y),
            x: from.read(x),
            panels: part..part + 1,
            out,
        });
    }

    fn need(&self, _: Machine) -> Need {
        let [real, generated] = self.geometry().charges;
        Need {
            pairwise: match self.packs() {
                true => 0,
                false => rows::scratch(real + generated),
            },
            ..Need::default()
        }
    }

    fn compute(&self, work: &mut Work<'_>, workspace: &mut Workspace) {
        let (from, geometry, range) = (work.from, self.geometry(), work.range());
        let [epsilon, a, y, x] = self.charges;
        let width = self.width();
        from.isa.run(Sums {
            what: self.what,
            width,
            geometry,
            d: self.d,
            epsilon: from.read(epsilon)[0],
            a: from.read(a),
            v: match self.what {
                Pairwise::Curvature(v) => from.read(v),
                _ => &[],
            },
            charges: [y, x].map(|slot| from.read(slot)),
            packed: match self.packs() {
                true => Some(from.prepared(geometry.packed(from.lanes))),
                false => None,
            },
            scratch: &mut workspace.pairwise,
            range: range.start / width..range.end / width,
            out: work.row(),
        });
    }
}

/// A pairwise sum at some of the points.
struct Sums<'a> {
    what: Pairwise,
    /// Numbers of the result for each point.
    width: usize,
    geometry: Geometry,
    d: u32,
    epsilon: f32,
    a: &'a [f32],
    /// The vectors of a curvature, else empty.
    v: &'a [f32],
    /// Real charges and generated ones.
    charges: [&'a [f32]; 2],
    /// The same in panels, if this sum packs them.
    packed: Option<&'a [f32]>,
    /// The points to evaluate.
    range: std::ops::Range<usize>,
    /// This thread's.
    scratch: &'a mut [f32],
    /// Room for exactly their results.
    out: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        match self.packed {
            Some(packed) => self.by_panels::<L>(packed),
            None => self.by_rows::<L>(),
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
