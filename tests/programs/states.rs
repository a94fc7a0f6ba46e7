//! Which state of which run is meant, and states that are damaged or not whole.

use std::fs;
use std::path::{Path, PathBuf};

use coulomb_gan::numbers::Tensor;
use coulomb_gan::numbers::npy;
use coulomb_gan::numbers::tensor_file::TensorFile;

use crate::process::{refusal, run, text};

/// A run of 40 steps with checkpoints at 0, 20 and 40.
fn run_of_forty(folder: &Path) -> PathBuf {
    let out = folder.join("run");
    let flags = "--steps 40 --checkpoint-every 20 --sample-every 20 --width 16 --batch-size 16 --quiet --out";
    let args: Vec<&str> = flags.split(' ').chain([text(&out)]).collect();
    assert!(run("train", &args).status.success());
    out
}

/// Runs `name`, which must succeed; returns what it says on stderr.
fn works(name: &str, args: &[&str]) -> String {
    let output = run(name, args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name} {args:?}: {stderr}");
    stderr
}

#[test]
fn changed_bytes_of_a_checkpoint_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let out = run_of_forty(folder.path());
    let newest = out.join("checkpoints/step-000000040.safetensors");
    let mut bytes = fs::read(&newest).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 0x40;
    fs::write(&newest, &bytes).unwrap();
    let samples = folder.path().join("x.npy");
    for (name, args) in [
        ("train", vec!["--resume", text(&out), "--steps", "60"]),
        ("sample", vec!["--run", text(&out), "--out", text(&samples)]),
        ("evaluate", vec!["--run", text(&out)]),
    ] {
        let args = match name {
            "train" => [&args[..], &["--quiet"]].concat(),
            _ => args,
        };
        let message = refusal(name, &args, 1);
        assert!(
            message.contains(
                "step-000000040.safetensors is damaged: its numbers are not those that were written"
            ),
            "{message}"
        );
        // What it advises works.
        assert!(message.contains("another one is"), "{message}");
        assert!(message.contains("step-000000020.safetensors, which --resume and --run take"));
    }
    let other = out.join("checkpoints/step-000000020.safetensors");
    works("evaluate", &["--run", text(&other)]);
    works(
        "train",
        &["--resume", text(&other), "--steps", "45", "--quiet"],
    );
    works("sample", &["--run", text(&out), "--out", text(&samples)]);
}

#[test]
fn a_part_of_a_state_is_named_and_used_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let out = run_of_forty(folder.path());
    let newest = out.join("checkpoints/step-000000040.safetensors");
    let whole = TensorFile::read(&newest).unwrap();
    let at = |name: &str| folder.path().join(name);
    let sample = |name: &str| {
        works("sample", &["--run", text(&out), "--out", text(&at(name))]);
        fs::read(at(name)).unwrap()
    };
    let wanted = sample("whole.npy");
    let only = |prefix: &str| {
        let mut part = whole.clone();
        part.tensors.retain(|name, _| name.starts_with(prefix));
        part.write(&newest).unwrap();
    };
    only("average.");
    assert_eq!(sample("part.npy"), wanted);
    works("evaluate", &["--run", text(&out)]);
    let resume = ["--resume", text(&out), "--steps", "60", "--quiet"];
    let message = refusal("train", &resume, 1);
    for words in [
        "holds only a part of a state: it lacks adam.d.m.0.bias and ",
        "which `sample` can do without, but no training goes on from it; another one is",
    ] {
        assert!(message.contains(words), "{message}");
    }
    only("discriminator.");
    let message = refusal("evaluate", &["--run", text(&out)], 1);
    assert!(
        message
            .contains("it lacks average.generator.0.bias and 5 more, which neither training nor"),
        "{message}"
    );
}

#[test]
fn whatever_lies_in_a_run_stands_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = run_of_forty(folder.path());
    for inside in [
        "config.toml",
        "checkpoints",
        "samples",
        "checkpoints/latest",
    ] {
        let path = out.join(inside);
        works("evaluate", &["--run", text(&path)]);
        works("evaluate", &["--run", text(&path), "--checkpoint", "best"]);
        works("train", &["--resume", text(&path), "--quiet"]);
    }
    // Names alone are those of the run's own checkpoints.
    let name = "step-000000020.safetensors";
    let output = run("evaluate", &["--run", text(&out), "--checkpoint", name]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("at step 20"));
    let stray = folder.path().join("stray.safetensors");
    fs::copy(out.join("checkpoints").join(name), &stray).unwrap();
    let message = refusal("evaluate", &["--run", text(&stray)], 1);
    assert!(message.contains("is not in the folder of a run; name that folder with --run"));
    works(
        "evaluate",
        &["--run", text(&out), "--checkpoint", text(&stray)],
    );
    for which in ["newest", "BEST", "step-000000021.safetensors"] {
        let message = refusal("evaluate", &["--run", text(&out), "--checkpoint", which], 1);
        let words = format!(
            "there is no checkpoint {which}; use latest, best, the path of a file, or a step"
        );
        assert!(message.contains(&words), "{message}");
        assert!(message.ends_with("has 0, 20, 40\n"), "{message}");
    }
    let few = run("evaluate", &["--run", text(&out), "--count", "1"]);
    assert!(String::from_utf8_lossy(&few.stderr).contains("1 sample is few"));
    assert!(!String::from_utf8_lossy(&few.stdout).contains("-0.000"));
    let none = folder.path().join("none.npy");
    npy::write(&none, &Tensor::zeros([0, 8])).unwrap();
    let args = [
        "--run",
        text(&out),
        "--latents",
        text(&none),
        "--out",
        "x.npy",
    ];
    assert!(refusal("sample", &args, 1).contains("holds no latents"));
}

#[test]
fn a_range_is_the_same_whatever_was_typed() {
    for (flag, range) in [
        ("steps", "1 to 1000000000"),
        ("decay-steps", "1 to 1000000000"),
        ("checkpoint-every", "1 to 1000000000"),
        ("sample-every", "1 to 1000000000"),
        ("keep", "0 to 1000000000"),
        ("keep-every", "0 to 1000000000"),
        ("batch-size", "1 to 65536"),
        ("z-dim", "1 to 4096"),
        ("width", "1 to 4096"),
        ("kernel-dim", "1 to 16"),
        ("critic-steps", "1 to 100"),
        ("threads", "1 to 1024"),
        ("seed", "0 to 18446744073709551615"),
    ] {
        let least = range.split(' ').next().unwrap();
        let below = if least == "0" { "-1" } else { "0" };
        for typed in ["1,000", "x", "", "1.5", "1e30", below] {
            let args = ["--objective", "mmd", &format!("--{flag}"), typed];
            let args = if flag == "kernel-dim" {
                &args[2..]
            } else {
                &args[..]
            };
            let message = refusal("train", args, 2);
            let wanted = format!("--{flag} must be a whole number from {range}");
            assert!(message.contains(&wanted), "{typed}: {message}");
        }
    }
    for typed in ["1,000", "0", "17", "-1"] {
        let args = ["--preset", "shapes", "--side", typed];
        let message = refusal("train", &args, 2);
        let wanted = format!("--side must be 16, 32, 64 or 128, not {typed}");
        assert!(message.contains(&wanted), "{message}");
    }
    let patience = ["--schedule", "plateau", "--patience", "1,000"];
    assert!(refusal("train", &patience, 2).contains("from 1 to 1000000, "));
    for figure in ["mixture", "collapse"] {
        for typed in ["1,000", "0"] {
            let message = refusal("figures", &[figure, "--steps", typed], 2);
            let wanted = "--steps must be a whole number from 1 to 1000000000";
            assert!(message.contains(wanted), "{message}");
        }
    }
}
