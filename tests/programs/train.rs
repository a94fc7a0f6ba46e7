//! A whole training run through the library: known answers, exact resume, and the same bits for any number
//! of threads.

use std::path::Path;

use coulomb_gan::exec::{Backend, Executor, Precision};
use coulomb_gan::numbers::tensor_file::TensorFile;
use coulomb_gan::numbers::{Error, Result, Tensor};
use coulomb_gan::optim::schedule::Schedule;
use coulomb_gan::train::method::Method;
use coulomb_gan::train::presets::preset;
use coulomb_gan::train::sampler::Source;
use coulomb_gan::train::tasks::mixture::MixtureTask;
use coulomb_gan::train::tasks::{End, Finished, Report, Subject, TaskConfig};
use coulomb_gan::train::trainer::Trainer;
use coulomb_gan::train::watch::{Hear, Status, Unwatched, Watch};
use coulomb_gan::train::{Config, RunDir, kept, tasks};

/// A run small enough for a test, with every option in use.
fn config(steps: u64) -> Config {
    Config {
        preset: "test".into(),
        backend: Executor::Cpu,
        objective: Method::Coulomb,
        critic_steps: 1,
        precision: Precision::Single,
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
        beta1: 0.5,
        weight_decay: 1e-4,
        potential_scale: 10.0,
        ball: 0.5,
        average: 0.9,
        checkpoint_every: 7,
        keep: 3,
        keep_every: 10,
        sample_every: 5,
        schedule: Schedule::Exponential { lr_final: 0.01 },
        task: TaskConfig::Mixture(MixtureTask { bias_range: 5.0 }),
    }
}

fn trainer(config: &Config, backend: &Backend) -> Trainer {
    let mut config = config.clone();
    let subject = tasks::open(&mut config, backend, &mut Unwatched).unwrap();
    Trainer::new(&config, backend, subject).unwrap()
}

/// Trains to the end and returns the last checkpoint's bytes.
fn train(folder: &Path, config: &Config, backend: &Backend) -> Vec<u8> {
    let run = RunDir::create(Some(folder), config).unwrap();
    let mut trainer = trainer(config, backend);
    run_to_the_end(&run, &mut trainer);
    std::fs::read(kept::newest(&run).unwrap()).unwrap()
}

fn run_to_the_end(run: &RunDir, trainer: &mut Trainer) {
    trainer.run(run, &mut Unwatched).unwrap();
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
    trainer.load(&run, &kept::newest(&run).unwrap()).unwrap();
    assert_eq!(trainer.step(), 20);
    run_to_the_end(&run, &mut trainer);
    let resumed = std::fs::read(kept::newest(&run).unwrap()).unwrap();
    assert!(straight == resumed, "the two checkpoints differ");
}

#[test]
fn rivals_keep_the_same_promises() {
    for (objective, critic_steps) in [
        (Method::Gan, 1),
        (Method::WganGp, 1),
        (Method::WganGp, 3),
        (Method::Began, 1),
        (Method::Mmd, 1),
        (Method::Mmd, 2),
    ] {
        let config = |steps| {
            let mut config = config(steps);
            objective.adapt(&mut config);
            Config {
                critic_steps,
                ..config
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let one = Backend::cpu(Some(1)).unwrap();
        let three = Backend::cpu(Some(3)).unwrap();
        let straight = train(&folder.path().join("straight"), &config(12), &one);
        let csv = std::fs::read_to_string(folder.path().join("straight/metrics.csv")).unwrap();
        let head = csv.lines().next().unwrap();
        let own = objective.objective(&config(12)).columns().join(",");
        assert!(head.starts_with(&format!("step,loss_d,loss_g,{own},lr_d,lr_g,")));
        let halves = folder.path().join("halves");
        train(&halves, &config(5), &three);
        let (run, _) = RunDir::open(&halves).unwrap();
        let mut trainer = trainer(&config(12), &three);
        trainer.load(&run, &kept::newest(&run).unwrap()).unwrap();
        run_to_the_end(&run, &mut trainer);
        let resumed = std::fs::read(kept::newest(&run).unwrap()).unwrap();
        assert!(straight == resumed, "{objective:?}");
        // What an objective keeps for itself is as old as the rest.
        let file = TensorFile::parse(&straight).unwrap();
        for state in objective.objective(&config(12)).states() {
            assert_ne!(file.tensors[&state.name].data(), [0.0]);
        }
        // The players have moved, and differently than Algorithm 1 would move them.
        let other = train(&folder.path().join("coulomb"), &self::config(12), &one);
        let weights = |bytes: &[u8]| {
            let file = TensorFile::parse(bytes).unwrap();
            file.tensors["generator.0.weight"].data().to_vec()
        };
        assert_ne!(weights(&straight), weights(&other));
    }
}

/// A loader that is asked for another minibatch than the next begins anew: a round asks for one after the other, whichever
/// of its parts take them.
#[test]
fn minibatches_come_in_turn() {
    let backend = Backend::cpu(Some(1)).unwrap();
    for (objective, critic_steps, taken) in [
        (Method::Coulomb, 1, 4),
        (Method::WganGp, 3, 12),
        (Method::Mmd, 2, 12),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(4);
        objective.adapt(&mut config);
        config.critic_steps = critic_steps;
        let run = RunDir::create(Some(&folder.path().join("run")), &config).unwrap();
        let inner = tasks::open(&mut config.clone(), &backend, &mut Unwatched).unwrap();
        let subject = Box::new(Faulty {
            inner,
            fault: Fault::BatchOutOfTurn,
            at: taken,
            step: 0,
            batches: 0,
        });
        let mut trainer = Trainer::new(&config, &backend, subject).unwrap();
        run_to_the_end(&run, &mut trainer);
    }
}

/// What earlier versions wrote had no table `[task]`, and then no table `[schedule]`.
#[test]
fn configurations_of_earlier_versions_still_load() {
    for (name, text) in [
        (
            "mixture",
            include_str!("../fixtures/config/earlier-mixture.toml"),
        ),
        (
            "shapes",
            include_str!("../fixtures/config/earlier-shapes.toml"),
        ),
        (
            "images",
            include_str!("../fixtures/config/earlier-images.toml"),
        ),
    ] {
        let config = Config::parse(text).unwrap();
        assert_eq!(config, preset(name).unwrap());
        // They are written as today's are.
        let text = config.to_toml().unwrap();
        for table in ["task", "schedule"] {
            assert!(text.contains(&format!("[{table}]\nkind = ")), "{text}");
        }
        assert_eq!(Config::parse(&text).unwrap(), config);
    }
    for (text, why) in [
        ("[task]\nkind = \"music\"", "music"),
        ("bias_range = 3.0", "missing field"),
    ] {
        let error = Config::parse(text).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_plateau_schedule_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(2)).unwrap();
    // One look is enough patience, and the looks of so short a run rarely get better: the rates fall early.
    let config = |steps| Config {
        schedule: Schedule::Plateau { patience: 1 },
        sample_every: 3,
        ..config(steps)
    };
    let straight = train(&folder.path().join("straight"), &config(20), &backend);
    let state = TensorFile::parse(&straight).unwrap().metadata["plateau"].clone();
    assert!(state.ends_with(" true"), "{state}");
    let rates = |run: &str| {
        let csv = std::fs::read_to_string(folder.path().join(run).join("metrics.csv")).unwrap();
        let last = csv.lines().last().unwrap().to_owned();
        last.split(',').skip(8).take(2).map(String::from).collect()
    };
    let last: Vec<String> = rates("straight");
    assert_eq!(last, ["3.000000e-4", "1.000000e-4"]);

    for half in [1, 4, 13] {
        let halves = folder.path().join(half.to_string());
        train(&halves, &config(half), &backend);
        let (run, _) = RunDir::open(&halves).unwrap();
        let mut trainer = trainer(&config(20), &backend);
        trainer.load(&run, &kept::newest(&run).unwrap()).unwrap();
        run_to_the_end(&run, &mut trainer);
        let resumed = std::fs::read(kept::newest(&run).unwrap()).unwrap();
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
    let good = kept::newest(&run).unwrap();
    let poisoned = folder.path().join("poisoned.safetensors");
    let mut file = TensorFile::read(&good).unwrap();
    let bias = file.tensors.get_mut("discriminator.2.bias").unwrap();
    bias.data_mut()[0] = f32::INFINITY;
    file.write(&poisoned).unwrap();

    let config = config(40);
    let mut trainer = trainer(&config, &backend);
    trainer.load(&run, &poisoned).unwrap();
    let error = trainer.run(&run, &mut Unwatched).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("training diverged"), "{error}");
    assert!(error.contains("step-000000010.safetensors"), "{error}");
    assert_eq!(kept::newest(&run).unwrap(), good);
}

/// What goes wrong in a [`Faulty`] subject.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    BatchFails,
    BatchOutOfTurn,
    BatchPanics,
    LookFails,
    DrawPanics,
    LookPanics,
}

/// A subject with a fault from a step on.
struct Faulty {
    inner: Box<dyn Subject>,
    fault: Fault,
    at: u64,
    step: u64,
    batches: u64,
}

impl Subject for Faulty {
    fn fill_batch(&mut self, step: u64, y: &mut [f32]) -> Result<()> {
        let (last, is_first) = (self.step, self.batches == 0);
        self.step = step;
        self.batches += 1;
        match self.fault {
            Fault::BatchOutOfTurn if step >= self.at || !is_first && step != last + 1 => {
                Err(Error::failure(format!("{step} comes after {last}")))
            }
            Fault::BatchFails if step >= self.at => Err(Error::failure("the disk is gone")),
            Fault::BatchPanics if step >= self.at => panic!("the thread is gone"),
            _ => self.inner.fill_batch(step, y),
        }
    }

    fn fill_gauge(&self, step: u64, y: &mut [f32]) -> Result<()> {
        self.inner.fill_gauge(step, y)
    }

    fn gauge_points(&self) -> usize {
        self.inner.gauge_points()
    }

    fn look(&mut self, source: &mut Source) -> Result<()> {
        match self.fault {
            Fault::LookFails if self.step > 0 => Err(Error::failure("nothing to judge with")),
            Fault::LookPanics if self.step >= self.at => panic!("the judge is gone"),
            _ => self.inner.look(source),
        }
    }

    fn draw_look(&self, step: u64) -> image::RgbImage {
        match self.fault {
            Fault::DrawPanics if self.step >= self.at => panic!("no colours left"),
            _ => self.inner.draw_look(step),
        }
    }

    fn columns(&self) -> &'static [&'static str] {
        self.inner.columns()
    }

    fn values(&self) -> Vec<f64> {
        self.inner.values()
    }

    fn status(&self) -> String {
        self.inner.status()
    }

    fn tracked(&self) -> f64 {
        self.inner.tracked()
    }

    fn finish(&mut self, end: End) -> Result<Finished> {
        self.inner.finish(end)
    }

    fn judge(&mut self, samples: &Tensor) -> Result<Report> {
        self.inner.judge(samples)
    }
}

/// Remembers the warnings, and may do something when the steps begin.
#[derive(Default)]
struct Witness {
    warnings: Vec<String>,
    at_the_beginning: Option<Box<dyn FnOnce() + Send>>,
}

impl Hear for Witness {
    fn say(&mut self, _: &str) {}

    fn warn(&mut self, text: &str) {
        self.warnings.push(text.into());
    }
}

impl Watch for Witness {
    fn begin(&mut self, _: u64) {
        if let Some(act) = self.at_the_beginning.take() {
            act();
        }
    }

    fn is_due(&self) -> bool {
        false
    }

    fn show(&mut self, _: &Status) {}

    fn is_asked_to_stop(&self) -> bool {
        false
    }
}

#[test]
fn what_breaks_down_on_the_way_is_saved_first() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(1)).unwrap();
    let config = config(30);
    let straight = |steps| {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            steps,
            ..config.clone()
        };
        train(&folder.path().join("run"), &config, &backend)
    };
    for (fault, words, reached) in [
        (Fault::BatchFails, "the disk is gone; step 9 is saved", 9),
        (Fault::BatchPanics, "the thread is gone; step 9 is saved", 9),
        (Fault::LookPanics, "the judge is gone; step 10 is saved", 10),
        (Fault::LookFails, "nothing to judge with", 30),
        (Fault::DrawPanics, "no colours left; step 10 is saved", 10),
    ] {
        let out = folder.path().join(format!("{fault:?}"));
        let run = RunDir::create(Some(&out), &config).unwrap();
        let mut own = config.clone();
        let inner = tasks::open(&mut own, &backend, &mut Unwatched).unwrap();
        let subject = Box::new(Faulty {
            inner,
            fault,
            at: 9,
            step: 0,
            batches: 0,
        });
        let mut trainer = Trainer::new(&config, &backend, subject).unwrap();
        let mut witness = Witness::default();
        let result = trainer.run(&run, &mut witness);
        let newest = kept::newest(&run).unwrap();
        let name = format!("step-{reached:09}.safetensors");
        assert!(newest.ends_with(&name), "{fault:?}: {}", newest.display());
        match reached {
            30 => {
                result.unwrap();
                let warnings = witness.warnings.join("\n");
                assert!(warnings.contains(words), "{fault:?}: {warnings}");
            }
            _ => {
                let error = result.unwrap_err().to_string();
                assert!(error.contains(words), "{error}");
                // What is saved is what an undisturbed run has there.
                let saved = TensorFile::read(&newest).unwrap().tensors;
                let undisturbed = TensorFile::parse(&straight(reached)).unwrap().tensors;
                assert!(saved == undisturbed, "{fault:?}");
            }
        }
    }
}

#[test]
fn looks_that_cannot_be_written_are_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(1)).unwrap();
    let config = config(12);
    let run = RunDir::create(Some(&folder.path().join("run")), &config).unwrap();
    let mut trainer = trainer(&config, &backend);
    let samples = run.file("samples");
    let mut witness = Witness {
        at_the_beginning: Some(Box::new(move || {
            std::fs::remove_dir_all(&samples).unwrap();
            std::fs::write(&samples, "no folder").unwrap();
        })),
        ..Witness::default()
    };
    trainer.run(&run, &mut witness).unwrap();
    let warnings = witness.warnings.join("\n");
    assert!(
        warnings.contains("no look at the samples of step 5"),
        "{warnings}"
    );
    let newest = kept::newest(&run).unwrap();
    assert!(newest.ends_with("step-000000012.safetensors"));
}

#[test]
fn a_run_whose_folder_is_gone_saves_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(1)).unwrap();
    let config = config(12);
    let out = folder.path().join("gone");
    let run = RunDir::create(Some(&out), &config).unwrap();
    let mut trainer = trainer(&config, &backend);
    let sabotage = out.clone();
    let mut witness = Witness {
        at_the_beginning: Some(Box::new(move || {
            // A file where the folder was: nothing can be made there.
            std::fs::remove_dir_all(&sabotage).unwrap();
            std::fs::write(&sabotage, "no folder").unwrap();
        })),
        ..Witness::default()
    };
    let error = trainer.run(&run, &mut witness).unwrap_err().to_string();
    let (_, rest) = error.split_once("step 12 is saved as ").expect(&error);
    let (path, _) = rest.split_once(" instead").unwrap();
    let saved = TensorFile::read(Path::new(path)).unwrap();
    assert_eq!(saved.metadata["step"], "12");
    // What it lies in is a run that goes on.
    let refuge = trainer.refuge().unwrap().to_owned();
    let (other, found) = RunDir::open_to_train(&refuge).unwrap();
    assert_eq!(kept::newest(&other).unwrap(), Path::new(path));
    assert_eq!(found, config);
    std::fs::remove_dir_all(refuge).unwrap();
    // Looks, lines and checkpoints had warned before.
    assert!(
        witness
            .warnings
            .iter()
            .any(|w| w.contains("tries again at least every"))
    );
    assert!(witness.warnings.iter().any(|w| w.contains("metrics.csv")));
}

#[test]
fn a_run_without_a_checkpoint_yet_goes_on_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(1)).unwrap();
    let straight = train(&folder.path().join("straight"), &config(20), &backend);
    let out = folder.path().join("killed");
    drop(RunDir::create(Some(&out), &config(20)).unwrap());
    let (run, config) = RunDir::open_to_train(&out).unwrap();
    assert!(kept::Which::Latest.find(&run).unwrap().is_none());
    run_to_the_end(&run, &mut trainer(&config, &backend));
    assert!(straight == std::fs::read(kept::newest(&run).unwrap()).unwrap());
}

#[test]
fn seeds_beyond_what_toml_can_count_survive() {
    for seed in [0, 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        let config = Config { seed, ..config(1) };
        let text = config.to_toml().unwrap();
        assert_eq!(Config::parse(&text).unwrap(), config, "{text}");
    }
}

#[test]
fn runs_of_earlier_versions_keep_all_they_have() {
    let text = config(1).to_toml().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("keep"));
    let earlier = lines.collect::<Vec<_>>().join("\n");
    let config = Config::parse(&earlier).unwrap();
    assert_eq!((config.keep, config.keep_every), (0, 0));
}

#[test]
fn a_run_that_was_broken_off_before_it_began_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    std::fs::create_dir_all(out.join("checkpoints")).unwrap();
    std::fs::create_dir(out.join("samples")).unwrap();
    for name in [".lock", ".writing-1-0"] {
        std::fs::write(out.join(name), "x").unwrap();
    }
    drop(RunDir::create(Some(&out), &config(1)).unwrap());
    assert!(out.join("config.toml").is_file() && !out.join(".writing-1-0").exists());
    // But a folder with something in it is somebody's.
    let out = folder.path().join("other");
    std::fs::create_dir_all(out.join("samples")).unwrap();
    std::fs::write(out.join("samples/holiday.png"), "x").unwrap();
    let error = RunDir::create(Some(&out), &config(1)).unwrap_err();
    assert!(error.to_string().contains("already holds files"), "{error}");
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1);
}

#[test]
fn a_state_from_outside_the_run_is_saved_in_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(1)).unwrap();
    let out = folder.path().join("run");
    // As after a full disk: the last state lies elsewhere, and it is that of the last step.
    let last = train(&out, &config(20), &backend);
    let elsewhere = folder.path().join("state.safetensors");
    let (run, config) = RunDir::open_to_train(&out).unwrap();
    std::fs::rename(kept::newest(&run).unwrap(), &elsewhere).unwrap();
    let mut trainer = trainer(&config, &backend);
    trainer.load(&run, &elsewhere).unwrap();
    assert_eq!(trainer.saved_elsewhere(), Some(elsewhere.as_path()));
    run_to_the_end(&run, &mut trainer);
    assert_eq!(trainer.saved_elsewhere(), None);
    assert!(last == std::fs::read(kept::newest(&run).unwrap()).unwrap());
}

#[test]
fn going_back_leaves_no_name_that_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(1)).unwrap();
    train(folder.path(), &config(20), &backend);
    let (run, _) = RunDir::open_to_train(folder.path()).unwrap();
    let latest = || std::fs::read_to_string(run.file("checkpoints/latest")).unwrap();
    assert_eq!(latest(), "step-000000020.safetensors\n");
    run.set_aside(7).unwrap().expect("a folder");
    assert_eq!(latest(), "step-000000007.safetensors\n");
    // As after a kill between the two writes.
    std::fs::write(
        run.file("checkpoints/latest"),
        "step-000000000.safetensors\n",
    )
    .unwrap();
    drop(run);
    let (run, _) = RunDir::open_to_train(folder.path()).unwrap();
    let latest = std::fs::read_to_string(run.file("checkpoints/latest")).unwrap();
    assert_eq!(latest, "step-000000007.safetensors\n");
}
