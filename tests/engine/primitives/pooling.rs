//! The trials of the pooling family: random windows, strides and paddings, and many equal numbers, of which the first
//! must be chosen.

use super::convolution::sizes;
use super::{Draw, Trial};
use crate::{oracle, support};
use coulomb_gan::tape::{Tape, Window};

/// Pictures, windows and how they move: those of a random convolution, with less padding than a window.
fn geometry(draw: &Draw) -> ([usize; 4], [usize; 2], Window) {
    let c = sizes(draw);
    let padding = [0, 1].map(|axis| c.window.padding[axis].min(c.kernel[axis] - 1));
    let least = [0, 1].map(|axis| c.picture[axis].max(c.kernel[axis]));
    let window = Window {
        stride: c.window.stride,
        padding,
    };
    let x = [c.batch, c.channels, least[0], least[1]];
    (x, c.kernel, window)
}

/// Whole numbers from −3 to 3.
fn choices(draw: &Draw, count: usize) -> Vec<f32> {
    let numbers = draw.numbers("by", count, -3.4, 3.4);
    numbers.iter().map(|x| x.round()).collect()
}

/// What is picked from other numbers, and from the very numbers that choose: the maximum.
pub fn pick(draw: &Draw) -> Vec<Trial> {
    let (shape, kernel, window) = geometry(draw);
    let count = shape.iter().product();
    let (by, x) = (choices(draw, count), draw.numbers("x", count, -9.0, 9.0));
    let places = oracle::pooled_places(&support::wide(&by), shape, kernel, window);
    let trial = |of_itself: bool| {
        let mut t = Tape::new();
        let vb = t.input("by", shape);
        let (v, from) = match of_itself {
            true => (t.max_pool2d(vb, kernel, window), &by),
            false => {
                let vx = t.input("x", shape);
                (t.pool_pick(vb, vx, kernel, window), &x)
            }
        };
        t.output("y", v);
        let expected = places.iter().map(|&place| f64::from(from[place])).collect();
        let mut numbers = vec![("by", shape.into(), by.clone())];
        if !of_itself {
            numbers.push(("x", shape.into(), x.clone()));
        }
        Trial::exact(t, numbers, expected)
    };
    [true, false].map(trial).into()
}

/// A pixel may be the largest of as many windows as hold it.
pub fn spread(draw: &Draw) -> Vec<Trial> {
    let (shape, kernel, window) = geometry(draw);
    let by = choices(draw, shape.iter().product());
    let places = oracle::pooled_places(&support::wide(&by), shape, kernel, window);
    let mut t = Tape::new();
    let vb = t.input("by", shape);
    let picked = t.pool_pick(vb, vb, kernel, window);
    let answers = t.shape(picked).clone();
    let vy = t.input("y", &answers);
    let v = t.pool_spread(vb, vy, kernel, window);
    t.output("out", v);
    let y = draw.numbers("y", answers.count(), -9.0, 9.0);
    let mut expected = vec![0.0; by.len()];
    let mut magnitude = expected.clone();
    for (&place, &y) in places.iter().zip(&y) {
        expected[place] += f64::from(y);
        magnitude[place] += f64::from(y).abs();
    }
    let numbers = vec![("by", shape.into(), by), ("y", answers, y)];
    let windows = kernel[0] * kernel[1];
    vec![Trial::exact(t, numbers, expected).rounded(windows, magnitude)]
}
