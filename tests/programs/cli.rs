//! The programs as a user meets them: files they write, sentences they end in, exit codes.

use std::path::{Path, PathBuf};

use crate::process::{program, refusal, run, text};
use coulomb_gan::exec::cpu::Isa;

/// A short run that touches everything.
fn short_run(folder: &Path) -> PathBuf {
    let out = folder.join("run");
    let output = program("train")
        .args([
            "--steps",
            "40",
            "--decay-steps",
            "80",
            "--width",
            "16",
            "--batch-size",
            "16",
        ])
        .args([
            "--checkpoint-every",
            "20",
            "--sample-every",
            "10",
            "--quiet",
            "--out",
        ])
        .arg(&out)
        .output()
        .expect("train starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    out
}

#[test]
fn a_run_leaves_what_the_documentation_promises() {
    let folder = tempfile::tempdir().unwrap();
    let out = short_run(folder.path());
    for file in [
        "config.toml",
        "metrics.csv",
        "checkpoints/step-000000000.safetensors",
        "checkpoints/step-000000020.safetensors",
        "checkpoints/step-000000040.safetensors",
        "checkpoints/latest",
        "samples/step-000000000.png",
        "samples/step-000000040.png",
        "samples.npy",
        "scatter.png",
        "density.png",
        "field.png",
        "training.gif",
        "particles.gif",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let latest = std::fs::read_to_string(out.join("checkpoints/latest")).unwrap();
    assert_eq!(latest.trim(), "step-000000040.safetensors");
    let csv = std::fs::read_to_string(out.join("metrics.csv")).unwrap();
    assert!(csv.starts_with("step,loss_d,loss_g,"));
    assert_eq!(csv.lines().count(), 41);
    let columns = csv.lines().map(|line| line.split(',').count());
    assert!(columns.collect::<Vec<_>>().windows(2).all(|w| w[0] == w[1]));

    // Going on: the resumed run equals a straight one, and says nothing it should not.
    let output = run(
        "train",
        &["--resume", text(&out), "--steps", "80", "--quiet"],
    );
    assert!(output.status.success());
    let straight = folder.path().join("straight");
    let output = run(
        "train",
        &[
            "--steps",
            "80",
            "--width",
            "16",
            "--batch-size",
            "16",
            "--checkpoint-every",
            "20",
            "--sample-every",
            "10",
            "--quiet",
            "--threads",
            "1",
            "--out",
            text(&straight),
        ],
    );
    assert!(output.status.success());
    let last = "checkpoints/step-000000080.safetensors";
    let read = |run: &Path| std::fs::read(run.join(last)).unwrap();
    assert!(
        read(&out) == read(&straight),
        "resumed and straight checkpoints differ"
    );

    // Sampling: equal seeds, equal bytes; latents in, points out.
    let sample = |args: &[&str]| {
        let output = run("sample", &[&["--run", text(&out)], args].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
    };
    let at = |name: &str| folder.path().join(name);
    sample(&[
        "--count",
        "1500",
        "--seed",
        "7",
        "--out",
        text(&at("a.npy")),
    ]);
    sample(&[
        "--count",
        "1500",
        "--seed",
        "7",
        "--out",
        text(&at("b.npy")),
    ]);
    let read = |name: &str| std::fs::read(at(name)).unwrap();
    assert_eq!(read("a.npy"), read("b.npy"));
    sample(&["--count", "10", "--out", text(&at("c.png"))]);
    sample(&["--count", "10", "--out", text(&at("d"))]);
    assert!(
        at("c.png").is_file() && at("d/samples.npy").is_file() && at("d/samples.png").is_file()
    );
    sample(&["--interpolate", "4", "--out", text(&at("walks.npy"))]);
    let walks = coulomb_gan::numbers::npy::read(&at("walks.npy")).unwrap();
    assert_eq!(walks.shape()[..], [8 * 4, 2]);
    let z = coulomb_gan::numbers::Tensor::zeros([3, 8]);
    coulomb_gan::numbers::npy::write(&at("z.npy"), &z).unwrap();
    sample(&["--latents", text(&at("z.npy")), "--out", text(&at("e.npy"))]);
    let points = coulomb_gan::numbers::npy::read(&at("e.npy")).unwrap();
    assert_eq!(points.shape()[..], [3, 2]);

    let output = run(
        "evaluate",
        &["--run", text(&out), "--count", "500", "--json"],
    );
    let judgement: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(judgement["step"], 80);
    assert_eq!(judgement["samples"], 500);
    assert!(run("evaluate", &["--run", text(&out)]).status.success());
}

#[test]
fn nonsense_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let used = folder.path().join("used");
    std::fs::create_dir(&used).unwrap();
    std::fs::write(used.join("file"), "x").unwrap();
    let new = folder.path().join("new");
    let refuse = |args: &[&str], word: &str| {
        let message = refusal("train", &[args, &["--out", text(&new)]].concat(), 2);
        assert!(message.contains(word), "{message}");
        assert!(!new.exists(), "{args:?} left a folder");
    };
    refuse(&["--preset", "mixtrue"], "did you mean mixture?");
    refuse(&["--steps", "0"], "--steps");
    refuse(&["--batch-size", "-5"], "--batch-size");
    refuse(&["--batch-size", "99999999"], "--batch-size");
    refuse(&["--width", "0"], "--width");
    refuse(
        &["--width", "4096", "--batch-size", "65536"],
        "times --width",
    );
    refuse(
        &["--kernel-dim", "16", "--epsilon", "0.001"],
        "--kernel-dim",
    );
    refuse(
        &["--kernel-dim", "17"],
        "--kernel-dim must be a whole number from 1 to 16",
    );
    refuse(&["--epsilon", "-1"], "--epsilon");
    refuse(&["--epsilon", "nan"], "--epsilon");
    refuse(&["--lr-g", "inf"], "--lr-g");
    refuse(&["--threads", "0"], "--threads");
    refuse(&["--seed", "-1"], "--seed");
    refuse(&["--data", "pictures"], "add --preset images");
    refuse(&["--steps", "abc"], "such as 5000, 100k or 1e6, not abc");
    refuse(&["--resume", "x"], "leave it out");
    refuse(&["--schedule", "linear"], "--schedule linear");
    refuse(&["--patience", "3"], "--schedule plateau");
    refuse(
        &["--schedule", "exponential", "--patience", "3"],
        "--schedule plateau",
    );
    refuse(&["--schedule", "plateau", "--patience", "0"], "--patience");
    refuse(
        &["--schedule", "plateau", "--lr-final", "0.1"],
        "without --schedule exponential",
    );
    refuse(&["--lr-final", "2"], "--lr-final must be from");
    refuse(&["--backend", "abacus"], "abacus");
    let message = refusal("train", &["--out", text(&used)], 2);
    assert!(message.contains("already holds files"), "{message}");
    assert_eq!(run("train", &["--stesp", "5"]).status.code(), Some(2));
    // What a run is stays fixed: a hyperparameter beside --resume must not be ignored in silence.
    let message = refusal("train", &["--resume", text(&used), "--lr-g", "0.1"], 1);
    assert!(message.contains("no config.toml"), "{message}");
    std::fs::write(used.join("config.toml"), "").unwrap();
    let message = refusal("train", &["--out", text(&used)], 2);
    assert!(message.contains("--resume"), "{message}");
}

#[test]
fn files_that_do_not_play_along_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    for name in ["evaluate", "sample"] {
        let extra: &[&str] = if name == "sample" {
            &["--out", "x.npy"]
        } else {
            &[]
        };
        let message = refusal(name, &[&["--run", text(&nowhere)], extra].concat(), 1);
        assert!(message.contains("nowhere"), "{message}");
    }
    refusal("train", &["--resume", text(&nowhere)], 1);
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    refusal("train", &["--out", text(&file.join("run"))], 1);

    let out = short_run(folder.path());
    let checkpoint = out.join("checkpoints/step-000000040.safetensors");
    let good = std::fs::read(&checkpoint).unwrap();
    let resume = |word: &str| {
        let args = ["--resume", text(&out), "--steps", "60", "--quiet"];
        let message = refusal("train", &args, 1);
        assert!(message.contains(word), "{message}");
        refusal("evaluate", &["--run", text(&out)], 1);
    };
    std::fs::write(&checkpoint, &good[..good.len() / 2]).unwrap();
    resume("step-000000040.safetensors is not a complete safetensors file");
    resume("step-000000020.safetensors, which --resume and --run take");
    std::fs::write(&checkpoint, "GIF89a").unwrap();
    resume("not a complete safetensors file");
    let mut foreign = coulomb_gan::numbers::tensor_file::TensorFile::parse(&good).unwrap();
    foreign.metadata.clear();
    foreign.write(&checkpoint).unwrap();
    resume("not written by this program");

    // The same run, but its configuration says that the networks are wider.
    std::fs::write(&checkpoint, &good).unwrap();
    let config = out.join("config.toml");
    let text_of_config = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text_of_config.replace("width = 16", "width = 17")).unwrap();
    resume("another architecture");
    std::fs::write(&config, text_of_config.replace("seed = 1", "seed = 2")).unwrap();
    resume("another seed");
    std::fs::write(&config, text_of_config.replace("width = 16", "width = -1")).unwrap();
    resume("config.toml");
    std::fs::write(&config, "wdith = 16").unwrap();
    resume("config.toml");
    std::fs::write(&config, text_of_config).unwrap();

    let message = refusal(
        "train",
        &["--resume", text(&out), "--steps", "30", "--quiet"],
        2,
    );
    assert!(message.contains("the 40 steps"), "{message}");

    // A line cut off by a full disk is dropped, and a lost table is begun again.
    let metrics = out.join("metrics.csv");
    let lines = std::fs::read_to_string(&metrics).unwrap();
    for broken in [
        format!("{lines}12"),
        lines.replace("step,", ""),
        String::new(),
    ] {
        std::fs::write(&metrics, broken).unwrap();
        assert!(
            run("train", &["--resume", text(&out), "--quiet"])
                .status
                .success()
        );
        let repaired = std::fs::read_to_string(&metrics).unwrap();
        assert!(repaired.starts_with("step,loss_d") && repaired.ends_with('\n'));
        assert!(!repaired.lines().any(|line| line == "12"));
    }

    let latents = folder.path().join("z.npy");
    coulomb_gan::numbers::npy::write(&latents, &coulomb_gan::numbers::Tensor::zeros([2, 3]))
        .unwrap();
    let args = [
        "--run",
        text(&out),
        "--latents",
        text(&latents),
        "--out",
        "x.npy",
    ];
    assert!(refusal("sample", &args, 1).contains("[N, 8]"));
    let args = ["--run", text(&out), "--count", "-3", "--out", "x.npy"];
    assert!(refusal("sample", &args, 2).contains("--count"));
    let args = ["--run", text(&out), "--out", "absent/x.npy"];
    assert!(refusal("sample", &args, 1).contains("absent/x.npy"));
    let args = ["--run", text(&out), "--out", "x.bmp"];
    assert!(refusal("sample", &args, 2).contains(".bmp"));
}

#[test]
fn what_cannot_change_is_named_by_the_flag_that_was_typed() {
    let folder = tempfile::tempdir().unwrap();
    let out = short_run(folder.path());
    let refuse = |more: &[&str], words: &str| {
        let args = [&["--resume", text(&out)], more].concat();
        let message = refusal("train", &args, 2);
        assert!(message.contains(words), "{message}");
    };
    refuse(&["--batch-size", "32"], "--batch-size 32 cannot change");
    refuse(
        &["--schedule", "plateau"],
        "--schedule plateau cannot change",
    );
    refuse(&["--schedule", "plateau"], "this one has exponential");
    refuse(&["--lr-final", "0.5"], "this one has 0.03");
    refuse(&["--data", "x"], "makes its own data; leave it out\n");
    let checkpoint = out.join("checkpoints/step-000000020.safetensors");
    let args = ["--resume", text(&checkpoint), "--checkpoint", "40"];
    let message = refusal("train", &args, 2);
    assert!(
        message.contains("--checkpoint 40 is of no use"),
        "{message}"
    );
    // What the run has anyway may be said again.
    let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
    let epsilon = config
        .lines()
        .find_map(|l| l.strip_prefix("epsilon = "))
        .unwrap();
    let args = [
        "--resume",
        text(&out),
        "--epsilon",
        epsilon,
        "--print-config",
    ];
    assert!(run("train", &args).status.success());
}

#[test]
fn a_complete_run_whose_looks_are_gone_still_shows_what_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let out = short_run(folder.path());
    std::fs::remove_dir_all(out.join("samples")).unwrap();
    std::fs::remove_file(out.join("scatter.png")).unwrap();
    let output = run("train", &["--resume", text(&out), "--quiet"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(out.join("scatter.png").is_file());
}

#[test]
fn a_place_for_runs_that_is_none_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("runs"), "no folder").unwrap();
    let mut train = program("train");
    let output = train.current_dir(folder.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("cannot create runs"), "{stderr}");
}

#[test]
fn explain_and_list_presets_print_and_exit() {
    let output = run("train", &["--list-presets"]);
    let listing = String::from_utf8(output.stdout).unwrap();
    assert!(listing.contains("mixture-paper"));
    let output = run("train", &["--explain"]);
    let explained = String::from_utf8(output.stdout).unwrap();
    for word in [
        "discriminator.0",
        "d generator.4",
        "potential",
        "stop_gradient",
        "with reuse",
    ] {
        assert!(explained.contains(word), "{word}");
    }
}

/// What a GPU would be handed can be read, or where the program has no GPU part, it says so.
#[test]
fn explain_shows_the_kernels_of_a_gpu() {
    let output = run("train", &["--explain", "--wgsl"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    if cfg!(feature = "gpu") {
        let kernels = String::from_utf8(output.stdout).unwrap();
        for word in ["// gemm: ", "launches", "@compute", "fn epilogue"] {
            assert!(kernels.contains(word), "{word}");
        }
    } else {
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr.contains("--features gpu"), "{stderr}");
    }
    let alone = run("train", &["--wgsl"]);
    assert_eq!(alone.status.code(), Some(2));
}

#[test]
fn a_rival_trains_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let short = "--objective wgan-gp --critic-steps 2 --steps 6 --width 8 --batch-size 8 --quiet";
    let args: Vec<&str> = short.split(' ').chain(["--out", text(&out)]).collect();
    let output = run("train", &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(config.contains("objective = \"wgan-gp\"\ncritic_steps = 2\n"));
    let output = run(
        "sample",
        &["--run", text(&out), "--out", text(&out.join("s.npy"))],
    );
    assert!(output.status.success());
    let message = refusal("train", &["--resume", text(&out), "--objective", "gan"], 2);
    assert!(
        message.contains("--objective gan cannot change"),
        "{message}"
    );

    for (args, words) in [
        ("--objective vae", "use coulomb, gan, wgan-gp, began or mmd"),
        (
            "--objective gan --ball 0.3",
            "only --objective coulomb has a potential",
        ),
        ("--critic-steps 5", "without --objective wgan-gp or mmd"),
        ("--objective wgan-gp --critic-steps 101", "from 1 to 100"),
        (
            "--objective wgan-gp --preset shapes --norm batch",
            "use --norm layer or --norm none",
        ),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        let message = refusal("train", &args, 2);
        assert!(message.contains(words), "{message}");
    }
    // The listing has both of a round's tapes.
    let output = run("train", &["--explain", "--objective", "gan"]);
    let listing = String::from_utf8_lossy(&output.stdout);
    assert!(listing.contains("loss_d") && listing.contains("loss_g"));
}

#[test]
fn figures_show_every_objective_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("figures");
    let args = ["mixture", "--steps", "4", "--quiet", "--out", text(&out)];
    let table = |args: &[&str]| {
        let output = run("figures", args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        String::from_utf8(output.stdout).unwrap()
    };
    let first = table(&args);
    for objective in ["coulomb", "gan", "wgan-gp", "began", "mmd"] {
        assert!(first.contains(&format!("| {objective} | ")), "{first}");
        assert!(out.join(objective).join("scatter.png").is_file());
    }
    for (file, size) in [("figure-4.png", (3560, 620)), ("figure-5.png", (3400, 620))] {
        assert_eq!(image::image_dimensions(out.join(file)).unwrap(), size);
    }
    // Complete runs are only drawn again.
    assert_eq!(table(&args), first);
    let other = [
        "mixture",
        "--steps",
        "4",
        "--seed",
        "2",
        "--out",
        text(&out),
    ];
    let refused = refusal("figures", &other, 2);
    assert!(
        refused.contains("was begun with seed 1, not 2"),
        "{refused}"
    );
    // Only `train` can go on with that one.
    let advice = ["train --resume", "train -- --resume"];
    assert!(advice.iter().any(|a| refused.contains(a)), "{refused}");
    assert!(refusal("figures", &["cifar10"], 2).contains("there are mixture and collapse"));
}

#[test]
fn figures_show_what_becomes_of_a_lost_region() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/figures");
    let args = [
        "collapse",
        "--steps",
        "10",
        "--threads",
        "1",
        "--out",
        text(&out),
    ];
    let output = run("figures", &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("| step 0 | step 1 | step 3 | step 10 |"),
        "{table}"
    );
    for objective in ["coulomb", "gan", "wgan-gp", "began", "mmd"] {
        assert!(table.contains(&format!("\n| {objective} | ")), "{table}");
        assert!(
            stderr.contains(&format!("{objective}: 10 steps")),
            "{stderr}"
        );
    }
    let size = image::image_dimensions(out.join("collapse.png")).unwrap();
    assert_eq!(size, (1485, 1550));
    assert!(std::fs::read_to_string(out.join("table.md")).is_ok_and(|t| table.starts_with(&t)));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let message = refusal("figures", &["collapse", "--out", text(&file)], 1);
    assert!(message.contains("cannot create"), "{message}");
}

#[test]
fn a_profile_times_the_plan_without_data() {
    for flags in [
        // On several threads, a first one that is put aside sees all tasks end at once.
        "--width 16 --batch-size 8 --threads 1",
        "--preset cifar10 --width 16 --batch-size 2 --threads 1",
    ] {
        let args: Vec<&str> = ["--profile"].into_iter().chain(flags.split(' ')).collect();
        let output = run("train", &args);
        assert!(output.status.success() && output.stderr.is_empty());
        let table = String::from_utf8(output.stdout).unwrap();
        // Which steps have lines of their own depends on what else the machine does.
        for word in ["GFLOP/s", "GB/s", " ms ", "100.0 %"] {
            assert!(table.contains(word), "{word}: {table}");
        }
    }
    let sentence = refusal("train", &["--profile", "--backend", "reference"], 2);
    assert!(sentence.contains("no steps"), "{sentence}");
}

#[test]
fn the_instruction_set_can_be_forced() {
    let profile = |isa: &str| {
        let mut train = program("train");
        train.args([
            "--profile",
            "--width",
            "16",
            "--batch-size",
            "8",
            "--threads",
            "1",
        ]);
        train
            .env("COULOMB_ISA", isa)
            .output()
            .expect("train starts")
    };
    for isa in Isa::available() {
        let output = profile(isa.name());
        let table = String::from_utf8(output.stdout).unwrap();
        assert!(
            table.contains(&format!("cpu ({}, 1 thread)", isa.name())),
            "{table}"
        );
    }
    let output = profile("sse9");
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        output.stdout.is_empty() && sentence.lines().count() == 1,
        "{sentence}"
    );
    assert!(
        sentence.contains("COULOMB_ISA is sse9") && sentence.contains("portable"),
        "{sentence}"
    );
}
