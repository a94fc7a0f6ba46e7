//! Training on the GPU: it follows the CPU, repeats itself bit by bit, makes nothing new once it runs, resumes, samples
//! and evaluates, and says in one sentence what is wrong. Without a GPU these tests say so and are skipped; with
//! `COULOMB_REQUIRE_GPU=1` they fail.

use std::path::Path;

use crate::process::{program, refusal, run, text};
use crate::support;
use coulomb_gan::exec::gpu::{self, Device, Engine};
use coulomb_gan::exec::{Backend, Executor, Precision, Program, Store};
use coulomb_gan::numbers::rng;
use coulomb_gan::objective::{Draw, Feed};
use coulomb_gan::tape::op::Interaction;
use coulomb_gan::tape::{Op, Tape};
use coulomb_gan::train::Config;
use coulomb_gan::train::model::Model;
use coulomb_gan::train::presets::preset;

/// A recorded training step with its state.
struct Training {
    feed: Feed,
    config: Config,
    store: Store,
    program: Program,
}

impl Training {
    fn new(config: &Config, backend: &Backend) -> Self {
        let model = Model::new(config);
        let tape = model.record(config).swap_remove(0).tape;
        let store = model.initial_store(config).unwrap();
        Self {
            program: backend.compile(&tape, &store).unwrap(),
            feed: model.feed(&tape),
            config: config.clone(),
            store,
        }
    }

    /// One step on random points.
    fn step(&mut self, step: u64) {
        let spread = self.config.task().spread();
        let mut real = |y: &mut [f32]| {
            rng::fill_normal(&mut rng::stream(3, "y", step), y);
            y.iter_mut().for_each(|x| *x *= spread);
            Ok(())
        };
        let mut draw = Draw {
            run: step,
            ..self.config.draw(&mut real)
        };
        self.feed.hand_in(&mut self.program, &mut draw).unwrap();
        self.program.run(&mut self.store).unwrap();
    }

    /// The losses of `steps` steps, taken as they arrive.
    fn losses(&mut self, steps: u64) -> Vec<[f32; 2]> {
        let (mut losses, mut taken) = (vec![], vec![]);
        for step in 0..steps {
            self.step(step);
            while self.program.take_scalars(false, &mut taken).unwrap() {
                losses.push([taken[0], taken[1]]);
            }
        }
        while self.program.take_scalars(true, &mut taken).unwrap() {
            losses.push([taken[0], taken[1]]);
        }
        losses
    }
}

/// The presets, as narrow as a software device wants them.
fn mixture() -> Config {
    preset("mixture").unwrap()
}

fn shapes() -> Config {
    let mut config = preset("shapes").unwrap();
    (config.width, config.batch_size) = (16, 8);
    assert!(config.task_mut().set("side", "16").unwrap());
    config
}

/// Losses of both networks on the GPU and on the CPU: all steps, none lost, each within `tolerance` of the largest.
fn follows(config: &Config, steps: u64, precision: Precision, tolerance: f32) {
    let Some(gpu) = support::gpu(precision) else {
        return;
    };
    let cpu = Backend::cpu(Some(1)).unwrap();
    let found = Training::new(config, &gpu).losses(steps);
    let expected = Training::new(config, &cpu).losses(steps);
    assert_eq!(found.len(), steps as usize, "no step's losses are lost");
    for network in 0..2 {
        let largest = expected
            .iter()
            .map(|l| l[network].abs())
            .fold(0.0, f32::max);
        for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let error = (found[network] - expected[network]).abs() / largest;
            assert!(
                error < tolerance,
                "step {step}, loss {network}: {found:?}, not {expected:?}"
            );
        }
    }
}

#[test]
fn two_hundred_steps_of_the_mixture_follow_the_cpu() {
    follows(&mixture(), 200, Precision::Single, 2e-3);
}

#[test]
fn twenty_steps_of_shapes_follow_the_cpu() {
    follows(&shapes(), 20, Precision::Single, 1e-3);
}

/// Halves have 11 bits: 5e-4 of an activation, which training does not notice but losses do.
#[test]
fn half_precision_stays_near() {
    follows(&half(mixture()), 60, Precision::Half, 2e-2);
    follows(&half(shapes()), 20, Precision::Half, 2e-2);
}

fn half(mut config: Config) -> Config {
    (config.backend, config.precision) = (Executor::Gpu, Precision::Half);
    // Enough numbers per layer that they are stored as halves at all.
    config.batch_size = config.batch_size.max(32);
    config
}

/// What travels between two products in half precision arrives as the nearest half, ties to even, and beyond the largest
/// one as that.
#[test]
fn halves_are_rounded_to_nearest() {
    let Some(gpu) = support::gpu(Precision::Half) else {
        return;
    };
    const N: usize = 80;
    let mut numbers = support::uniform(9, "x", N * N, -3.0, 3.0);
    let edges = [
        0.0,
        -0.0,
        1.0 + 0.5 / 1024.0,
        1.0 + 1.5 / 1024.0,
        65504.0,
        65519.0,
        6.1e-5,
        3e-7,
        2048.5,
    ];
    numbers[..edges.len()].copy_from_slice(&edges);
    let mut one = vec![0.0; N * N];
    (0..N).for_each(|i| one[i * N + i] = 1.0);
    let mut t = Tape::new();
    let (x, one_var) = (t.input("x", [N, N]), t.input("one", [N, N]));
    let between = t.matmul(x, false, one_var, false);
    let y = t.matmul(between, false, one_var, false);
    t.output("y", y);
    let mut store = Store::new();
    let inputs = [("x", numbers.clone()), ("one", one)];
    let mut program = support::compile(&gpu, &t, &store, &inputs);
    program.run(&mut store).unwrap();
    for (x, y) in numbers.iter().zip(program.read("y").unwrap()) {
        assert_eq!(*y, half::f16::from_f32(*x).to_f32(), "{x}");
    }
}

/// `tanh(a b)` of the factors as they are or transposed.
fn bent_product([m, k, n]: [usize; 3], ta: bool, tb: bool) -> Tape {
    let mut t = Tape::new();
    let a = t.input("a", if ta { [k, m] } else { [m, k] });
    let b = t.input("b", if tb { [n, k] } else { [k, n] });
    let product = t.matmul(a, ta, b, tb);
    let y = t.tanh(product);
    t.output("y", y);
    t
}

/// The kernels that real devices get, on whatever there is: every tile of matrix products, and cut terms.
#[test]
fn kernels_for_real_devices() {
    if support::gpu(Precision::Single).is_none() {
        return;
    }
    let device = own_device(Precision::Single);
    device.set_engine(Engine::Hardware);
    let gpu = Backend::Gpu(device);
    let sizes = [
        [1024, 9, 4300],
        [500, 17, 2100],
        [130, 40, 150],
        [3, 20, 67_000],
        [67_000, 20, 3],
        [70, 5000, 33],
    ];
    for [m, k, n] in sizes {
        for (ta, tb) in [(false, false), (true, true)] {
            equals_the_cpu(&gpu, &bent_product([m, k, n], ta, tb), 1e-4);
        }
    }
    let mut t = Tape::new();
    let window = coulomb_gan::tape::Window {
        stride: [2; 2],
        padding: [2; 2],
    };
    let (x, w) = (t.input("x", [9, 5, 13, 12]), t.input("w", [40, 5, 5, 5]));
    let y = t.conv2d(x, w, window);
    let back = t.conv2d_input_grad(y, w, window, [13, 12]);
    let filters = t.conv2d_weight_grad(x, y, window, [5, 5]);
    let sum = t.sum(back, 2..4);
    let all = t.sum_all(back);
    let [a, b] =
        ["few", "many"].map(|name| t.input(name, [30, if name == "few" { 3 } else { 700 }]));
    for (i, v) in [y, back, filters, sum, all].into_iter().enumerate() {
        t.output(&i.to_string(), v);
    }
    for (name, points) in [("few dimensions", a), ("many dimensions", b)] {
        let epsilon = t.constant(1.0, [1]);
        let nearer = t.scale(points, 0.5);
        let charges = Interaction {
            d: 3,
            epsilon,
            a: points,
            y: points,
            x: nearer,
        };
        let (phi, e) = (t.potential(charges), t.field(charges));
        t.output(&format!("potential in {name}"), phi);
        t.output(&format!("field in {name}"), e);
    }
    equals_the_cpu(&gpu, &t, 1e-4);
}

/// The kernel for tensor cores with its matrices emulated, on whatever there is: each of its tiles, edges that fill none,
/// cut terms, and every contraction.
#[test]
fn the_walk_of_products_on_tensor_cores() {
    if support::gpu(Precision::Half).is_none() {
        return;
    }
    let device = own_device(Precision::Half);
    device.set_engine(Engine::EmulatedCores);
    let gpu = Backend::Gpu(device);
    // Tiles of 64 x 64, also with terms in two parts; of 128 x 64; of 128 x 128.
    let sizes = [
        ([70, 90, 130], false, true),
        ([70, 90, 130], true, false),
        ([40, 600, 33], false, false),
        ([1030, 33, 2050], false, false),
        ([1030, 33, 4300], true, true),
    ];
    for (size, ta, tb) in sizes {
        equals_the_cpu(&gpu, &bent_product(size, ta, tb), 3e-3);
    }
    let mut t = Tape::new();
    let window = coulomb_gan::tape::Window {
        stride: [2; 2],
        padding: [2; 2],
    };
    let (x, w) = (t.input("x", [7, 33, 11, 12]), t.input("w", [35, 33, 5, 5]));
    let y = t.conv2d(x, w, window);
    let back = t.conv2d_input_grad(y, w, window, [11, 12]);
    let filters = t.conv2d_weight_grad(x, y, window, [5, 5]);
    for (i, v) in [y, back, filters].into_iter().enumerate() {
        t.output(&i.to_string(), v);
    }
    equals_the_cpu(&gpu, &t, 3e-3);
}

/// Compares all outputs of a tape on random inputs, relative to the largest number of each.
fn equals_the_cpu(gpu: &Backend, t: &Tape, tolerance: f32) {
    let cpu = Backend::cpu(Some(2)).unwrap();
    let inputs = t.nodes().iter().filter_map(|node| match &node.op {
        Op::Input { name } => {
            let values = support::uniform(5, name, node.shape.count(), -0.5, 0.5);
            Some((name.as_str(), values))
        }
        _ => None,
    });
    let inputs: Vec<_> = inputs.collect();
    let [found, expected] = [gpu, &cpu].map(|backend| {
        let mut store = Store::new();
        let mut program = support::compile(backend, t, &store, &inputs);
        program.run(&mut store).unwrap();
        let outputs = t.outputs().iter();
        let read = outputs.map(|(name, _)| program.read(name).unwrap().to_vec());
        read.collect::<Vec<_>>()
    });
    for ((name, _), (found, expected)) in t.outputs().iter().zip(found.iter().zip(&expected)) {
        let largest = expected.iter().fold(1e-3_f32, |most, x| most.max(x.abs()));
        for (i, (a, b)) in found.iter().zip(expected).enumerate() {
            let near = (a - b).abs() <= tolerance * largest;
            assert!(near, "{name}[{i}]: {a}, not {b}\n{}", t.explain());
        }
    }
}

/// A device of its own: tests run side by side, and some change or count what is done on one.
fn own_device(precision: Precision) -> Device {
    let candidate = gpu::choose(gpu::list(), None).unwrap();
    Device::open(candidate, precision).unwrap()
}

#[test]
fn two_runs_are_equal_bit_by_bit() {
    let Some(gpu) = support::gpu(Precision::Single) else {
        return;
    };
    for config in [mixture(), shapes()] {
        let [a, b] = [(); 2].map(|()| {
            let mut training = Training::new(&config, &gpu);
            let losses = training.losses(6);
            let bits = |x: &f32| x.to_bits();
            let state = training.store.views().unwrap();
            let state = state
                .iter()
                .flat_map(|(_, _, values)| values.iter().map(bits));
            (losses, state.collect::<Vec<_>>())
        });
        assert!(a == b, "{}", config.preset);
    }
}

#[test]
fn once_it_runs_nothing_is_made_any_more() {
    if support::gpu(Precision::Single).is_none() {
        return;
    }
    let own = own_device(Precision::Single);
    let backend = Backend::Gpu(own.clone());
    for config in [mixture(), shapes()] {
        let mut training = Training::new(&config, &backend);
        training.step(0);
        training.step(1);
        let before = own.counts();
        for step in 2..12 {
            training.step(step);
        }
        let after = own.counts();
        assert_eq!(before.buffers, after.buffers);
        assert_eq!(before.bind_groups, after.bind_groups);
        assert_eq!(before.pipelines, after.pipelines);
        assert_eq!(after.submissions - before.submissions, 10);
    }
}

/// State that has changed on the GPU is seen on the CPU, and the other way round.
#[test]
fn state_moves_between_backends() {
    let Some(gpu) = support::gpu(Precision::Single) else {
        return;
    };
    let mut t = Tape::new();
    let s = t.state("s", [5]);
    let next = t.affine(s, 2.0, 1.0);
    t.assign(s, next);
    let mut store = support::store(&[("s", [5].into(), vec![0.0, 1.0, 2.0, 3.0, 4.0])]);
    let backends = [
        gpu.clone(),
        Backend::cpu(Some(1)).unwrap(),
        Backend::Reference,
        gpu,
    ];
    for backend in backends {
        backend
            .compile(&t, &store)
            .unwrap()
            .run(&mut store)
            .unwrap();
    }
    let state = store.get("s").unwrap().unwrap();
    assert_eq!(state.data(), [15.0, 31.0, 47.0, 63.0, 79.0]);
}

/// A run that ends soon, also on a software device.
const SMALL: [&str; 15] = [
    "--preset",
    "shapes",
    "--side",
    "16",
    "--width",
    "16",
    "--batch-size",
    "4",
    "--z-dim",
    "4",
    "--backend",
    "gpu",
    "--quiet",
    "--seed",
    "7",
];

#[test]
fn a_run_is_trained_resumed_sampled_and_judged() {
    if support::gpu(Precision::Single).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    let succeed = |name: &str, args: &[&str]| {
        let output = run(name, args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {stderr}");
        output.stdout
    };
    let train = |extra: &[&str]| succeed("train", &[&SMALL[..], extra].concat());
    train(&["--steps", "8", "--out", text(&whole)]);
    train(&["--steps", "4", "--decay-steps", "8", "--out", text(&parts)]);
    succeed(
        "train",
        &["--resume", text(&parts), "--steps", "8", "--quiet"],
    );
    let last = "checkpoints/step-000000008.safetensors";
    let bytes = |run: &Path| std::fs::read(run.join(last)).unwrap();
    assert!(
        bytes(&whole) == bytes(&parts),
        "resumed is as if never stopped"
    );
    let samples = ["gpu", "cpu"].map(|backend| {
        let out = folder.path().join(format!("{backend}.npy"));
        let own = ["--run", text(&whole), "--backend", backend];
        succeed(
            "sample",
            &[&own[..], &["--count", "10", "--out", text(&out)]].concat(),
        );
        let judged = succeed(
            "evaluate",
            &[&own[..], &["--count", "64", "--json"]].concat(),
        );
        assert!(judged.starts_with(b"{"));
        coulomb_gan::numbers::npy::read(&out).unwrap()
    });
    for (a, b) in samples[0].data().iter().zip(samples[1].data()) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    // A run goes on elsewhere, too.
    succeed(
        "train",
        &[
            "--resume",
            text(&whole),
            "--steps",
            "9",
            "--backend",
            "cpu",
            "--quiet",
        ],
    );
}

#[test]
fn devices_are_listed_and_chosen() {
    let Some(gpu) = support::gpu(Precision::Single) else {
        return;
    };
    let listed = run("train", &["--list-devices"]);
    let list = String::from_utf8(listed.stdout).unwrap();
    let first = list.lines().next().unwrap();
    let description = first.strip_prefix("0: ").unwrap();
    assert!(gpu.describe().contains(description), "{list}");
    let name = description.split(" (").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (i, device) in ["0", &name.to_uppercase()].iter().enumerate() {
        let out = folder.path().join(i.to_string());
        let extra = ["--steps", "1", "--out", text(&out), "--device", device];
        assert!(
            run("train", &[&SMALL[..], &extra].concat())
                .status
                .success()
        );
    }
    let why = refusal("train", &["--backend", "gpu", "--device", "abacus 9000"], 2);
    assert!(
        why.contains("--device abacus 9000") && why.contains("0: "),
        "{why}"
    );
    let why = refusal("train", &["--backend", "gpu", "--device", "99"], 2);
    assert!(why.contains("--device 99"), "{why}");
}

#[test]
fn flags_that_only_a_gpu_understands() {
    let why = refusal("train", &["--device", "0"], 2);
    assert!(
        why.contains("--device 0") && why.contains("--backend gpu"),
        "{why}"
    );
    let why = refusal("train", &["--precision", "f16"], 2);
    assert!(
        why.contains("--precision f16") && why.contains("--backend gpu"),
        "{why}"
    );
    let why = refusal("train", &["--precision", "f8", "--backend", "gpu"], 2);
    assert!(why.contains("--precision f8"), "{why}");
}

/// A Vulkan loader that finds no driver finds no GPU.
#[test]
#[cfg(target_os = "linux")]
fn a_machine_without_a_gpu_says_so() {
    for args in [&["--backend", "gpu"][..], &["--list-devices"]] {
        let mut train = program("train");
        for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
            train.env(variable, "/nonexistent/driver.json");
        }
        let output = train.args(args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("--backend cpu"), "{stderr}");
    }
}

#[test]
fn what_does_not_fit_is_refused_in_a_sentence() {
    let Some(gpu) = support::gpu(Precision::Single) else {
        return;
    };
    let mut t = Tape::new();
    let x = t.input("x", [1]);
    let large = t.broadcast(x, [1 << 20, 1 << 13]);
    let y = t.exp(large);
    t.output("y", y);
    let refused = gpu.compile(&t, &Store::new());
    let why = refused.expect_err("32 GiB in one array").to_string();
    assert!(why.contains("--batch-size") && why.contains("MiB"), "{why}");
}
