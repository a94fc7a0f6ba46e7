//! Max pooling and its way back, see [`crate::tape::pooling`].
//!
//! Each element of a result finds the largest places that it needs by itself: overlapping windows look at a pixel several
//! times, but every element belongs to one chunk, and nothing has to be kept between the two ways.

use std::ops::Range;

use super::cut::{Cut, Elements};
use super::family::{Family, Machine};
use super::work::Work;
use super::workspace::Workspace;
use crate::tape::plan::Facts;
use crate::tape::plan::kernel::{Pool, Way};
use crate::tape::pooling::Pooling;

/// What looking at a number costs, in floating-point operations.
const LOOK: usize = 8;

impl Family for Pool {
    fn cut(&self, machine: Machine, instructions: usize) -> Cut {
        let taps: usize = self.sizes.kernel.iter().product();
        let [down, across] = self.sizes.window.stride;
        let elements = Elements {
            unit: 16,
            count: self.count(),
            cost: match self.what {
                Way::Pick => LOOK * taps,
                Way::Spread => LOOK * taps * (1 + taps / (down * across)),
            },
        };
        Cut::in_ranges(elements, instructions, machine)
    }

    fn compute(&self, work: &mut Work<'_>, _: &mut Workspace) {
        let sizes = &self.sizes;
        let (by, x) = (work.from.read(self.by), work.from.read(self.x));
        let size = match self.what {
            Way::Pick => sizes.answer,
            Way::Spread => sizes.picture,
        };
        let places = places(work.range(), size);
        for ((plane, place), out) in places.zip(work.row()) {
            let by = plane_of(sizes, by, plane);
            *out = match self.what {
                Way::Pick => x[plane * sizes.pixels() + largest(sizes, by, place)],
                Way::Spread => spread(sizes, by, &x[plane * sizes.positions()..], place),
            };
        }
    }
}

/// The planes and the places in them of these elements of planes of this size.
fn places(
    elements: Range<usize>,
    [height, width]: [usize; 2],
) -> impl Iterator<Item = (usize, [usize; 2])> {
    let first = elements.start;
    let [mut plane, mut row] = [first / (height * width), first / width % height];
    let mut column = first % width;
    elements.map(move |_| {
        let place = (plane, [row, column]);
        column += 1;
        if column == width {
            (row, column) = (row + 1, 0);
        }
        if row == height {
            (plane, row) = (plane + 1, 0);
        }
        place
    })
}

fn plane_of<'a>(sizes: &Pooling, by: &'a [f32], plane: usize) -> &'a [f32] {
    &by[plane * sizes.pixels()..][..sizes.pixels()]
}

/// The largest place of a window of a plane, the first one of equals.
fn largest(sizes: &Pooling, by: &[f32], [i, j]: [usize; 2]) -> usize {
    let (down, across) = (sizes.pixels_of(0, i), sizes.pixels_of(1, j));
    let width = sizes.picture[1];
    let mut best = down.start * width + across.start;
    let mut value = by[best];
    for h in down {
        let first = h * width + across.start;
        for (l, &x) in by[first..][..across.len()].iter().enumerate() {
            // Chosen, not branched to: nobody foresees which is the largest.
            let larger = x > value;
            best = if larger { first + l } else { best };
            value = if larger { x } else { value };
        }
    }
    best
}

/// The sum of the answers of all windows of a plane that are largest at this pixel.
fn spread(sizes: &Pooling, by: &[f32], answers: &[f32], [h, w]: [usize; 2]) -> f32 {
    let mut sum = 0.0;
    for i in sizes.windows_of(0, h) {
        for j in sizes.windows_of(1, w) {
            if largest(sizes, by, [i, j]) == h * sizes.picture[1] + w {
                sum += answers[i * sizes.answer[1] + j];
            }
        }
    }
    sum
}
