//! A whole training run through the library: known answers, exact resume, and the same bits for any number
//! of threads.

use std::path::Path;

use coulomb_gan::exec::Backend;
use coulomb_gan::numbers::tensor_file::TensorFile;
use coulomb_gan::train::progress::Progress;
use coulomb_gan::train::trainer::Trainer;
use coulomb_gan::train::{Config, RunDir, checkpoint, subject};

/// A run small enough for a test, with every option in use.
fn config(steps: u64) -> Config {
    Config {
        preset: "test".into(),
        backend: "cpu".into(),
        precision: "f32".into(),
        seed: 1,
        steps,
        decay_steps: 40,
        batch_size: 24,
        z_dim: 3,
        width: 19,
        kernel_dim: 3,
        epsilon: 3.0,
        epsilon_final: 1.0,
        lr_g: 1e-3,
        lr_d: 3e-3,
        lr_final: 0.01,
        beta1: 0.5,
        weight_decay: 1e-4,
        potential_scale: 10.0,
        bias_range: 5.0,
        ball: 0.5,
        average: 0.9,
        checkpoint_every: 7,
        sample_every: 5,
        plateau_patience: None,
        pictures: None,
    }
}

fn trainer(config: &Config, backend: &Backend) -> Trainer {
    let mut config = config.clone();
    let subject = subject::open(&mut config, backend, &mut |_| {}).unwrap();
    Trainer::new(&config, backend, subject).unwrap()
}

/// Trains to the end and returns the last checkpoint's bytes.
fn train(folder: &Path, config: &Config, backend: &Backend) -> Vec<u8> {
    let run = RunDir::create(Some(folder), config).unwrap();
    let mut trainer = trainer(config, backend);
    run_to_the_end(&run, &mut trainer, config);
    std::fs::read(checkpoint::newest(&run).unwrap()).unwrap()
}

fn run_to_the_end(run: &RunDir, trainer: &mut Trainer, config: &Config) {
    let mut progress = Progress::new(true, trainer.step(), config.steps);
    trainer.run(run, &mut progress, &mut || false).unwrap();
}

#[test]
fn a_resumed_run_ends_with_the_same_bytes_as_a_straight_one() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(2)).unwrap();
    let straight = train(&folder.path().join("straight"), &config(40), &backend);

    // Half of it, then a new trainer that knows only what is on disk.
    let halves = folder.path().join("halves");
    train(&halves, &config(20), &backend);
    let (run, mut resumed) = RunDir::open(&halves).unwrap();
    assert_eq!(resumed, config(20));
    resumed.steps = 40;
    let mut trainer = trainer(&resumed, &backend);
    trainer.load(&checkpoint::newest(&run).unwrap()).unwrap();
    assert_eq!(trainer.step(), 20);
    run_to_the_end(&run, &mut trainer, &resumed);
    let resumed = std::fs::read(checkpoint::newest(&run).unwrap()).unwrap();
    assert!(straight == resumed, "the two checkpoints differ");
}

#[test]
fn a_plateau_schedule_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(2)).unwrap();
    // One look is enough patience, and the looks of so short a run rarely get better: the rates fall early.
    let config = |steps| Config {
        plateau_patience: Some(1),
        sample_every: 3,
        ..config(steps)
    };
    let straight = train(&folder.path().join("straight"), &config(20), &backend);
    let state = TensorFile::parse(&straight).unwrap().metadata["plateau"].clone();
    assert!(state.ends_with(" true"), "{state}");
    let rates = |run: &str| {
        let csv = std::fs::read_to_string(folder.path().join(run).join("metrics.csv")).unwrap();
        let last = csv.lines().last().unwrap().to_owned();
        last.split(',').skip(7).take(2).map(String::from).collect()
    };
    let last: Vec<String> = rates("straight");
    assert_eq!(last, ["3.000000e-4", "1.000000e-4"]);

    for half in [1, 4, 13] {
        let halves = folder.path().join(half.to_string());
        train(&halves, &config(half), &backend);
        let (run, _) = RunDir::open(&halves).unwrap();
        let mut trainer = trainer(&config(20), &backend);
        trainer.load(&checkpoint::newest(&run).unwrap()).unwrap();
        run_to_the_end(&run, &mut trainer, &config(20));
        let resumed = std::fs::read(checkpoint::newest(&run).unwrap()).unwrap();
        assert!(straight == resumed, "resumed at {half}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let train = |threads: usize| {
        let backend = Backend::cpu(Some(threads)).unwrap();
        train(
            &folder.path().join(threads.to_string()),
            &config(30),
            &backend,
        )
    };
    let one = train(1);
    assert!(one == train(2) && one == train(3));
}

#[test]
fn the_cpu_follows_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    let read = |bytes: &[u8]| TensorFile::parse(bytes).unwrap();
    let cpu = read(&train(
        &folder.path().join("cpu"),
        &config(20),
        &Backend::cpu(Some(1)).unwrap(),
    ));
    let reference = read(&train(
        &folder.path().join("ref"),
        &config(20),
        &Backend::Reference,
    ));
    for (name, tensor) in &cpu.tensors {
        for (a, b) in tensor.data().iter().zip(reference.tensors[name].data()) {
            // Adam divides by the gradient's size, so where a gradient is almost zero its rounding errors
            // become changes of the size of the learning rate, here up to 3e-3 a step.
            assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "{name}: {a} or {b}");
        }
    }
}

#[test]
fn a_known_run_has_its_known_losses() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(10);
    train(folder.path(), &config, &Backend::Reference);
    let csv = std::fs::read_to_string(folder.path().join("metrics.csv")).unwrap();
    let column = |i: usize| -> Vec<f64> {
        let lines = csv.lines().skip(1);
        lines
            .map(|line| line.split(',').nth(i).unwrap().parse().unwrap())
            .collect()
    };
    assert_eq!(
        column(0),
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    );
    for (name, i, known) in [
        ("loss_d", 1, LOSS_D),
        ("loss_g", 2, LOSS_G),
        ("energy", 5, ENERGY),
    ] {
        for (a, b) in column(i).into_iter().zip(known) {
            assert!(
                (a - b).abs() < 1e-5 * b.abs() + 1e-9,
                "{name}: {:?}",
                column(i)
            );
        }
    }
}

/// What the reference executor gave when it agreed with the oracle and finite differences.
const LOSS_D: [f64; 10] = [
    0.003488457,
    0.001946898,
    0.001634611,
    0.001671381,
    0.00115032,
    0.0009929155,
    0.0008863787,
    0.0007344277,
    0.001210874,
    0.001059109,
];
const LOSS_G: [f64; 10] = [
    -0.02237718,
    -0.01722438,
    -0.01170614,
    -0.006931168,
    -0.00288396,
    0.0002386723,
    0.003260307,
    0.00553238,
    0.007887367,
    0.009682386,
];
const ENERGY: [f64; 10] = [
    0.01892975, 0.02051439, 0.02240246, 0.02429298, 0.02632049, 0.02837433, 0.03130108, 0.03373922,
    0.03639423, 0.03970724,
];

#[test]
fn numbers_that_stop_being_finite_stop_the_run_and_keep_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(1)).unwrap();
    train(folder.path(), &config(10), &backend);
    let (run, _) = RunDir::open(folder.path()).unwrap();
    let good = checkpoint::newest(&run).unwrap();
    let poisoned = folder.path().join("poisoned.safetensors");
    let mut file = TensorFile::read(&good).unwrap();
    let bias = file.tensors.get_mut("discriminator.2.bias").unwrap();
    bias.data_mut()[0] = f32::INFINITY;
    file.write(&poisoned).unwrap();

    let config = config(40);
    let mut trainer = trainer(&config, &backend);
    trainer.load(&poisoned).unwrap();
    let mut progress = Progress::new(true, 10, config.steps);
    let error = trainer.run(&run, &mut progress, &mut || false).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("training diverged"), "{error}");
    assert!(error.contains("step-000000010.safetensors"), "{error}");
    assert_eq!(checkpoint::newest(&run).unwrap(), good);
}
