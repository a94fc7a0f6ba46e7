//! The trials of the pooling family: random windows, strides and paddings, and many equal numbers, of which the first
//! must be chosen. Averages, recorded from other primitives, have theirs here, too.

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

/// The mean of what each window holds, and the gradient: each pixel gets its share of the mean of each window that holds it.
pub fn averages(draw: &Draw) -> [Trial; 2] {
    let (shape, kernel, window) = geometry(draw);
    let windows = oracle::windows(shape, kernel, window);
    let x = draw.numbers("x", shape.iter().product(), -9.0, 9.0);
    let dy = draw.numbers("dy", windows.len(), -9.0, 9.0);
    let roundings = 2 * kernel[0] * kernel[1] + 2;

    let mut t = Tape::new();
    let vx = t.input("x", shape);
    let y = t.avg_pool2d(vx, kernel, window);
    let answers = t.shape(y).clone();
    t.output("y", y);
    let mean = |of: &dyn Fn(f32) -> f64| -> Vec<f64> {
        let mean = |w: &Vec<usize>| w.iter().map(|&p| of(x[p])).sum::<f64>() / w.len() as f64;
        windows.iter().map(mean).collect()
    };
    let [expected, magnitude] = [mean(&f64::from), mean(&|x| f64::from(x).abs())];
    let numbers = vec![("x", shape.into(), x.clone())];
    let forward = Trial::exact(t, numbers.clone(), expected).rounded(roundings, magnitude);

    let mut t = Tape::new();
    let vx = t.input("x", shape);
    let y = t.avg_pool2d(vx, kernel, window);
    let vdy = t.input("dy", &answers);
    let product = t.mul(y, vdy);
    let dx = t.grad_of_sum(product, &[vx])[0];
    t.output("dx", dx);
    let mut expected = vec![0.0; x.len()];
    let mut magnitude = expected.clone();
    for (w, &dy) in windows.iter().zip(&dy) {
        for &p in w {
            expected[p] += f64::from(dy) / w.len() as f64;
            magnitude[p] += f64::from(dy).abs() / w.len() as f64;
        }
    }
    let numbers = [numbers, vec![("dy", answers, dy)]].concat();
    let backward = Trial::exact(t, numbers, expected).rounded(roundings, magnitude);
    [forward, backward]
}
