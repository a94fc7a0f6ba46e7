//! Trainings that are killed at any moment, and on disks that fill up. `COULOMB_KILLS=1000 cargo test --release --test
//! torture` is the long form.

#![cfg(unix)]

#[allow(dead_code, reason = "some of it is for the other tests only")]
mod process;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use coulomb_gan::numbers::tensor_file::TensorFile;
use process::{checkpoint_steps, newest_step, program, run, send, text, wait_until};

/// Steps between checkpoints, and between lines of `metrics.csv`.
const EVERY: u64 = 200;

/// The run that is killed and restarted by the same command.
fn job(out: &Path) -> Command {
    let mut train = program("train");
    train.args([
        "--resume",
        "auto",
        "--steps",
        "100k",
        "--width",
        "16",
        "--batch-size",
        "16",
    ]);
    train.args([
        "--checkpoint-every",
        "200",
        "--keep",
        "3",
        "--keep-every",
        "50k",
    ]);
    train.args([
        "--sample-every",
        "100k",
        "--threads",
        "1",
        "--quiet",
        "--out",
    ]);
    train.arg(out);
    train.stdout(Stdio::null()).stderr(Stdio::piped());
    train
}

fn litter(out: &Path) -> Vec<String> {
    let folders = [out.to_owned(), out.join("checkpoints"), out.join("samples")];
    let entries = folders
        .iter()
        .flat_map(|f| fs::read_dir(f).into_iter().flatten());
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".writing-")).collect()
}

/// The last step in `metrics.csv`: the run had come so far at least.
fn logged(out: &Path) -> u64 {
    let csv = fs::read_to_string(out.join("metrics.csv")).unwrap_or_default();
    let lines = csv.lines().rev();
    let steps = lines.filter_map(|line| line.split(',').next()?.parse().ok());
    steps.into_iter().next().unwrap_or(0)
}

#[test]
fn kills_at_any_moment_lose_one_interval_at_most() {
    let rounds = std::env::var("COULOMB_KILLS").ok();
    let rounds: u64 = rounds.map_or(25, |n| n.parse().expect("a number of kills"));
    let folder = tempfile::tempdir().unwrap();
    let mut out = folder.path().join("0");
    let mut before = 0;
    let (mut most_lost, mut swept, mut fruitful) = (0, 0, 0);
    // Every kill comes within this span, which follows the machine: about half of them after a new checkpoint.
    let mut span = Duration::from_millis(400);
    for round in 0..rounds {
        if before > 80_000 {
            // Near its end: another one.
            (out, before) = (folder.path().join(round.to_string()), 0);
        }
        let left = litter(&out);
        let mut child = job(&out).spawn().unwrap();
        // From before the first line of the program to well into the training.
        sleep(span * (round * 37 % 100) as u32 / 100);
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.is_empty(), "round {round}: {stderr}");
        for step in checkpoint_steps_if_any(&out) {
            let path = out.join(format!("checkpoints/step-{step:09}.safetensors"));
            TensorFile::read(&path).unwrap_or_else(|e| panic!("round {round}: {e}"));
        }
        let step = newest_step(&out).unwrap_or(0);
        assert!(
            step >= before,
            "round {round}: back from {before} to {step}"
        );
        let lost = logged(&out).saturating_sub(step);
        assert!(lost <= EVERY, "round {round}: {lost} steps lost");
        most_lost = most_lost.max(lost);
        if step == before {
            span = span * 6 / 5;
        } else {
            span = span * 5 / 6;
            fruitful += 1;
            // It had started, so it has swept: what lies there is its own.
            let still = litter(&out);
            swept += left.len();
            assert!(
                left.iter().all(|name| !still.contains(name)),
                "{left:?} {still:?}"
            );
        }
        before = step;
    }
    println!(
        "{rounds} kills, {fruitful} of them after a new checkpoint, at most {most_lost} logged steps lost, {swept} files \
         swept away"
    );
    assert!(fruitful > 0, "it never came to save anything");
    // And a polite end.
    let child = job(&out).spawn().unwrap();
    wait_until("it goes on", || {
        newest_step(&out).is_some_and(|s| s > before)
    });
    send(&child, "-TERM");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(143));
    assert_eq!(litter(&out), Vec::<String>::new());
}

/// What somebody may do to the folder of a run while it trains.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    Moved,
    Removed,
    ConfigGone,
}

#[test]
fn a_folder_that_goes_while_its_run_trains_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    for (i, mishap) in [Mishap::Moved, Mishap::Removed, Mishap::ConfigGone]
        .into_iter()
        .cycle()
        .take(9)
        .enumerate()
    {
        let out = folder.path().join(format!("{i} {mishap:?}"));
        let child = job(&out).spawn().unwrap();
        wait_until("no checkpoint", || newest_step(&out).is_some_and(|s| s > 0));
        sleep(Duration::from_millis(37 * i as u64));
        let config = fs::read(out.join("config.toml")).unwrap();
        let moved = folder.path().join("moved");
        match mishap {
            Mishap::Moved => fs::rename(&out, &moved).unwrap(),
            // It may write meanwhile.
            Mishap::Removed => wait_until("it stays", || fs::remove_dir_all(&out).is_ok()),
            Mishap::ConfigGone => fs::remove_file(out.join("config.toml")).unwrap(),
        }
        wait_until("nothing is made again", || {
            out.join("config.toml").is_file() && newest_step(&out).is_some_and(|s| s > 0)
        });
        assert_eq!(fs::read(out.join("config.toml")).unwrap(), config);
        // Nobody else trains there.
        let other = run("train", &["--resume", text(&out), "--quiet"]);
        let said = String::from_utf8_lossy(&other.stderr);
        assert!(said.contains("in use"), "{mishap:?}: {said}");
        send(&child, "-TERM");
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(143), "{stderr}");
        // Twice, if it came in between while its folder was being removed.
        let again = "had gone and has been made again; the state is saved there anew";
        let said = stderr.matches(again).count();
        assert!(
            said == 1 || said > 1 && matches!(mishap, Mishap::Removed),
            "{stderr}"
        );
        let step = newest_step(&out).unwrap();
        let last = stderr.lines().last().unwrap();
        assert!(
            last.starts_with(&format!("stopped at step {step} (")),
            "{last}"
        );
        let samples = folder.path().join(format!("{i}.npy"));
        let steps = (step + 5).to_string();
        for (name, args) in [
            ("sample", vec!["--run", text(&out), "--out", text(&samples)]),
            ("evaluate", vec!["--run", text(&out)]),
            (
                "train",
                vec!["--resume", text(&out), "--steps", &steps, "--quiet"],
            ),
        ] {
            let output = run(name, &args);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{mishap:?} {name}: {stderr}");
        }
        assert_eq!(newest_step(&out), Some(step + 5));
        assert_eq!(litter(&out), Vec::<String>::new());
        if let Mishap::Moved = mishap {
            // What was moved is a run as well.
            assert!(run("evaluate", &["--run", text(&moved)]).status.success());
            fs::remove_dir_all(&moved).unwrap();
        }
    }
}

fn checkpoint_steps_if_any(out: &Path) -> Vec<u64> {
    match out.join("checkpoints").is_dir() {
        true => checkpoint_steps(out),
        false => vec![],
    }
}

/// A small disk of its own, where the system lets us have one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        use std::io::Write;
        // Not `eprintln`, which the test runner keeps to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED: no right to mount a small disk");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_fills_up_ends_nothing_and_loses_nothing() {
    let Some(disk) = Disk::new("1m") else {
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let out = disk.0.path().join("run");
    let mut train = program("train");
    train.args([
        "--steps",
        "100M",
        "--sample-every",
        "100M",
        "--checkpoint-every",
        "200",
        "--keep",
        "0",
    ]);
    train.args([
        "--width",
        "16",
        "--batch-size",
        "16",
        "--threads",
        "1",
        "--quiet",
        "--out",
    ]);
    train.arg(&out).env("TMPDIR", elsewhere.path());
    let log = elsewhere.path().join("log");
    let mut child = train
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let said = |what: &str| fs::read_to_string(&log).unwrap().contains(what);
    wait_until("the disk fills up", || said("No space left"));
    assert!(said("free some space") && said("tries again"));
    wait_until("no litter", || litter(&out).is_empty());
    let full_at = newest_step(&out).unwrap();
    // Its user makes room, and it goes on saving.
    for step in checkpoint_steps(&out).iter().rev().skip(3) {
        fs::remove_file(out.join(format!("checkpoints/step-{step:09}.safetensors"))).unwrap();
    }
    wait_until("it saves again", || newest_step(&out).unwrap() > full_at);
    // Full to the last byte when it is asked to stop: the state goes elsewhere, and the last words say where.
    let mut filler = fs::File::create(disk.0.path().join("filler")).unwrap();
    let mut fill = || while std::io::Write::write(&mut filler, &[1; 4096]).is_ok_and(|n| n > 0) {};
    fill();
    sleep(Duration::from_millis(300));
    fill();
    send(&child, "-TERM");
    let code = child.wait().unwrap().code();
    let text_of_log = fs::read_to_string(&log).unwrap();
    for step in checkpoint_steps(&out) {
        let path = out.join(format!("checkpoints/step-{step:09}.safetensors"));
        TensorFile::read(&path).unwrap();
    }
    assert_eq!(litter(&out), Vec::<String>::new());
    if code == Some(143) {
        // There was room for one more after all.
        return;
    }
    assert_eq!(code, Some(1), "{text_of_log}");
    let saved = fs::read_dir(elsewhere.path())
        .unwrap()
        .map(|e| e.unwrap().path());
    let saved: Vec<_> = saved
        .filter(|p| p.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    let [saved] = &saved[..] else {
        panic!("{saved:?} {text_of_log}");
    };
    assert!(text_of_log.contains(text(saved)), "{text_of_log}");
    // From there it goes on, once its user has made room (the filler may have found none to take).
    fs::remove_file(disk.0.path().join("filler")).unwrap();
    if let [oldest, _, ..] = checkpoint_steps(&out)[..] {
        fs::remove_file(out.join(format!("checkpoints/step-{oldest:09}.safetensors"))).unwrap();
    }
    let step = TensorFile::read(saved).unwrap().metadata["step"]
        .parse::<u64>()
        .unwrap();
    assert!(step > full_at);
    let steps = (step + 5).to_string();
    let args = [
        "--resume",
        text(&out),
        "--checkpoint",
        text(saved),
        "--steps",
        &steps,
        "--keep",
        "1",
        "--quiet",
    ];
    let output = run("train", &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    // At its end there may be no room for pictures, which loses nothing.
    assert_eq!(newest_step(&out), Some(step + 5), "{stderr}");
}
