//! Runs on pictures: known answers, exact resume, the same bits for any number of threads, the files they write,
//! and what is said when something is wrong. All with tiny networks.

use std::path::{Path, PathBuf};

use crate::process::{refusal, run, text};
use coulomb_gan::data;
use coulomb_gan::exec::Backend;
use coulomb_gan::exec::cpu::{Device, Isa};
use coulomb_gan::models::dcgan::Norm;
use coulomb_gan::nn::Statistics;
use coulomb_gan::numbers::npy;
use coulomb_gan::train::presets::preset;
use coulomb_gan::train::tasks::TaskConfig;
use coulomb_gan::train::trainer::Trainer;
use coulomb_gan::train::watch::Unwatched;
use coulomb_gan::train::{Config, RunDir, kept, tasks};
use image::{Rgb, RgbImage};

/// Shapes of 16 pixels a side, so few that an epoch ends within a run.
fn config(steps: u64) -> Config {
    let mut config = preset("shapes").unwrap();
    config.preset = "test".into();
    config.steps = steps;
    config.decay_steps = 6;
    (config.batch_size, config.width, config.z_dim) = (8, 16, 4);
    (config.sample_every, config.checkpoint_every) = (4, 2);
    if let TaskConfig::Pictures(pictures) = &mut config.task {
        (pictures.side, pictures.count) = (16, 20);
    }
    config
}

/// The same with batch norm, whose running statistics are state too.
fn normed(steps: u64, sampling: Statistics) -> Config {
    let mut config = config(steps);
    if let TaskConfig::Pictures(pictures) = &mut config.task {
        (pictures.norm, pictures.bn_sampling) = (Norm::Batch, sampling);
    }
    config
}

/// Trains up to `config.steps`, from the newest checkpoint in `folder` if there is one; returns the last
/// checkpoint's bytes.
fn train(folder: &Path, config: &Config, backend: &Backend) -> Vec<u8> {
    let (run, mut config) = match folder.exists() {
        true => {
            let (run, found) = RunDir::open(folder).unwrap();
            let steps = config.steps;
            (run, Config { steps, ..found })
        }
        false => (
            RunDir::create(Some(folder), config).unwrap(),
            config.clone(),
        ),
    };
    let subject = tasks::open(&mut config, backend, &mut Unwatched).unwrap();
    run.write_config(&config).unwrap();
    let mut trainer = Trainer::new(&config, backend, subject).unwrap();
    if let Ok(newest) = kept::newest(&run) {
        trainer.load(&run, &newest).unwrap();
    }
    trainer.run(&run, &mut Unwatched).unwrap();
    std::fs::read(kept::newest(&run).unwrap()).unwrap()
}

#[test]
fn a_run_resumed_in_the_middle_of_an_epoch_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::cpu(Some(2)).unwrap();
    for (name, config) in [
        ("plain", config as fn(u64) -> Config),
        ("normed", |steps| normed(steps, Statistics::Running)),
    ] {
        let straight = folder.path().join(format!("{name}-straight"));
        let straight = train(&straight, &config(6), &backend);
        // 20 pictures in batches of 8: neither 1 nor 3 steps end an epoch.
        let parts = folder.path().join(format!("{name}-parts"));
        train(&parts, &config(1), &backend);
        train(&parts, &config(3), &backend);
        assert!(straight == train(&parts, &config(6), &backend), "{name}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let train = |threads: usize| {
        let backend = Backend::cpu(Some(threads)).unwrap();
        let folder = folder.path().join(threads.to_string());
        train(&folder, &normed(3, Statistics::Batch), &backend)
    };
    let one = train(1);
    assert!(one == train(2) && one == train(3));
}

#[test]
fn a_known_run_has_its_known_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let isas = Isa::available().into_iter();
    let cpus = isas.map(|isa| Backend::Cpu(Device::with_isa(Some(1), isa).unwrap()));
    for (i, backend) in cpus.chain([Backend::Reference]).enumerate() {
        let out = folder.path().join(i.to_string());
        train(&out, &config(4), &backend);
        check_known(&std::fs::read_to_string(out.join("metrics.csv")).unwrap());
    }
}

fn check_known(csv: &str) {
    let (head, line) = csv.trim_end().split_once('\n').unwrap();
    assert_eq!(
        head,
        "step,loss_d,loss_g,phi_real,phi_generated,energy,epsilon,d_error,lr_d,lr_g,frechet_random,\
         frechet_pixels,steps_per_s"
    );
    let found: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
    for ((name, a), known) in head.split(',').zip(&found).zip(KNOWN) {
        let apart = (a - known).abs();
        assert!(apart < 1e-3 * known.abs() + 1e-5, "{name}: {found:?}");
    }
}

/// The columns up to `lr_g`, as all executors gave them when layers and kernels agreed with their oracles. The
/// Fréchet distances have tests of their own.
const KNOWN: [f64; 10] = [
    4.0,
    0.009577457,
    -0.000840518,
    0.1554421,
    -0.1350417,
    0.1452419,
    1.0,
    0.92921,
    0.0003162278,
    0.0001581139,
];

/// A folder of so many small pictures, one colour each.
fn picture_folder(folder: &Path, count: u8) -> PathBuf {
    let data = folder.join(format!("pictures-{count}"));
    std::fs::create_dir(&data).unwrap();
    for i in 0..count {
        let picture = RgbImage::from_pixel(20, 18, Rgb([10 * i, 255 - 10 * i, 99]));
        picture.save(data.join(format!("{i:02}.png"))).unwrap();
    }
    data
}

/// Arguments of a run of 4 steps on `data` into `out`, with its cache beside it.
fn tiny(data: &Path, out: &Path) -> Vec<String> {
    let words = "--preset images --side 16 --width 16 --batch-size 4 --steps 4 --sample-every 2 --checkpoint-every 2 \
                 --z-dim 4";
    let cache = out.with_extension("cache");
    let paths = [("--data", data), ("--out", out), ("--cache", &cache)];
    let paths = paths.map(|(flag, path)| [flag.to_owned(), text(path).to_owned()]);
    words
        .split_whitespace()
        .map(String::from)
        .chain(paths.into_iter().flatten())
        .collect()
}

fn as_strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[test]
fn a_run_on_a_folder_leaves_what_the_documentation_promises() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let data = picture_folder(folder.path(), 9);
    std::fs::write(data.join("broken.png"), "no picture").unwrap();
    let out = at("run");
    let output = run("train", &as_strs(&tiny(&data, &out)));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("9 pictures of"), "{stderr}");
    assert!(
        stderr.contains("1 file skipped") && stderr.contains("broken.png"),
        "{stderr}"
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("frechet_random"), "{stdout}");
    assert!(stdout.contains("waited for pictures"), "{stdout}");
    for (file, size) in [
        (
            "samples/step-000000000.png",
            (12 + 526 + 12 + 526 + 12, 562),
        ),
        (
            "samples/step-000000004.png",
            (12 + 526 + 12 + 526 + 12, 562),
        ),
        ("samples.png", (16 * 66 - 2, 16 * 66 - 2)),
        ("interpolation.png", (10 * 66 - 2, 8 * 66 - 2)),
        ("training.gif", (12 + 526 + 12, 562)),
    ] {
        let picture = image::open(out.join(file)).unwrap();
        assert_eq!((picture.width(), picture.height()), size, "{file}");
    }
    let samples = npy::read(&out.join("samples.npy")).unwrap();
    assert_eq!(samples.shape()[..], [256, 3, 16, 16]);

    // Sampling: an array, a sheet, a folder of single pictures, a walk.
    let sample = |args: &[&str]| {
        let output = run("sample", &[&["--run", text(&out)], args].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    };
    sample(&["--count", "3", "--out", text(&at("a.npy"))]);
    let three = npy::read(&at("a.npy")).unwrap();
    assert_eq!(three.shape()[..], [3, 3, 16, 16]);
    // The end of the run has drawn the same ones.
    assert_eq!(three.data(), &samples.data()[..three.data().len()]);
    sample(&["--count", "3", "--out", text(&at("b.png"))]);
    assert_eq!(image::open(at("b.png")).unwrap().width(), 3 * 66 - 2);
    sample(&["--count", "3", "--out", text(&at("c"))]);
    let single = image::open(at("c/0002.png")).unwrap();
    assert_eq!((single.width(), single.height()), (16, 16));
    assert!(!at("c/0003.png").exists());
    // The sheet is no picture among the samples.
    assert!(at("c-sheet.png").is_file());
    assert_eq!(std::fs::read_dir(at("c")).unwrap().count(), 3);
    // None of all that becomes data by accident: not b.png, c, and its sheet.
    let cache = at("cache");
    let options = data::Options {
        side: 16,
        crop: data::Crop::Center,
        cache: Some(&cache),
    };
    let all = data::open(folder.path(), &options, &mut |_, _| {}).unwrap();
    assert_eq!(all.pictures.len(), 9, "{:?}", all.notes);
    let is_said = |words: &str| all.notes.iter().any(|note| note.contains(words));
    assert!(
        is_said("left out 5 pictures") && is_said("1 folder of this program's own runs"),
        "{:?}",
        all.notes
    );
    sample(&[
        "--interpolate",
        "5",
        "--count",
        "2",
        "--out",
        text(&at("d.png")),
    ]);
    let walks = image::open(at("d.png")).unwrap();
    assert_eq!((walks.width(), walks.height()), (5 * 66 - 2, 2 * 66 - 2));
    let args = ["--run", text(&out), "--count", "9999999", "--out", "x.npy"];
    assert!(refusal("sample", &args, 2).contains("4 GiB"));

    let output = run(
        "evaluate",
        &["--run", text(&out), "--count", "40", "--json"],
    );
    let judgement: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&judgement["step"], &judgement["samples"]),
        (&4.into(), &40.into())
    );
    assert!(judgement["frechet_random"].as_f64().unwrap() > 0.0);

    // Pixels that a disk has lost are found out, and then decoded again.
    let is_pictures = |path: &PathBuf| path.extension().is_some_and(|e| e == "pictures");
    let files = std::fs::read_dir(out.with_extension("cache")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    for file in files.filter(is_pictures) {
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[100..600].fill(7);
        std::fs::write(&file, bytes).unwrap();
    }
    let args = ["--run", text(&out), "--count", "40", "--json"];
    let output = run("evaluate", &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("is not what was written there"), "{stderr}");
    let again: serde_json::Value = serde_json::from_slice(&run("evaluate", &args).stdout).unwrap();
    assert_eq!(again, judgement);

    // Going on: the data may have moved, but must be the same.
    let moved = at("moved");
    std::fs::rename(&data, &moved).unwrap();
    let resume = ["--resume", text(&out), "--steps", "6", "--quiet"];
    assert!(refusal("train", &resume, 1).contains("pictures-9"));
    let fewer = picture_folder(folder.path(), 8);
    let message = refusal(
        "train",
        &[&resume[..], &["--data", text(&fewer)]].concat(),
        1,
    );
    assert!(
        message.contains("8 pictures") && message.contains("has 9"),
        "{message}"
    );
    std::fs::write(out.join("samples/step-000000002.png"), "cut off").unwrap();
    let output = run("train", &[&resume[..], &["--data", text(&moved)]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        stdout.contains("training.gif is without 1 of its frames: ")
            && stdout.contains("step-000000002.png is damaged or of another size"),
        "{stdout}"
    );
    // Only what affects the result is said: the damaged file.
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    assert!(
        stderr.contains("broken.png") && stderr.contains("are few"),
        "{stderr}"
    );
    assert!(out.join("checkpoints/step-000000006.safetensors").is_file());

    // With other pictures, if that is meant.
    let args = [
        "--resume",
        text(&out),
        "--steps",
        "8",
        "--quiet",
        "--new-data",
        "--data",
        text(&fewer),
    ];
    let output = run("train", &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.contains("other data than it has had"),
        "{stderr}"
    );
    let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(config.contains("count = 8"), "{config}");
    // evaluate finds them where they are now, too.
    let again = at("again");
    std::fs::rename(&fewer, &again).unwrap();
    let args = ["--run", text(&out), "--count", "40", "--json"];
    assert!(refusal("evaluate", &args, 1).contains("pictures-8"));
    let output = run("evaluate", &[&args[..], &["--data", text(&again)]].concat());
    assert!(output.status.success());
}

#[test]
fn shapes_need_no_data_and_their_kinds_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let words = "--preset shapes --side 16 --width 16 --batch-size 4 --steps 2 --quiet --schedule plateau --out";
    let args: Vec<&str> = words.split_whitespace().chain([text(&out)]).collect();
    let output = run("train", &args);
    assert!(output.status.success());
    let output = run(
        "evaluate",
        &["--run", text(&out), "--count", "64", "--json"],
    );
    let judgement: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(judgement["shapes"]["samples"], 64);
}

#[test]
fn nonsense_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new");
    let refuse = |args: &str, code: i32, word: &str| {
        let args: Vec<&str> = args
            .split_whitespace()
            .chain(["--quiet", "--out", text(&new)])
            .collect();
        let message = refusal("train", &args, code);
        assert!(message.contains(word), "{message}");
        assert!(!new.exists(), "{args:?} left a folder");
    };
    refuse("--preset cifar10", 2, "--data PATH");
    refuse("--preset images --side 48", 2, "--side must be 16");
    refuse("--preset images --side -1", 2, "--side");
    refuse(
        "--preset images --width 24",
        2,
        "--width must be a multiple of 16",
    );
    refuse("--preset images --norm group", 2, "none, batch or layer");
    refuse("--preset images --output relu", 2, "tanh or lecun");
    refuse("--preset images --crop left", 2, "center or celeba");
    refuse("--preset images --bn-sampling none", 2, "running or batch");
    refuse(
        "--preset images --norm batch --batch-size 1",
        2,
        "--batch-size",
    );
    refuse("--preset images --batch-size 9999", 2, "too much memory");
    refuse("--preset images --bias-range 3", 2, "--bias-range");
    refuse("--preset images --patience 0", 2, "--patience");
    refuse(
        "--preset shapes --data x",
        2,
        "--preset shapes, which makes its own data",
    );
    refuse("--data x", 2, "add --preset images");
    refuse(
        "--preset shapes --crop center",
        2,
        "of no use with --preset shapes",
    );
    for flag in [
        "--side 32",
        "--norm none",
        "--output tanh",
        "--bn-sampling batch",
        "--cache x",
    ] {
        refuse(flag, 2, "of no use with --preset mixture");
    }
    let nowhere = folder.path().join("nowhere");
    refuse(
        &format!("--preset images --data {}", text(&nowhere)),
        1,
        "nowhere",
    );
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let cache = text(folder.path());
    refuse(
        &format!("--preset images --cache {cache} --data {}", text(&empty)),
        1,
        "empty",
    );
}

#[test]
fn explain_needs_no_data() {
    let output = run("train", &["--preset", "cifar10-released", "--explain"]);
    let explained = String::from_utf8(output.stdout).unwrap();
    for word in [
        "generator.layers.0",
        "d discriminator.layers.0",
        "potential",
    ] {
        assert!(explained.contains(word), "{word}");
    }
}
