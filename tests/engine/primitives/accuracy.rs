//! Elementary functions: as accurate as documented, and right at their edges.

use coulomb_gan::exec::Backend;
use coulomb_gan::tape::Tape;

use super::pointwise::Unary;
use super::same_bits;
use crate::{oracle, support};

/// The bounds that `exec::cpu::lanes::math` states, in units in the last place.
pub const EXP_ULPS: usize = 2;
pub const ELU_ULPS: usize = 3;
pub const TANH_ULPS: usize = 4;

/// What each device computes for `x`.
fn on_devices(record: Unary, x: &[f32]) -> Vec<(String, Vec<f32>)> {
    let mut t = Tape::new();
    let v = t.input("x", [x.len()]);
    let v = record(&mut t, v);
    t.output("y", v);
    let inputs = [("x", x.to_vec())];
    let run = |[backend, ..]: &[Backend; 3]| {
        let mut store = support::store(&[]);
        let mut program = support::compile(backend, &t, &store, &inputs);
        program.run(&mut store).unwrap();
        (backend.describe(), program.read("y").unwrap().to_vec())
    };
    support::devices().iter().map(run).collect()
}

/// What the oracle says.
type Formula = fn(f64) -> f64;

/// The worst error over a sweep, in units in the last place of the true value.
fn worst_ulps(record: Unary, formula: Formula, x: &[f32]) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    for (_, y) in on_devices(record, x) {
        for (&x, y) in x.iter().zip(y) {
            let exact = formula(f64::from(x));
            let rounded = (exact as f32).abs();
            let ulp = f64::from(rounded.next_up()) - f64::from(rounded);
            let error = (f64::from(y) - exact).abs() / ulp;
            if error.is_nan() || error > worst.0 {
                worst = (error, x);
            }
        }
    }
    worst
}

/// From −`limit` to `limit` in even steps, and towards 0 in ever smaller ones.
fn sweep(limit: f32) -> Vec<f32> {
    let even = (-50_000..=50_000).map(|i| i as f32 / 50_000.0 * limit);
    let small = (0..2000).flat_map(|i| {
        let x = limit * 0.99f32.powi(i);
        [x, -x]
    });
    even.chain(small).collect()
}

#[test]
fn elementary_functions_are_as_accurate_as_documented() {
    let exp: Vec<f32> = sweep(88.3).into_iter().filter(|&x| x > -87.3).collect();
    let functions: [(&str, Unary, Formula, _, usize); 3] = [
        ("exp", Tape::exp, oracle::exp, exp, EXP_ULPS),
        ("elu", Tape::elu, oracle::elu, sweep(100.0), ELU_ULPS),
        ("tanh", Tape::tanh, oracle::tanh, sweep(100.0), TANH_ULPS),
    ];
    for (name, record, formula, x, bound) in functions {
        let (ulps, at) = worst_ulps(record, formula, &x);
        println!("{name}: {ulps:.3} units in the last place at {at}");
        assert!(ulps <= bound as f64, "{name}({at}): {ulps} > {bound}");
    }
}

#[test]
fn elementary_functions_at_the_edges() {
    let x = [
        0.0,
        1e-8,
        -1e-8,
        100.0,
        -100.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    for (who, y) in on_devices(Tape::tanh, &x) {
        assert_eq!(y[..7], [0.0, 1e-8, -1e-8, 1.0, -1.0, 1.0, -1.0], "{who}");
        assert!(y[7].is_nan(), "{who}");
    }
    for (who, y) in on_devices(Tape::elu, &x) {
        assert_eq!(y[..5], [0.0, 1e-8, -1e-8, 100.0, -1.0], "{who}");
        assert_eq!(y[5..7], [f32::INFINITY, -1.0], "{who}");
        assert!(y[7].is_nan(), "{who}");
    }
    for (who, y) in on_devices(Tape::exp, &x) {
        assert_eq!(y[..4], [1.0, 1.0, 1.0, f32::INFINITY], "{who}");
        assert_eq!(y[5], f32::INFINITY, "{who}");
        assert!(y[7].is_nan(), "{who}");
        // Documented: never below the smallest normal number.
        for tiny in [y[4], y[6]] {
            assert!((1.1e-38..1.3e-38).contains(&tiny), "{who}: {tiny:e}");
        }
    }
}

/// Where eˣ leaves the range of `f32` it becomes infinite, and never less than a number before.
#[test]
fn exp_grows_into_infinity() {
    let x: Vec<f32> = (8800..9000).map(|i| i as f32 / 100.0).collect();
    for (who, y) in on_devices(Tape::exp, &x) {
        for (x, pair) in x.iter().zip(y.windows(2)) {
            assert!(
                pair[0] <= pair[1],
                "{who}: exp({x}) = {}, then {}",
                pair[0],
                pair[1]
            );
        }
    }
}

/// Ties, signed zeros and numbers that are none: every comparison is strict, else the second case holds.
#[test]
fn comparisons_at_their_edges() {
    let nan = f32::NAN;
    for (who, y) in on_devices(Tape::step, &[0.0, -0.0, 1e-40, -1e-40, nan, f32::INFINITY]) {
        assert_eq!(y, [0.0, 0.0, 1.0, 0.0, 0.0, 1.0], "{who}");
    }
    let mut t = Tape::new();
    let (a, b) = (t.input("a", [5]), t.input("b", [5]));
    let (larger, smaller) = (t.max(a, b), t.min(a, b));
    t.output("max", larger);
    t.output("min", smaller);
    let a = vec![1.0, 0.0, -0.0, nan, 3.0];
    let b = vec![1.0, -0.0, 0.0, 2.0, nan];
    let inputs = [("a", a), ("b", b.clone())];
    let backends = support::devices().iter().flatten();
    for backend in backends.chain([&Backend::Reference]) {
        let mut store = support::store(&[]);
        let mut program = support::compile(backend, &t, &store, &inputs);
        program.run(&mut store).unwrap();
        for name in ["max", "min"] {
            let who = backend.describe();
            assert!(
                same_bits(program.read(name).unwrap(), &b),
                "{name} on {who}"
            );
        }
    }
}

#[test]
fn not_a_number_stays_visible() {
    let maps: [(&str, Unary); 6] = [
        ("affine", |t, x| t.affine(x, 2.0, 1.0)),
        ("exp", Tape::exp),
        ("ln", Tape::ln),
        ("sqrt", Tape::sqrt),
        ("tanh", Tape::tanh),
        ("elu", Tape::elu),
    ];
    for (name, record) in maps {
        for (who, y) in on_devices(record, &[1.0, f32::NAN, 2.0]) {
            let nan = y.iter().map(|y| y.is_nan()).collect::<Vec<_>>();
            assert_eq!(nan, [false, true, false], "{name} on {who}");
        }
    }
}
