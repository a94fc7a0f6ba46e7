//! The objectives whose discriminator is an auto-encoder: what only they have, from their formulas.

use coulomb_gan::exec::{Backend, Store, reference};
use coulomb_gan::nn::{self, Mode, Network};
use coulomb_gan::objective::{Draw, Feed, LATENTS, Objective};
use coulomb_gan::optim::Adam;
use coulomb_gan::rivals::Began;
use coulomb_gan::tape::{Op, Tape, Var};

use crate::rivals::{BATCH, Networks, parts, perceptrons};
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
            let z = t.input("z", [BATCH, 4]);
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
                (found - expected).abs() < 1e-12,
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
            real: &mut |_, y| {
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
