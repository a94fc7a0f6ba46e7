//! Sums over pairs of a point and a charge.

use coulomb_gan::numbers::Shape;
use coulomb_gan::tape::op::Interaction;
use coulomb_gan::tape::{Tape, Var};

use super::{Draw, Trial};
use crate::{oracle, support};

/// The oracle's formula for one point `a`, from `d`, `epsilon`, `a`, the charges, and a vector.
type CoulombFormula = fn(f64, f64, &[f64], &[oracle::Charge], &[f64]) -> Vec<f64>;

/// A Coulomb sum over random points, for each exponent `d`, in the dimension that the draw says.
///
/// Roundings: a coordinate's difference enters squared (3), `m` of them are added up (`m + 1`); the power
/// `p/2` of that multiplies its relative error and adds as many of its own; the factors before it are a few,
/// and the sum over charges adds one each.
pub fn coulomb(
    draw: &Draw,
    width: fn(usize) -> usize,
    extra_power: u32,
    record: fn(&mut Tape, Interaction, Var) -> Var,
    formula: CoulombFormula,
) -> Vec<Trial> {
    let [n, real, generated, m] = draw.sizes;
    let m = [1, 2, 3, 10, m.clamp(1, 1100)][draw.seed as usize % 5];
    let [real, generated] = [real.max(1), generated.max(1)];
    let points = |name, rows: usize| {
        (
            name,
            [rows, m].into(),
            draw.numbers(name, rows * m, -2.0, 2.0),
        )
    };
    let numbers: Vec<(&'static str, Shape, Vec<f32>)> = vec![
        points("a", n),
        points("real", real),
        points("generated", generated),
        points("v", n),
        ("epsilon", [1].into(), vec![0.7]),
    ];
    let trial = |d: u32| {
        let mut t = Tape::new();
        let [a, y, x, v, epsilon] = [0, 1, 2, 3, 4].map(|i| t.input(numbers[i].0, &numbers[i].1));
        let charges = Interaction {
            d,
            epsilon,
            a,
            y,
            x,
        };
        let out = record(&mut t, charges, v);
        t.output("y", out);
        let [a, y, x, v, epsilon] = [0, 1, 2, 3, 4].map(|i| support::wide(&numbers[i].2));
        let charges = oracle::charges(&y, &x, m);
        let (mut expected, mut magnitude) = (vec![], vec![]);
        for (a, v) in a.chunks(m).zip(v.chunks(m)) {
            expected.extend(formula(d.into(), epsilon[0], a, &charges, v));
            let size = |c: &oracle::Charge| size_of_term(d, extra_power, epsilon[0], a, c, v);
            let size: f64 = charges.iter().map(size).sum();
            magnitude.extend(vec![size; width(m)]);
        }
        let power = (d + extra_power) as usize;
        let roundings = (m + 4) * power.div_ceil(2) + power + m + 8 + real + generated;
        Trial::exact(t, numbers.clone(), expected).rounded(roundings, magnitude)
    };
    [1, 2, 3, 4, 7].map(trial).into()
}

/// What one charge contributes at most: `|q| k_d` to the potential, `|q| d ‖r‖ k_{d+2}` to the field, and
/// `|q| d (d + 3) ‖v‖ k_{d+2}` to the curvature, because `‖r‖² k_{d+4} ≤ k_{d+2}`.
pub fn size_of_term(
    d: u32,
    extra_power: u32,
    epsilon: f64,
    a: &[f64],
    charge: &oracle::Charge,
    v: &[f64],
) -> f64 {
    let d = f64::from(d);
    let k = |power| charge.q.abs() * oracle::plummer(power, epsilon, a, &charge.at);
    let length = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    match extra_power {
        0 => k(d),
        2 => d * length(&mut a.iter().zip(&charge.at).map(|(a, b)| a - b)) * k(d + 2.0),
        _ => d * (d + 3.0) * length(&mut v.iter().copied()) * k(d + 2.0),
    }
}

pub fn potential(draw: &Draw) -> Vec<Trial> {
    let formula = |d, epsilon, a: &[f64], charges: &[_], _: &[f64]| {
        vec![oracle::potential(d, epsilon, a, charges)]
    };
    coulomb(draw, |_| 1, 0, |t, c, _| t.potential(c), formula)
}

pub fn field(draw: &Draw) -> Vec<Trial> {
    let formula =
        |d, epsilon, a: &[f64], charges: &[_], _: &[f64]| oracle::field(d, epsilon, a, charges);
    coulomb(draw, |m| m, 2, |t, c, _| t.field(c), formula)
}

pub fn curvature(draw: &Draw) -> Vec<Trial> {
    coulomb(draw, |m| m, 4, Tape::curvature, oracle::curvature)
}
