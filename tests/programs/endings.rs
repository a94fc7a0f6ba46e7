//! However a training ends, what was trained is on disk: signals, consoles that go away, files that somebody removes or
//! has locked, disks that are full.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::process::{
    checkpoint_steps, newest_step, program, refusal, run, send, text, wait_until,
};

/// Flags of a run that does not end by itself.
const ENDLESS: &str = "--steps 100M --sample-every 100M --checkpoint-every 500 --width 16 --batch-size 16 --threads 1";

fn endless(out: &Path) -> Command {
    let mut train = program("train");
    train.args(ENDLESS.split(' ')).arg("--out").arg(out);
    train
}

/// Starts `command` and waits for a checkpoint of `out` beyond step 0.
fn start(mut command: Command, out: &Path) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("train starts");
    wait_until("no checkpoint appears", || {
        newest_step(out).is_some_and(|step| step > 0)
    });
    child
}

/// Ends `child` with `signal`; returns its exit code and what it said.
fn end(mut child: Child, signal: &str) -> (Option<i32>, String) {
    send(&child, signal);
    let mut left = 3000;
    while child.try_wait().unwrap().is_none() {
        left -= 1;
        if left == 0 {
            child.kill().unwrap();
        }
        sleep(Duration::from_millis(100));
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), stderr)
}

/// Goes on for 5 steps from where `out` is.
fn goes_on(out: &Path) {
    let step = newest_step(out).unwrap();
    let steps = (step + 5).to_string();
    let output = run(
        "train",
        &["--resume", text(out), "--steps", &steps, "--quiet"],
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(newest_step(out), Some(step + 5));
}

/// Whether these tests ignore the signal of this number, as under `nohup` or in the background of a script; the programs
/// inherit it.
fn is_ignored(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    let bits = ignored.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> (number - 1) & 1 == 1)
}

/// The signals that ask for an end, but for those that these tests ignore, and the exit codes that belong to them.
pub fn polite() -> impl Iterator<Item = (&'static str, i32)> {
    let all = [
        ("-INT", 130),
        ("-TERM", 143),
        ("-HUP", 129),
        ("-USR1", 85),
        ("-USR2", 140),
        ("-XCPU", 152),
    ];
    let ignored = |signal| signal == "-HUP" && is_ignored(1) || signal == "-INT" && is_ignored(2);
    all.into_iter().filter(move |(signal, _)| !ignored(*signal))
}

#[test]
fn polite_signals_save_say_how_to_go_on_and_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    for (signal, code) in polite().chain([("-XFSZ", 153)]) {
        // A name that a shell would take apart.
        let out = folder.path().join(format!("it's a run {signal}"));
        let (ended, stderr) = end(start(endless(&out), &out), signal);
        assert_eq!(ended, Some(code), "{signal}: {stderr}");
        let step = newest_step(&out).unwrap();
        let said = stderr.lines().last().unwrap();
        assert!(
            said.starts_with(&format!("stopped at step {step} (")),
            "{said}"
        );
        // What it says to type can be typed.
        let (_, command) = said.split_once("--resume ").unwrap();
        let script = format!("printf %s {command}");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            text(&out),
            "{said}"
        );
        goes_on(&out);
    }
}

#[test]
fn the_command_to_go_on_is_the_one_that_was_typed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // As an installed program is started: by its name, not by cargo.
    let mut command = endless(&out);
    command.env_remove("CARGO_PKG_NAME");
    let (_, stderr) = end(start(command, &out), "-TERM");
    let wanted = format!("go on with: {} --resume ", env!("CARGO_BIN_EXE_train"));
    assert!(stderr.contains(&wanted), "{stderr}");
    let mut command = program("train");
    command.env("CARGO_PKG_NAME", "coulomb-gan");
    command.args(["--resume", text(&out), "--steps", "100M"]);
    let before = newest_step(&out).unwrap();
    command.stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_until("it goes on", || newest_step(&out).unwrap() > before);
    let (_, stderr) = end(child, "-TERM");
    assert!(stderr.contains("go on with: cargo run"), "{stderr}");
}

#[test]
fn a_signal_twice_in_one_go_still_saves() {
    let folder = tempfile::tempdir().unwrap();
    for signal in ["-TERM", "-INT"] {
        if signal == "-INT" && is_ignored(2) {
            continue;
        }
        let out = folder.path().join(signal);
        let child = start(endless(&out), &out);
        send(&child, signal);
        let (code, stderr) = end(child, signal);
        assert_ne!(code, None, "{stderr}");
        let step = newest_step(&out).unwrap();
        assert!(
            stderr.contains(&format!("stopped at step {step} (")),
            "{stderr}"
        );
    }
}

#[test]
fn what_nohup_ignores_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut shell = Command::new("sh");
    let train = env!("CARGO_BIN_EXE_train");
    let script = format!(
        "trap '' HUP INT; exec {train} {ENDLESS} --out {}",
        text(&out)
    );
    shell.args(["-c", &script]);
    let mut child = start(shell, &out);
    send(&child, "-HUP");
    send(&child, "-INT");
    sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it ended");
    assert_eq!(end(child, "-TERM").0, Some(143));
}

#[test]
fn messages_that_nobody_can_read_end_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["--steps", "300", "--width", "16", "--batch-size", "16"];
    // A pipe whose reader has gone, as after `| head -1`.
    let out = folder.path().join("pipe");
    let mut child = program("train")
        .args(short)
        .arg("--out")
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(newest_step(&out), Some(300));
    // A log on a disk that is full.
    if !Path::new("/dev/full").exists() {
        return;
    }
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let out = folder.path().join("full");
    let mut train = program("train");
    train.args(short).arg("--out").arg(&out).stderr(full());
    assert!(train.output().unwrap().status.success());
    assert_eq!(newest_step(&out), Some(300));
    // Results are another matter, but the run is complete.
    let out = folder.path().join("results");
    let mut train = program("train");
    train.args(short).arg("--out").arg(&out).stdout(full());
    assert_eq!(train.output().unwrap().status.code(), Some(1));
    assert!(out.join("particles.gif").is_file());
}

#[test]
fn folders_and_files_that_somebody_moves_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = program("train");
    let flags = ENDLESS.replace("--sample-every 100M", "--sample-every 500");
    command.args(flags.split(' ')).arg("--out").arg(&out);
    let child = start(command, &out);
    for name in ["samples", "metrics.csv", "checkpoints"] {
        fs::rename(out.join(name), out.join(format!("moved {name}"))).unwrap();
    }
    wait_until("nothing is made anew", || {
        let sheets = fs::read_dir(out.join("samples")).map(Iterator::count);
        sheets.is_ok_and(|n| n > 0) && newest_step(&out).is_some()
    });
    let (code, stderr) = end(child, "-TERM");
    assert_eq!(code, Some(143), "{stderr}");
    goes_on(&out);
}

#[test]
fn strays_beside_the_runs_own_files_harm_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let flags = "--steps 20 --sample-every 5 --checkpoint-every 10 --width 16 --batch-size 16 --quiet --out";
    let args: Vec<&str> = flags.split(' ').chain([text(&out)]).collect();
    assert!(run("train", &args).status.success());
    for stray in [
        "samples/._step-000000005.png",
        "samples/a.png",
        "samples/step-000000007.png",
        "samples/step-000000005 copy.png",
        "checkpoints/._step-000000020.safetensors",
        "checkpoints/z.safetensors",
    ] {
        fs::write(out.join(stray), "no picture").unwrap();
    }
    let args = ["--resume", text(&out), "--steps", "30"];
    let output = run("train", &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(out.join("training.gif").is_file());
}

#[test]
fn a_run_has_one_program_at_a_time_and_its_holder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = start(endless(&out), &out);
    let message = refusal("train", &["--resume", text(&out), "--quiet"], 1);
    let holder = format!("in use: process {}", child.id());
    assert!(message.contains(&holder), "{message}");
    // Looking is allowed.
    assert!(run("evaluate", &["--run", text(&out)]).status.success());
    // The lock ends with its holder, however that ends.
    child.kill().unwrap();
    child.wait().unwrap();
    goes_on(&out);
}

#[test]
fn the_same_command_starts_and_restarts_a_job() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("job");
    let mut command = endless(&out);
    command.args(["--resume", "auto"]);
    assert_eq!(end(start(command, &out), "-USR1").0, Some(85));
    let first = newest_step(&out).unwrap();
    let mut command = endless(&out);
    command.args(["--resume", "auto"]).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_until("it goes on", || newest_step(&out).unwrap() > first);
    assert_eq!(end(child, "-USR1").0, Some(85));
    // Killed before it had a checkpoint: it begins again.
    fs::remove_dir_all(out.join("checkpoints")).unwrap();
    let mut command = endless(&out);
    command.args(["--resume", "auto"]);
    assert_eq!(end(start(command, &out), "-TERM").0, Some(143));
    // What the run is stays as it is.
    let flags = ["--resume", "auto", "--out", text(&out), "--width", "32"];
    let message = refusal("train", &flags, 2);
    assert!(message.contains("--width 32 cannot change") && message.contains("has 16"));
    let message = refusal("train", &["--resume", text(&out), "--batch-size", "32"], 2);
    assert!(
        message.contains("--batch-size 32 cannot change"),
        "{message}"
    );
    let message = refusal("train", &["--resume", "auto"], 2);
    assert!(message.contains("add --out DIR"), "{message}");
}

#[test]
fn old_checkpoints_go_and_the_best_and_some_stay() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let flags = "--steps 45 --checkpoint-every 1 --keep 3 --keep-every 20 --sample-every 100 --width 16 \
                 --batch-size 16 --quiet --out";
    let args: Vec<&str> = flags.split_whitespace().chain([text(&out)]).collect();
    assert!(run("train", &args).status.success());
    // Step 0 is also the only one that was judged.
    assert_eq!(checkpoint_steps(&out), [0, 20, 40, 43, 44, 45]);
    let sample = |which: &str| {
        let at = folder.path().join(format!("{which}.npy"));
        let args = [
            "--run",
            text(&out),
            "--checkpoint",
            which,
            "--out",
            text(&at),
        ];
        let output = run("sample", &args);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        fs::read(at).unwrap()
    };
    assert_eq!(sample("best"), sample("0"));
    assert_eq!(sample("latest"), sample("45"));
    assert_ne!(sample("20"), sample("45"));
    let file = out.join("checkpoints/step-000000020.safetensors");
    let at = folder.path().join("file.npy");
    assert!(
        run("sample", &["--run", text(&file), "--out", text(&at)])
            .status
            .success()
    );
    assert_eq!(fs::read(at).unwrap(), sample("20"));
    let args = ["--run", text(&out), "--checkpoint", "21", "--out", "x.npy"];
    assert!(refusal("sample", &args, 1).contains("it has 0, 20, 40, 43, 44, 45"));

    // Back to an earlier one: what lay beyond is set aside, not lost.
    let args = [
        "--resume",
        text(&out),
        "--checkpoint",
        "20",
        "--steps",
        "22",
        "--quiet",
    ];
    let output = run("train", &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.contains("set-aside-0001"),
        "{stderr}"
    );
    assert_eq!(checkpoint_steps(&out), [0, 20, 21, 22]);
    for file in ["step-000000045.safetensors", "metrics.csv"] {
        assert!(out.join("set-aside-0001").join(file).is_file(), "{file}");
    }
}

#[test]
fn limits_on_the_size_of_files_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let train = env!("CARGO_BIN_EXE_train");
    let script = format!(
        "ulimit -f 8; exec {train} --steps 10 --quiet --out {}",
        text(&out)
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("ulimit -f"), "{stderr}");
}

#[test]
fn names_cannot_write_on_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a\x1b[31m\nb");
    let message = refusal("train", &["--resume", text(&out)], 1);
    assert!(message.contains("a\\u{1b}[31m\\nb"), "{message}");
}
