//! Functions of one and of two numbers.

use coulomb_gan::tape::{Tape, Var};

use super::accuracy::{ELU_ULPS, EXP_ULPS, TANH_ULPS};
use super::{Draw, Trial};
use crate::oracle;

/// Records a function of one number.
pub type Unary = fn(&mut Tape, Var) -> Var;

/// A function of one number on a matrix of numbers from `range`.
pub fn map(
    draw: &Draw,
    range: [f32; 2],
    record: impl Fn(&mut Tape, Var) -> Var,
    formula: impl Fn(f64) -> f64,
) -> Trial {
    let shape = draw.matrix();
    let x = draw.numbers("x", shape[0] * shape[1], range[0], range[1]);
    let mut t = Tape::new();
    let v = t.input("x", shape);
    let v = record(&mut t, v);
    t.output("y", v);
    let expected: Vec<f64> = x.iter().map(|&x| formula(f64::from(x))).collect();
    Trial::exact(t, vec![("x", shape.into(), x)], expected)
}

impl Trial {
    /// At most `n` roundings of the result's own size.
    fn relative(self, n: usize) -> Vec<Trial> {
        let magnitude = self.magnitude.clone();
        vec![self.rounded(n, magnitude)]
    }
}

/// The factor, the product and the sum are rounded.
pub fn affine(draw: &Draw) -> Vec<Trial> {
    let trial = map(
        draw,
        [-9.0, 9.0],
        |t, x| t.affine(x, -1.7, 0.3),
        |x| oracle::affine(x, -1.7, 0.3),
    );
    let magnitude = (trial.numbers[0].2.iter())
        .map(|&x| 1.7 * f64::from(x).abs() + 0.3)
        .collect();
    vec![trial.rounded(3, magnitude)]
}

pub fn exp(draw: &Draw) -> Vec<Trial> {
    map(draw, [-80.0, 88.0], Tape::exp, oracle::exp).relative(2 * EXP_ULPS)
}

pub fn ln(draw: &Draw) -> Vec<Trial> {
    // Near 1 the oracle itself, a product, is exact to 1e-16 but for a factor: relative errors stay small.
    map(draw, [1.5, 99.0], Tape::ln, oracle::ln).relative(4)
}

pub fn sqrt(draw: &Draw) -> Vec<Trial> {
    map(draw, [0.0, 99.0], Tape::sqrt, oracle::sqrt).relative(1)
}

pub fn pow(draw: &Draw) -> Vec<Trial> {
    let power = |p: f64| {
        let record = move |t: &mut Tape, x| t.pow(x, p);
        map(draw, [0.1, 9.0], record, move |x| oracle::pow(x, p)).relative(4)
    };
    [-1.5, 0.5, 3.0].into_iter().flat_map(power).collect()
}

pub fn tanh(draw: &Draw) -> Vec<Trial> {
    map(draw, [-9.0, 9.0], Tape::tanh, oracle::tanh).relative(2 * TANH_ULPS)
}

pub fn elu(draw: &Draw) -> Vec<Trial> {
    map(draw, [-9.0, 9.0], Tape::elu, oracle::elu).relative(2 * ELU_ULPS)
}

pub fn step(draw: &Draw) -> Vec<Trial> {
    vec![map(draw, [-1.0, 1.0], Tape::step, oracle::step)]
}

/// A function of two numbers on two matrices.
pub fn zip(
    draw: &Draw,
    record: impl Fn(&mut Tape, Var, Var) -> Var,
    formula: impl Fn(f64, f64) -> f64,
) -> Trial {
    let shape = draw.matrix();
    let [a, b] = ["a", "b"].map(|name| draw.numbers(name, shape[0] * shape[1], -9.0, 9.0));
    let mut t = Tape::new();
    let (va, vb) = (t.input("a", shape), t.input("b", shape));
    let v = record(&mut t, va, vb);
    t.output("y", v);
    let pairs = a.iter().zip(&b);
    let expected = pairs.map(|(&a, &b)| formula(f64::from(a), f64::from(b)));
    let expected = expected.collect();
    let numbers = vec![("a", shape.into(), a), ("b", shape.into(), b)];
    Trial::exact(t, numbers, expected)
}

pub fn add(draw: &Draw) -> Vec<Trial> {
    zip(draw, Tape::add, |a, b| a + b).relative(1)
}

pub fn sub(draw: &Draw) -> Vec<Trial> {
    zip(draw, Tape::sub, |a, b| a - b).relative(1)
}

pub fn mul(draw: &Draw) -> Vec<Trial> {
    zip(draw, Tape::mul, |a, b| a * b).relative(1)
}

pub fn div(draw: &Draw) -> Vec<Trial> {
    zip(draw, Tape::div, |a, b| a / b).relative(1)
}

pub fn max(draw: &Draw) -> Vec<Trial> {
    vec![zip(draw, Tape::max, f64::max)]
}

pub fn min(draw: &Draw) -> Vec<Trial> {
    vec![zip(draw, Tape::min, f64::min)]
}
