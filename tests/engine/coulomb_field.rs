//! Proves that potential, field and curvature are those of the paper: the field is the force on one point
//! while every charge stays where it is, also where a charge coincides with the point or *is* the same value
//! on the tape; it follows from the energy of Eq. (33) as Appendix A.4 says; and in `f32` nothing cancels
//! where points are near each other and far from the origin.

use crate::{oracle, support};
use coulomb_gan::exec::check::check_gradient;
use coulomb_gan::tape::op::Interaction;
use coulomb_gan::tape::{Tape, Var};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

const EPSILON: f64 = 0.8;
const EXPONENTS: [u32; 3] = [1, 2, 3];

/// Random sets of real and generated points.
#[derive(Debug, Clone)]
struct Sets {
    seed: u64,
    d: u32,
    m: usize,
    real: usize,
    generated: usize,
}

impl Sets {
    fn y(&self) -> Vec<f64> {
        support::wide(&support::uniform(
            self.seed,
            "y",
            self.real * self.m,
            -2.0,
            2.0,
        ))
    }

    fn x(&self) -> Vec<f64> {
        support::wide(&support::uniform(
            self.seed,
            "x",
            self.generated * self.m,
            -2.0,
            2.0,
        ))
    }

    /// The energy of Eq. (33), from all pairs:
    /// `F̂ = ½ mean k(y, y') − mean k(x, y) + ½ mean k(x, x')`.
    fn energy(&self, y: &[f64], x: &[f64]) -> f64 {
        let mean = |a: &[f64], b: &[f64]| {
            let pairs = (a.chunks(self.m)).flat_map(|a| b.chunks(self.m).map(move |b| (a, b)));
            let sum: f64 = pairs
                .map(|(a, b)| oracle::plummer(self.d.into(), EPSILON, a, b))
                .sum();
            sum * (self.m * self.m) as f64 / (a.len() * b.len()) as f64
        };
        0.5 * mean(y, y) - mean(x, y) + 0.5 * mean(x, x)
    }
}

/// Checks `property` on random sets of different sizes.
fn for_random_sets(property: fn(&Sets) -> Result<(), String>) {
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let exponents = prop::sample::select(&EXPONENTS[..]);
    let dimensions = prop::sample::select(&[1usize, 2, 3, 10][..]);
    let sets = (any::<u64>(), exponents, dimensions, 1usize..6, 1usize..6).prop_map(
        |(seed, d, m, real, generated)| Sets {
            seed,
            d,
            m,
            real,
            generated,
        },
    );
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result = TestRunner::new_with_rng(config, rng)
        .run(&sets, |sets| property(&sets).map_err(TestCaseError::fail));
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn close(what: &str, a: &[f64], b: &[f64], tolerance: f64) -> Result<(), String> {
    assert_eq!(a.len(), b.len(), "{what}");
    match a
        .iter()
        .zip(b)
        .find(|(a, b)| (*a - *b).is_nan() || (*a - *b).abs() > tolerance * (1.0 + b.abs()))
    {
        Some((a, b)) => Err(format!("{what}: {a} is not {b}")),
        None => Ok(()),
    }
}

/// A tape with potential and field at `a` due to `y` and `x`; the three may be the same value.
struct Recorded {
    tape: Tape,
    charges: Interaction,
    phi: Var,
    field: Var,
}

fn record(d: u32, names: [&str; 3], rows: [usize; 3], m: usize) -> Recorded {
    let mut tape = Tape::new();
    let [a, y, x] = [0, 1, 2].map(|i| tape.input(names[i], [rows[i], m]));
    let epsilon = tape.constant(EPSILON, [1]);
    let charges = Interaction {
        d,
        epsilon,
        a,
        y,
        x,
    };
    let (phi, field) = (tape.potential(charges), tape.field(charges));
    Recorded {
        tape,
        charges,
        phi,
        field,
    }
}

/// A charge sits exactly on an evaluation point: the field is the difference quotient that moves the point
/// and leaves its twin among the charges where it is.
#[test]
fn a_charge_on_the_evaluation_point_stays_where_it_is() {
    for d in EXPONENTS {
        let mut r = record(d, ["a", "y", "x"], [4, 3, 5], 2);
        let loss = r.tape.sum_all(r.phi);
        let mut source = |name: &str| {
            let x = support::wide(&support::uniform(1, "x", 10, -2.0, 2.0));
            match name {
                "a" => x[..8].to_vec(),
                "x" => x,
                _ => support::wide(&support::uniform(1, name, 6, -2.0, 2.0)),
            }
        };
        let worst = check_gradient(&r.tape, loss, &[r.charges.a], 1e-5, &mut source);
        assert!(
            worst.clone().expect("eight coordinates").error < 1e-9,
            "{worst:?}"
        );
    }
}

/// The same tape value is evaluation point and charge, as `x` is in Algorithm 1. The recorded gradient is
/// the one above, not that of a function that moves point and charge together.
#[test]
fn a_point_that_is_its_own_charge_moves_alone() {
    for d in EXPONENTS {
        let x = support::wide(&support::uniform(2, "x", 10, -2.0, 2.0));
        let y = support::wide(&support::uniform(2, "y", 6, -2.0, 2.0));
        let mut source = |name: &str| if name == "y" { y.clone() } else { x.clone() };
        let mut same = record(d, ["x", "y", "x"], [5, 3, 5], 2);
        let gradient = same.tape.grad_of_sum(same.phi, &[same.charges.a])[0];
        let gradient = support::value(&same.tape, gradient, &mut source);
        let mut apart = record(d, ["a", "y", "x"], [5, 3, 5], 2);
        let twin = apart.tape.grad_of_sum(apart.phi, &[apart.charges.a])[0];
        assert_eq!(gradient, support::value(&apart.tape, twin, &mut source));
        let charges = oracle::charges(&y, &x, 2);
        for (i, g) in gradient.iter().enumerate() {
            let phi = |shift: f64| {
                let mut a = x[i / 2 * 2..][..2].to_vec();
                a[i % 2] += shift;
                oracle::potential(d.into(), EPSILON, &a, &charges)
            };
            let difference = (phi(1e-5) - phi(-1e-5)) / 2e-5;
            assert!((g - difference).abs() < 1e-9, "d = {d}: {g}, {difference}");
        }
        // Moving both together is something else, so the test above means something.
        let loss = same.tape.sum_all(same.phi);
        let together = check_gradient(&same.tape, loss, &[same.charges.a], 1e-5, &mut source);
        assert!(together.expect("ten coordinates").error > 1e-3);
    }
}

#[test]
fn the_field_is_minus_the_gradient_of_the_potential_however_recorded() {
    for_random_sets(|sets| {
        let mut r = record(
            sets.d,
            ["x", "y", "x"],
            [sets.generated, sets.real, sets.generated],
            sets.m,
        );
        let Interaction { a, y, x, .. } = r.charges;
        let by_hand = support::elementary_potential(&mut r.tape, sets.d, EPSILON, [a, y, x]);
        let gradients = [r.phi, by_hand].map(|phi| r.tape.grad_of_sum(phi, &[a])[0]);
        let mut source = |name: &str| if name == "y" { sets.y() } else { sets.x() };
        let mut numbers = |v| support::value(&r.tape, v, &mut source);
        close("potential", &numbers(by_hand), &numbers(r.phi), 1e-12)?;
        let minus: Vec<f64> = numbers(r.field).iter().map(|e| -e).collect();
        close("field", &minus, &numbers(gradients[0]), 1e-12)?;
        close("elementary", &numbers(gradients[1]), &minus, 1e-12)
    });
}

/// `∇²Φ̂ v = −∂Ê/∂v`, the directional derivative of the field by differences; and the diagonal of the
/// Hessian adds up to minus the divergence of the field.
#[test]
fn the_curvature_is_the_derivative_of_the_field() {
    for_random_sets(|sets| {
        let (y, x, m) = (sets.y(), sets.x(), sets.m);
        let mut r = record(sets.d, ["a", "y", "x"], [1, sets.real, sets.generated], m);
        let v = r.tape.input("v", [1, m]);
        let curvature = r.tape.curvature(r.charges, v);
        let numbers = |of: Var, a: &[f64], direction: &[f64]| {
            support::value(&r.tape, of, &mut |name| match name {
                "a" => a.to_vec(),
                "v" => direction.to_vec(),
                "y" => y.clone(),
                _ => x.clone(),
            })
        };
        let a = &x[..m];
        let (mut laplacian, mut divergence) = (0.0, 0.0);
        for i in 0..m {
            let direction: Vec<f64> = (0..m).map(|j| f64::from(i == j)).collect();
            let field_at = |shift: f64| {
                let moved: Vec<f64> = a
                    .iter()
                    .zip(&direction)
                    .map(|(a, v)| a + shift * v)
                    .collect();
                numbers(r.field, &moved, &direction)
            };
            let (after, before) = (field_at(1e-5), field_at(-1e-5));
            let slope: Vec<f64> = (after.iter().zip(&before))
                .map(|(after, before)| (before - after) / 2e-5)
                .collect();
            let column = numbers(curvature, a, &direction);
            close("curvature", &column, &slope, 1e-8)?;
            laplacian += column[i];
            divergence -= slope[i];
        }
        close("Laplacian", &[laplacian], &[-divergence], 1e-7)
    });
}

/// Both forms of Eq. (33): all pairs, and `½ (mean Φ̂(y_i) − mean Φ̂(x_i))` from the recorded potential.
/// The energy is never negative, and 0 for the same points in another order.
#[test]
fn the_energy_is_positive_and_zero_only_for_equal_sets() {
    for_random_sets(|sets| {
        let (y, x) = (sets.y(), sets.x());
        let by_potential = |y: &[f64], x: &[f64]| {
            let rows = [y.len() / sets.m, x.len() / sets.m];
            let mean_phi = |a: &[f64]| {
                let r = record(
                    sets.d,
                    ["a", "y", "x"],
                    [a.len() / sets.m, rows[0], rows[1]],
                    sets.m,
                );
                let phi = support::value(&r.tape, r.phi, &mut |name| match name {
                    "a" => a.to_vec(),
                    "y" => y.to_vec(),
                    _ => x.to_vec(),
                });
                phi.iter().sum::<f64>() / phi.len() as f64
            };
            0.5 * (mean_phi(y) - mean_phi(x))
        };
        let energy = sets.energy(&y, &x);
        close("the two forms", &[by_potential(&y, &x)], &[energy], 1e-13)?;
        if energy <= 1e-9 {
            return Err(format!("different points, but an energy of {energy}"));
        }
        let mut shuffled: Vec<&[f64]> = y.chunks(sets.m).rev().collect();
        shuffled.rotate_left(sets.real / 2);
        close(
            "a permuted copy",
            &[by_potential(&y, &shuffled.concat())],
            &[0.0],
            1e-14,
        )
    });
}

/// Appendix A.4: `Ê(y_i) = −N_y ∂F̂/∂y_i` and `Ê(x_i) = N_x ∂F̂/∂x_i`, by differences of the energy in which,
/// unlike above, point and charge do move together: all pairs are in the energy twice, halved.
#[test]
fn the_field_is_the_force_of_the_energy() {
    for_random_sets(|sets| {
        let (y, x) = (sets.y(), sets.x());
        let field_at = |a: &[f64]| {
            let rows = [a.len() / sets.m, sets.real, sets.generated];
            let r = record(sets.d, ["a", "y", "x"], rows, sets.m);
            support::value(&r.tape, r.field, &mut |name| match name {
                "a" => a.to_vec(),
                "y" => y.clone(),
                _ => x.clone(),
            })
        };
        let slope = |points: &[f64], energy: &dyn Fn(&[f64]) -> f64| -> Vec<f64> {
            let at = |i: usize, shift: f64| {
                let mut moved = points.to_vec();
                moved[i] += shift;
                energy(&moved)
            };
            let coordinates = 0..points.len();
            coordinates
                .map(|i| (at(i, 1e-5) - at(i, -1e-5)) / 2e-5)
                .collect()
        };
        let dy = slope(&y, &|y| sets.energy(y, &x));
        let force: Vec<f64> = dy.iter().map(|f| -(sets.real as f64) * f).collect();
        close("on real points", &field_at(&y), &force, 1e-8)?;
        let dx = slope(&x, &|x| sets.energy(&y, x));
        let force: Vec<f64> = dx.iter().map(|f| sets.generated as f64 * f).collect();
        close("on generated points", &field_at(&x), &force, 1e-8)
    });
}

/// Potential and field at `a` on every device, at a width `epsilon` of choice.
fn on_devices(
    d: u32,
    epsilon: f32,
    a: &[f32],
    y: &[f32],
    x: &[f32],
    m: usize,
) -> Vec<[Vec<f32>; 2]> {
    let mut t = Tape::new();
    let [va, vy, vx] = [("a", a), ("y", y), ("x", x)].map(|(n, p)| t.input(n, [p.len() / m, m]));
    let charges = Interaction {
        d,
        epsilon: t.input("epsilon", [1]),
        a: va,
        y: vy,
        x: vx,
    };
    let (phi, field) = (t.potential(charges), t.field(charges));
    t.output("potential", phi);
    t.output("field", field);
    let inputs = [("a", a), ("y", y), ("x", x), ("epsilon", &[epsilon])];
    let inputs = inputs.map(|(name, values)| (name, values.to_vec()));
    let run = |backend| {
        let mut store = support::store(&[]);
        let mut program = support::compile(backend, &t, &store, &inputs);
        program.run(&mut store).unwrap();
        ["potential", "field"].map(|name| program.read(name).unwrap().to_vec())
    };
    support::single_precision().iter().map(run).collect()
}

/// Points near 1000 and about 1e-3 apart: squared norms of 1e6 minus twice a product of 1e6 would leave
/// nothing of a squared distance of 1e-6 in `f32`; differences taken first leave all of it.
#[test]
fn near_points_far_from_the_origin_keep_their_relative_accuracy() {
    for m in [1, 2, 3, 40] {
        let near = |name: &str, rows: usize| -> Vec<f32> {
            let offsets = support::uniform(7, name, rows * m, -1e-3, 1e-3);
            offsets.iter().map(|o| 1000.0 + o).collect()
        };
        // One charge of each sign, far enough apart in distance that their shares do not cancel.
        let (a, y) = (near("a", 9), near("y", 1));
        let x = vec![1000.5; m];
        let charges = oracle::charges(&support::wide(&y), &support::wide(&x), m);
        let epsilon = f64::from(1e-3f32);
        for [phi, field] in on_devices(3, 1e-3, &a, &y, &x, m) {
            for (i, a) in support::wide(&a).chunks(m).enumerate() {
                let exact = oracle::potential(3.0, epsilon, a, &charges);
                let error = (f64::from(phi[i]) / exact - 1.0).abs();
                assert!(error < 1e-5, "potential in {m}-D: relative error {error:e}");
                let exact = oracle::field(3.0, epsilon, a, &charges);
                let scale = exact.iter().map(|e| e.abs()).fold(0.0, f64::max);
                for (e, exact) in field[i * m..].iter().zip(exact) {
                    let error = (f64::from(*e) - exact).abs() / scale;
                    assert!(error < 1e-5, "field in {m}-D: relative error {error:e}");
                }
            }
        }
    }
}

/// A kernel so narrow that a charge on the point would be infinite: empty places at the end of a register
/// must not act as if a charge sat at the origin.
#[test]
fn a_point_at_the_origin_far_from_all_charges() {
    for [phi, field] in on_devices(7, 1e-6, &[0.0, 0.0], &[2.0, 0.0], &[0.0, 4.0], 2) {
        assert!(
            (phi[0] - (2f32.powi(-7) - 4f32.powi(-7))).abs() < 1e-8,
            "{phi:?}"
        );
        assert!((field[0] + 7.0 * 2f32.powi(-8)).abs() < 1e-7, "{field:?}");
        assert!((field[1] - 7.0 * 4f32.powi(-8)).abs() < 1e-8, "{field:?}");
    }
}

/// One program with a large product of matrices, potentials of many charges and of few: what one step packs
/// must not leak into the next.
#[test]
fn sums_of_different_sizes_in_one_program() {
    let mut t = Tape::new();
    let many = ["y", "x"].map(|name| t.input(name, [150, 2]));
    let few = ["few y", "few x"].map(|name| t.input(name, [2, 2]));
    let a = t.input("a", [5, 2]);
    let (left, right) = (t.input("left", [40, 60]), t.input("right", [50, 60]));
    let epsilon = t.constant(EPSILON, [1]);
    let product = t.matmul(left, false, right, true);
    t.output("product", product);
    for (name, [y, x]) in [("many", many), ("few", few), ("many again", many)] {
        let charges = Interaction {
            d: 3,
            epsilon,
            a,
            y,
            x,
        };
        let (phi, field) = (t.potential(charges), t.field(charges));
        let v = t.stop_gradient(a);
        let curvature = t.curvature(charges, v);
        for (what, v) in [
            ("potential", phi),
            ("field", field),
            ("curvature", curvature),
        ] {
            t.output(&format!("{what} {name}"), v);
        }
    }
    let counts = [
        ("y", 300),
        ("x", 300),
        ("few y", 4),
        ("few x", 4),
        ("a", 10),
        ("left", 2400),
        ("right", 3000),
    ];
    let inputs = counts.map(|(name, count)| (name, support::uniform(3, name, count, -2.0, 2.0)));
    let mut store = support::store(&[]);
    let reference = coulomb_gan::exec::Backend::Reference;
    let mut exact = support::compile(&reference, &t, &store, &inputs);
    exact.run(&mut store).unwrap();
    for backend in &support::single_precision() {
        let mut program = support::compile(backend, &t, &store, &inputs);
        for _ in 0..2 {
            program.run(&mut store).unwrap();
            for (name, _) in t.outputs() {
                for (y, exact) in program
                    .read(name)
                    .unwrap()
                    .iter()
                    .zip(exact.read(name).unwrap())
                {
                    let error = (y - exact).abs() / (1.0 + exact.abs());
                    assert!(
                        error < 1e-5,
                        "{name} on {}: {y}, {exact}",
                        backend.describe()
                    );
                }
            }
        }
    }
}
