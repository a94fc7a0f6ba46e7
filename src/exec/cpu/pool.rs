//! Max pooling and its way back, see [`crate::tape::pooling`].
//!
//! Each element of a result finds the largest places that it needs by itself: overlapping windows look at a pixel several
//! times, but every element belongs to one chunk, and nothing has to be kept between the two ways.

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
        let range = work.range();
        for (element, out) in range.zip(work.row()) {
            *out = match self.what {
                Way::Pick => {
                    let (plane, [i, j]) = place(element, sizes.answer);
                    x[plane * sizes.pixels() + largest(sizes, plane_of(sizes, by, plane), [i, j])]
                }
                Way::Spread => {
                    let (plane, pixel) = place(element, sizes.picture);
                    let answers = &x[plane * sizes.positions()..];
                    spread(sizes, plane_of(sizes, by, plane), answers, pixel)
                }
            };
        }
    }
}

/// The plane and the place in it of an element of planes of this size.
fn place(element: usize, [height, width]: [usize; 2]) -> (usize, [usize; 2]) {
    let (plane, rest) = (element / (height * width), element % (height * width));
    (plane, [rest / width, rest % width])
}

fn plane_of<'a>(sizes: &Pooling, by: &'a [f32], plane: usize) -> &'a [f32] {
    &by[plane * sizes.pixels()..][..sizes.pixels()]
}

/// The largest place of a window of a plane, the first one of equals.
fn largest(sizes: &Pooling, by: &[f32], [i, j]: [usize; 2]) -> usize {
    let (down, across) = (sizes.pixels_of(0, i), sizes.pixels_of(1, j));
    let width = sizes.picture[1];
    let mut best = down.start * width + across.start;
    for h in down {
        for at in h * width + across.start..h * width + across.end {
            if by[at] > by[best] {
                best = at;
            }
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
