//! Matrix products.

use coulomb_gan::numbers::Shape;
use coulomb_gan::tape::Tape;

use super::{Draw, Trial};
use crate::{oracle, support};

pub fn matmul(draw: &Draw) -> Vec<Trial> {
    let [m, k, n, _] = draw.sizes;
    matmul_trials(draw.seed, [m, k, n])
}

/// All four combinations of transposed factors. Each element is a chain of `k` products and sums, at most
/// two roundings each (one where multiply-add is fused), none larger than `Σ |a| |b|`.
pub fn matmul_trials(seed: u64, [m, k, n]: [usize; 3]) -> Vec<Trial> {
    let a = support::uniform(seed, "a", m * k, -1.0, 1.0);
    let b = support::uniform(seed, "b", k * n, -1.0, 1.0);
    let sizes = |x: &[f32]| x.iter().map(|&x| f64::from(x).abs()).collect::<Vec<_>>();
    let expected = oracle::matmul(&support::wide(&a), &support::wide(&b), [m, k, n]);
    let magnitude = oracle::matmul(&sizes(&a), &sizes(&b), [m, k, n]);
    let stored = |x: &[f32], [rows, cols]: [usize; 2], transposed: bool| {
        let turned = oracle::transpose(&support::wide(x), [rows, cols]);
        match transposed {
            false => (Shape::from([rows, cols]), x.to_vec()),
            true => (
                [cols, rows].into(),
                turned.iter().map(|&x| x as f32).collect(),
            ),
        }
    };
    let trial = |ta: bool, tb: bool| {
        let ((shape_a, a), (shape_b, b)) = (stored(&a, [m, k], ta), stored(&b, [k, n], tb));
        let mut t = Tape::new();
        let (va, vb) = (t.input("a", &shape_a), t.input("b", &shape_b));
        let v = t.matmul(va, ta, vb, tb);
        t.output("y", v);
        let numbers = vec![("a", shape_a, a), ("b", shape_b, b)];
        Trial::exact(t, numbers, expected.clone()).rounded(2 * k, magnitude.clone())
    };
    let combinations = [(false, false), (false, true), (true, false), (true, true)];
    combinations.map(|(ta, tb)| trial(ta, tb)).into()
}
