//! Sources, rearrangements, sums and assignments.

use coulomb_gan::tape::Tape;

use super::{Draw, Trial};
use crate::{oracle, support};

pub fn input(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let x = draw.numbers("x", shape[0] * shape[1], -9.0, 9.0);
    let mut t = Tape::new();
    let v = t.input("x", shape);
    t.output("y", v);
    let expected = support::wide(&x);
    vec![Trial::exact(t, vec![("x", shape.into(), x)], expected)]
}

pub fn state(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let s = draw.numbers("s", shape[0] * shape[1], -9.0, 9.0);
    let mut t = Tape::new();
    let v = t.state("s", shape);
    t.output("y", v);
    let expected = support::wide(&s);
    let state = Some(s.clone());
    let trial = Trial::exact(t, vec![("s", shape.into(), s)], expected);
    vec![Trial { state, ..trial }]
}

pub fn constant(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let mut t = Tape::new();
    let v = t.constant(0.1, shape);
    t.output("y", v);
    let expected = vec![0.1; shape[0] * shape[1]];
    let magnitude = expected.clone();
    vec![Trial::exact(t, vec![], expected).rounded(1, magnitude)]
}

pub fn stop_gradient(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let x = draw.numbers("x", shape[0] * shape[1], -9.0, 9.0);
    let mut t = Tape::new();
    let v = t.input("x", shape);
    let v = t.stop_gradient(v);
    t.output("y", v);
    let expected = support::wide(&x);
    vec![Trial::exact(t, vec![("x", shape.into(), x)], expected)]
}

pub fn reshape(draw: &Draw) -> Vec<Trial> {
    let [a, b, c, d] = draw.four_axes();
    let x = draw.numbers("x", a * b * c * d, -9.0, 9.0);
    let mut t = Tape::new();
    let v = t.input("x", [a, b, c, d]);
    let v = t.reshape(v, [c * b, a, 1, d]);
    t.output("y", v);
    let expected = support::wide(&x);
    let numbers = vec![("x", [a, b, c, d].into(), x)];
    vec![Trial::exact(t, numbers, expected)]
}

/// Every way to repeat along some of four axes (rows, columns, channels, and patterns such as
/// `[2, 1, 3, 1]` to `[2, 4, 3, 5]` that no simple index describes), and axes added on the left.
pub fn broadcast(draw: &Draw) -> Vec<Trial> {
    let to = draw.four_axes().map(|n| n + 1);
    let kept = |axes: usize| std::array::from_fn(|i| if axes >> i & 1 == 1 { to[i] } else { 1 });
    let patterns = (0..16).map(kept).map(|from: [usize; 4]| from.to_vec());
    let short = [to[2..].to_vec(), vec![to[1], 1, to[3]], vec![]];
    let empty = vec![to[0], 1, 1, 0];
    let trial = |from: Vec<usize>| {
        let mut to = to;
        if from.last() == Some(&0) {
            to[3] = 0;
        }
        let x = draw.numbers("x", from.iter().product(), -9.0, 9.0);
        let mut t = Tape::new();
        let v = t.input("x", from.clone());
        let v = t.broadcast(v, to);
        // All axes kept record nothing; one more row of copies does.
        let v = t.broadcast(v, [&[2][..], &to].concat());
        t.output("y", v);
        let padded = [&vec![1; 5 - from.len()][..], &from].concat();
        let once = oracle::broadcast(&support::wide(&x), &padded[1..], &to);
        let expected = [&once[..], &once].concat();
        Trial::exact(t, vec![("x", from.into(), x)], expected)
    };
    let all = patterns.chain(short).chain([empty]);
    all.map(trial).collect()
}

/// Every run of neighbouring axes of four, of which some may be empty.
pub fn sum(draw: &Draw) -> Vec<Trial> {
    let shape = draw.four_axes();
    let runs = (0..4).flat_map(|start| (start + 1..=4).map(move |end| start..end));
    let count = shape.iter().product();
    let trial = |axes: std::ops::Range<usize>| {
        // Two numbers along a summed axis at least, or nothing is recorded.
        let mut shape = shape;
        if shape[axes.clone()].iter().all(|&n| n == 1) {
            shape[axes.start] = 2;
        }
        let count = std::cmp::max(count, shape.iter().product());
        let x = draw.numbers("x", count, -1.0, 2.0);
        let x = x[..shape.iter().product()].to_vec();
        sum_trial(&shape, axes, x)
    };
    runs.map(trial).collect()
}

/// Partial sums keep chains short, but `n` roundings of `Σ |x|` are a bound for any order of `n` terms.
pub fn sum_trial(shape: &[usize], axes: std::ops::Range<usize>, x: Vec<f32>) -> Trial {
    let mut t = Tape::new();
    let v = t.input("x", shape);
    let v = t.sum(v, axes.clone());
    t.output("y", v);
    let terms = shape[axes.clone()].iter().product();
    let wide = support::wide(&x);
    let expected = oracle::sum(&wide, shape, axes.clone());
    let sizes: Vec<f64> = wide.iter().map(|x| x.abs()).collect();
    let magnitude = oracle::sum(&sizes, shape, axes);
    Trial::exact(t, vec![("x", shape.into(), x)], expected).rounded(terms, magnitude)
}

/// Numbers below 0 (zeros that fill a register must not win), and now and then one that is none, or minus infinity.
pub fn reduce_max(draw: &Draw) -> Vec<Trial> {
    let shape = draw.four_axes().map(|n| n.max(1));
    let runs = (0..4).flat_map(|start| (start + 1..=4).map(move |end| start..end));
    let trial = |axes: std::ops::Range<usize>| {
        let mut shape = shape;
        if shape[axes.clone()].iter().all(|&n| n == 1) {
            shape[axes.start] = 2;
        }
        let mut x = draw.numbers("x", shape.iter().product(), -9.0, -1.0);
        let odd = [f32::NAN, f32::NEG_INFINITY];
        let places = x.iter_mut().step_by(5).enumerate();
        places.for_each(|(i, x)| *x = odd[i % 2]);
        reduce_max_trial(&shape, axes, x)
    };
    runs.map(trial).collect()
}

pub fn reduce_max_trial(shape: &[usize], axes: std::ops::Range<usize>, x: Vec<f32>) -> Trial {
    let mut t = Tape::new();
    let v = t.input("x", shape);
    let v = t.reduce_max(v, axes.clone());
    t.output("y", v);
    let expected = oracle::reduce_max(&support::wide(&x), shape, axes);
    Trial::exact(t, vec![("x", shape.into(), x)], expected)
}

/// The first, the middle and the last places along each of four axes, and none of them.
pub fn slice(draw: &Draw) -> Vec<Trial> {
    let shape = draw.four_axes().map(|n| n + 2);
    let x = draw.numbers("x", shape.iter().product(), -9.0, 9.0);
    let trial = |axis: usize, places: std::ops::Range<usize>| {
        let mut t = Tape::new();
        let v = t.input("x", shape);
        let v = t.slice(v, axis, places.clone());
        t.output("y", v);
        let expected = oracle::slice(&support::wide(&x), &shape, axis, places);
        Trial::exact(t, vec![("x", shape.into(), x.clone())], expected)
    };
    let all = (0..4).flat_map(|axis| {
        let n = shape[axis];
        [0..1, 1..n, n - 1..n, n / 3..n / 2 + 1, 1..1].map(|places| (axis, places))
    });
    all.filter(|(axis, places)| places.len() < shape[*axis])
        .map(|(axis, places)| trial(axis, places))
        .collect()
}

/// Three values along each of four axes; one of them may be empty.
pub fn concat(draw: &Draw) -> Vec<Trial> {
    let shape = draw.four_axes();
    let trial = |axis: usize| {
        let shapes = [2, 0, 3].map(|more| {
            let mut shape = shape;
            shape[axis] += more;
            shape
        });
        let names = ["a", "b", "c"];
        let numbers: Vec<_> = std::iter::zip(names, shapes)
            .map(|(name, shape)| {
                let x = draw.numbers(name, shape.iter().product(), -9.0, 9.0);
                (name, shape.into(), x)
            })
            .collect();
        let mut t = Tape::new();
        let parts = [0, 1, 2].map(|i| t.input(names[i], shapes[i]));
        let v = t.concat(&parts, axis);
        t.output("y", v);
        let wide: Vec<Vec<f64>> = numbers.iter().map(|n| support::wide(&n.2)).collect();
        let parts: Vec<(&[f64], Vec<usize>)> = std::iter::zip(&wide, shapes)
            .map(|(x, shape)| (&x[..], shape.to_vec()))
            .collect();
        let expected = oracle::concat(&parts, axis);
        Trial::exact(t, numbers, expected)
    };
    (0..4).map(trial).collect()
}

pub fn transpose(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let x = draw.numbers("x", shape[0] * shape[1], -9.0, 9.0);
    let mut t = Tape::new();
    let v = t.input("x", shape);
    let v = t.transpose(v);
    t.output("y", v);
    let expected = oracle::transpose(&support::wide(&x), shape);
    vec![Trial::exact(t, vec![("x", shape.into(), x)], expected)]
}

/// The run sees the old state; the store has the new one after it.
pub fn assign(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let [x, s] = ["x", "s"].map(|name| draw.numbers(name, shape[0] * shape[1], -9.0, 9.0));
    let mut t = Tape::new();
    let (vx, vs) = (t.input("x", shape), t.state("s", shape));
    t.assign(vs, vx);
    t.output("y", vs);
    let state = Some(x.clone());
    let expected = support::wide(&s);
    let numbers = vec![("x", shape.into(), x), ("s", shape.into(), s)];
    let trial = Trial::exact(t, numbers, expected);
    vec![Trial { state, ..trial }]
}
