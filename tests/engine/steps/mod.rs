//! Proves that training does what it does in PyTorch: ten rounds of each objective that `tests/fixtures/make_steps.py`
//! wrote down in `f64`, compared update by update: losses, the gradients that Adam averages, and what it makes of the
//! weights. Networks and tapes are those that a run has, constants included. The reference carries its states in `f64`
//! from round to round; kernels carry theirs in `f32`, in the store.

mod case;
mod machine;

use crate::support;
use case::{Case, Tensors, Update, cases};
use coulomb_gan::exec::{Backend, Precision};
use coulomb_gan::optim::Adam;
use coulomb_gan::tape::{Op, Tape};
use coulomb_gan::train::model::Model;
use machine::{Machine, Move, assigned};

/// The largest deviations allowed, relative to the largest number of a tensor; for losses, to the largest of all rounds.
struct Tolerance {
    loss: f64,
    gradient: f64,
    state: f64,
}

/// The fixture's twelve digits, and rounding: at most 2e-11 when written.
const EXACT: Tolerance = Tolerance {
    loss: 1e-10,
    gradient: 1e-10,
    state: 1e-10,
};

/// Some gradients have terms that nearly cancel: those of the bias of `D`'s score, `D(x)` against `D(y)`, which were off by
/// 7e-5 when this was written, and of the biases of MMD-GAN's encoder, since no distance notices what all codes have in
/// common, by 5e-5. Batch norms in an auto-encoder make much of rounding, 2e-5 within two rounds. All other gradients were
/// within 4e-6 and states within 3e-6. Losses were within 1e-6, but for MMD-GAN's of `G`: codes of a clipped encoder
/// differ by a tenth of their size, and their distances lose digits, 5e-6.
const SINGLE: Tolerance = Tolerance {
    loss: 1e-5,
    gradient: 5e-4,
    state: 1e-5,
};

/// Trains as `case` says and compares every update.
fn compare(case: &Case, backend: Option<&Backend>, tolerance: &Tolerance) {
    let config = case.config();
    let model = Model::new(&config);
    let adams = [&model.adam_g, &model.adam_d];
    let parts = model.record(&config);
    let mut machine = Machine::new(case, &parts, backend);
    let place = backend.map_or("the reference".into(), Backend::describe);
    let mut updates = case.updates.iter();
    for round in 0..case.rounds {
        for (i, part) in parts.iter().enumerate() {
            for run in round * part.runs..(round + 1) * part.runs {
                let update = updates.next().expect("as many updates as runs");
                let what = format!("{}, {place}, {} run {run}", case.name(), part.name);
                check_names(&what, &part.tape, update);
                let (inputs, moves) = handed(case, &part.tape, adams, run);
                let names = update.gradients.keys();
                let before: Vec<_> = names.map(|name| machine.state(&moment(name))).collect();
                let names = &mut update.losses.keys();
                let losses = machine.run(i, &part.tape, inputs, &moves, names);

                for ((name, expected), found) in update.losses.iter().zip(losses) {
                    let all = case.updates.iter().filter_map(|u| u.losses.get(name));
                    let size = all.fold(0.0f64, |most, loss| most.max(loss.abs()));
                    let what = format!("{what}: {name}");
                    assert_close(&what, &[found], &[*expected], size, tolerance.loss);
                }
                for ((name, expected), old) in update.gradients.iter().zip(before) {
                    let beta1 = config.beta1;
                    let new = machine.state(&moment(name)).into_iter();
                    let gradient = new
                        .zip(old)
                        .map(|(new, old)| (new - beta1 * old) / (1.0 - beta1));
                    let found = case.evidence(name, gradient.collect());
                    let what = format!("{what}: gradient of {name}");
                    assert_close(
                        &what,
                        &found,
                        expected,
                        largest(expected),
                        tolerance.gradient,
                    );
                }
                for (name, expected) in &update.states {
                    let found = case.evidence(name, machine.state(name));
                    let what = format!("{what}: {name}");
                    assert_close(&what, &found, expected, largest(expected), tolerance.state);
                }
            }
        }
    }
    assert!(updates.next().is_none(), "{}: more updates", case.name());
}

/// What a run of `tape` is handed: inputs, and the number and rate of the updates that it makes.
fn handed<'a>(
    case: &Case,
    tape: &Tape,
    adams: [&'a Adam; 2],
    run: u64,
) -> (Tensors, Vec<Move<'a>>) {
    let (mut inputs, mut moves) = (Tensors::new(), vec![]);
    for node in tape.nodes() {
        let Op::Input { name } = &node.op else {
            continue;
        };
        let Some(player) = adams.iter().position(|a| a.inputs().contains(name)) else {
            let values = case.input(name, run, node.shape.count());
            inputs.insert(name.clone(), values);
            continue;
        };
        // An update has two inputs, the rate first.
        let adam = adams[player];
        if adam.inputs()[0] == *name {
            let (n, rate) = (run + 1, case.rates[player]);
            moves.push(Move { adam, n, rate });
        }
    }
    (inputs, moves)
}

/// The name of Adam's mean of a parameter's gradient, which shows the gradient.
fn moment(parameter: &str) -> String {
    let (network, rest) = parameter.split_once('.').expect("a network's name");
    format!("adam.{}.m.{rest}", &network[..1])
}

/// That PyTorch wrote down every state that the tape assigns, but for Adam's, and a gradient for each mean of gradients.
fn check_names(what: &str, tape: &Tape, update: &Update) {
    let (moments, mut states): (Vec<&str>, Vec<&str>) = assigned(tape)
        .map(|(name, _)| name)
        .partition(|name| name.starts_with("adam."));
    let mut means: Vec<&str> = moments.into_iter().filter(|m| m.contains(".m.")).collect();
    let mut expected: Vec<String> = update.gradients.keys().map(|name| moment(name)).collect();
    means.sort_unstable();
    expected.sort_unstable();
    states.sort_unstable();
    assert_eq!(means, expected, "{what}: gradients");
    assert!(states.iter().eq(update.states.keys()), "{what}: {states:?}");
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, x| most.max(x.abs()))
}

/// A tensor of zeros must be met exactly.
fn assert_close(what: &str, found: &[f64], expected: &[f64], size: f64, tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (x, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (x - e).abs() <= tolerance * size,
            "{what}[{i}] is {x}, not {e}, of at most {size}"
        );
    }
}

#[test]
fn the_reference_trains_as_pytorch_does() {
    for case in cases() {
        compare(&case, None, &EXACT);
    }
}

#[test]
fn the_cpu_trains_as_pytorch_does() {
    for case in cases() {
        for device in support::devices() {
            compare(&case, Some(&device[1]), &SINGLE);
        }
    }
}

#[test]
fn the_gpu_trains_as_pytorch_does() {
    let Some(backend) = support::gpu(Precision::Single) else {
        return;
    };
    for case in cases() {
        compare(&case, Some(&backend), &SINGLE);
    }
}
