//! The objectives whose discriminator is an auto-encoder: what only they have, from their formulas.

use coulomb_gan::exec::check::check_gradient;
use coulomb_gan::exec::{Backend, Store, reference};
use coulomb_gan::nn::{self, Mode, Network};
use coulomb_gan::objective::{Draw, Feed, LATENTS, Objective};
use coulomb_gan::optim::Adam;
use coulomb_gan::rivals::mmd::mmd_squared;
use coulomb_gan::rivals::{Began, Mmd};
use coulomb_gan::tape::{Op, Tape, Var};

use crate::rivals::{BATCH, Networks, Z_DIM, parts, perceptrons};
use crate::support::{output, random_source, value};

/// The value that `tape` assigns to the state `name`.
fn assigned(tape: &Tape, name: &str) -> Var {
    let is_it = |v: Var| matches!(&tape.node(v).op, Op::State { name: n } if n == name);
    let found = tape.nodes().iter().find_map(|node| match node.op {
        Op::Assign { state, value } if is_it(state) => Some(value),
        _ => None,
    });
    found.expect("an assignment")
}

/// `mean |D(v) − v|`, from what `D` gives back; real points are `y` times `scale`, generated ones those of a generator whose
/// numbers are multiplied so.
fn error(networks: &Networks, of_real: bool, scale: &dyn Fn(&str) -> f64) -> f64 {
    let mut t = Tape::new();
    let v = match of_real {
        true => t.input("y", [BATCH, 2]),
        false => {
            let z = t.input("z", [BATCH, Z_DIM]);
            networks.generator.record(&mut t, z, Mode::Sample)
        }
    };
    let back = networks.auto_encoder.record(&mut t, v, Mode::Sample);
    let mut random = random_source(&t, 7, -0.6, 0.6);
    let all = reference::evaluate(&t, &mut |name| {
        let numbers = random(name).into_iter();
        numbers.map(|x| x * scale(name)).collect()
    });
    let (v, back) = (&all[v.index()], &all[back.index()]);
    let sizes = v.iter().zip(back).map(|(v, back)| (back - v).abs());
    sizes.sum::<f64>() / v.len() as f64
}

#[test]
fn k_follows_its_formula_from_0_to_1() {
    let networks = perceptrons();
    let parts = parts(&Began, &networks);
    let tape = &parts[0].tape;
    let (loss, next) = (output(tape, "loss_d"), assigned(tape, "began.k"));
    // Real points, or generated ones, far away are given back badly; so k has to rise, or to fall.
    let mut seen = vec![];
    for (far, factor) in [("", 1.0), ("y", 90.0), ("generator.", 9.0)] {
        let scale = |name: &str| match !far.is_empty() && name.starts_with(far) {
            true => factor,
            false => 1.0,
        };
        let [real, generated] = [true, false].map(|of_real| error(&networks, of_real, &scale));
        for k in [0.0, 1e-4, 0.5, 1.0 - 1e-4, 1.0] {
            let mut random = random_source(tape, 7, -0.6, 0.6);
            let all = reference::evaluate(tape, &mut |name| match name {
                "began.k" => vec![k],
                _ => random(name).into_iter().map(|x| x * scale(name)).collect(),
            });
            let expected = real - k * generated;
            let found = all[loss.index()][0];
            assert!(
                (found - expected).abs() < 1e-12 * (1.0 + real + generated),
                "{found} is not {expected}"
            );
            let free = k + 0.001 * (0.5 * real - generated);
            let found = all[next.index()][0];
            assert!(
                (found - free.clamp(0.0, 1.0)).abs() < 1e-12,
                "{free} became {found}"
            );
            seen.push(found - free);
        }
    }
    // Both ends have been met.
    assert!(seen.iter().any(|x| *x > 0.0) && seen.iter().any(|x| *x < 0.0));
}

#[test]
fn k_begins_at_0_and_is_kept_from_round_to_round() {
    let networks = perceptrons();
    let adams = ["adam.g", "adam.d"].map(|name| Adam::new(name, 0.5, 0.0));
    let mut store = Store::new();
    let players = [&*networks.generator, &*networks.auto_encoder];
    for (network, adam) in players.iter().zip(&adams) {
        nn::initialise(&network.parameters(), 1, &mut store);
        adam.initialise(&network.parameters(), &mut store);
    }
    nn::initialise(&Began.states(), 1, &mut store);
    let k = |store: &Store| store.get("began.k").unwrap().expect("a state").data()[0];
    assert_eq!(k(&store), 0.0);
    let tape = &parts(&Began, &networks)[0].tape;
    let mut program = Backend::Reference.compile(tape, &store).unwrap();
    let mut feed = Feed::new(tape, [&adams[0], &adams[1]]);
    let mut before = 0.0;
    for run in 0..4 {
        let mut draw = Draw {
            seed: 1,
            latents: LATENTS,
            run,
            epsilon: 1.0,
            ball: 0.0,
            rates: [1e-3, 1e-3],
            real: &mut |y| {
                y.fill(50.0);
                Ok(())
            },
        };
        feed.hand_in(&mut program, &mut draw).unwrap();
        program.run(&mut store).unwrap();
        // Points so far away are given back badly, by about their size, 50 in each number.
        let rise = k(&store) - before;
        assert!((0.01..0.04).contains(&rise), "{rise}");
        before = k(&store);
    }
}

#[test]
fn the_gauge_of_began_is_its_measure_of_convergence() {
    let networks = perceptrons();
    let mut t = Tape::new();
    let [y, x] = ["y", "x"].map(|name| t.input(name, [BATCH, 2]));
    let gauge = Began.gauge(&mut t, &*networks.auto_encoder, y, x);
    assert_eq!(Began.columns(), ["k", "convergence"]);
    let back = [y, x].map(|v| networks.auto_encoder.record(&mut t, v, Mode::Sample));
    let mut random = random_source(&t, 7, -0.6, 0.6);
    let mut source = |name: &str| match name {
        "began.k" => vec![0.25],
        other => random(other),
    };
    let all = reference::evaluate(&t, &mut source);
    let [real, generated] = [(y, back[0]), (x, back[1])].map(|(v, back)| {
        let pairs = all[v.index()].iter().zip(&all[back.index()]);
        pairs.map(|(v, back)| (back - v).abs()).sum::<f64>() / (2 * BATCH) as f64
    });
    let expected = real + (0.5 * real - generated).abs();
    assert_eq!(value(&t, gauge[0], &mut source), [0.25]);
    assert!((all[gauge[1].index()][0] - expected).abs() < 1e-12);
}

/// `k(a, b) = Σ_s exp(−‖a − b‖² / 2 s²)` with the squares of differences summed.
fn kernel(a: &[f64], b: &[f64]) -> f64 {
    let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    let widths = [1.0f64, 2.0, 4.0, 8.0, 16.0].into_iter();
    widths.map(|s| (-square / (2.0 * s * s)).exp()).sum()
}

/// `MMD²` pair by pair, of rows of `n` numbers.
fn mmd_of_pairs(a: &[f64], b: &[f64], n: usize) -> f64 {
    let mean = |a: &[f64], b: &[f64]| {
        let pairs = a
            .chunks(n)
            .flat_map(|a| b.chunks(n).map(move |b| kernel(a, b)));
        let all: Vec<f64> = pairs.collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    mean(a, a) + mean(b, b) - 2.0 * mean(a, b)
}

#[test]
fn a_discrepancy_is_that_of_all_pairs() {
    // More rows on one side, so that rows and columns cannot be mistaken for each other.
    let mut t = Tape::new();
    let (a, b) = (t.input("a", [4, 3]), t.input("b", [2, 3]));
    let mmd = mmd_squared(&mut t, a, b);
    let a_with_itself = mmd_squared(&mut t, a, a);
    for size in [0.5, 4.0, 30.0] {
        let mut source = random_source(&t, 5, -size, size);
        let expected = mmd_of_pairs(&source("a"), &source("b"), 3);
        let found = value(&t, mmd, &mut source)[0];
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
        assert_eq!(value(&t, a_with_itself, &mut source), [0.0]);
        let worst = check_gradient(&t, mmd, &[a, b], 1e-5, &mut source).unwrap();
        assert!(worst.error < 1e-8, "{worst:?}");
    }
    // Two points: 2 k(0) − 2 k(r).
    let mut t = Tape::new();
    let [a, b] = ["a", "b"].map(|name| t.input(name, [1, 2]));
    let mmd = mmd_squared(&mut t, a, b);
    let found = value(&t, mmd, &mut |name| match name {
        "a" => vec![1.0, -2.0],
        _ => vec![4.0, 2.0],
    });
    let expected = 10.0 - 2.0 * kernel(&[0.0], &[5.0]);
    assert!((found[0] - expected).abs() < 1e-12);
}

/// Both losses from codes and reconstructions that are recorded by themselves.
#[test]
fn the_losses_of_mmd_gan_are_those_of_its_formula() {
    let networks = perceptrons();
    let parts = parts(&Mmd { critic_steps: 5 }, &networks);
    assert_eq!([parts[0].runs, parts[1].runs], [5, 1]);
    for (part, loss, latents) in [(0, "loss_d", "z"), (1, "loss_g", "z_other")] {
        let mut t = Tape::new();
        let y = t.input("y", [BATCH, 2]);
        let z = t.input(latents, [BATCH, Z_DIM]);
        let x = networks.generator.record(&mut t, z, Mode::Sample);
        let [encoder, decoder] = networks.auto_encoder.halves().expect("two halves");
        let codes = [y, x].map(|v| encoder.record(&mut t, v, Mode::Sample));
        let backs = codes.map(|code| decoder.record(&mut t, code, Mode::Sample));
        let all = reference::evaluate(&t, &mut random_source(&t, 7, -0.6, 0.6));
        let [f_y, f_x] = codes.map(|code| &all[code.index()]);
        let mean = |f: &[f64], i: usize| -> f64 {
            f.iter().skip(i).step_by(Z_DIM).sum::<f64>() / BATCH as f64
        };
        let above = (0..Z_DIM).map(|i| (mean(f_x, i) - mean(f_y, i)).max(0.0));
        let order = above.sum::<f64>() / Z_DIM as f64;
        assert!(order > 0.0);
        let apart = mmd_of_pairs(f_y, f_x, Z_DIM).sqrt() - 16.0 * order;
        let [of_y, of_x] = [(y, backs[0]), (x, backs[1])].map(|(v, back)| {
            let pairs = all[v.index()].iter().zip(&all[back.index()]);
            let squares: f64 = pairs.map(|(v, back)| (back - v).powi(2)).sum();
            squares / (2 * BATCH) as f64
        });
        let expected = [-apart + 8.0 * of_y + 8.0 * of_x, apart][part];
        let tape = &parts[part].tape;
        let mut source = random_source(tape, 7, -0.6, 0.6);
        let found = value(tape, output(tape, loss), &mut source)[0];
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }
}

#[test]
fn an_update_clips_the_encoder_and_nothing_else() {
    let networks = perceptrons();
    let tape = &parts(&Mmd { critic_steps: 1 }, &networks)[0].tape;
    let mut source = random_source(tape, 7, -0.6, 0.6);
    let all = reference::evaluate(tape, &mut |name| {
        // Adam takes roots of its second moments.
        let numbers = source(name).into_iter();
        numbers
            .map(|x| if name.contains(".v.") { x.abs() } else { x })
            .collect()
    });
    let largest = |network: &dyn Network| {
        let weights = network.parameters().into_iter();
        let sizes = weights.flat_map(|w| all[assigned(tape, &w.name).index()].clone());
        sizes.fold(0.0, |largest: f64, w| largest.max(w.abs()))
    };
    let [encoder, decoder] = networks.auto_encoder.halves().expect("two halves");
    assert_eq!(largest(encoder), 0.01);
    assert!(largest(decoder) > 0.3);
}
