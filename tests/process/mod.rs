//! Running the programs, and what every refusal has to look like.

use std::path::Path;
use std::process::{Command, Output};

pub fn program(name: &str) -> Command {
    let mut command = Command::new(match name {
        "train" => env!("CARGO_BIN_EXE_train"),
        "sample" => env!("CARGO_BIN_EXE_sample"),
        "figures" => env!("CARGO_BIN_EXE_figures"),
        _ => env!("CARGO_BIN_EXE_evaluate"),
    });
    // A layer of Mesa's that complains on stderr where there is no desktop.
    command.env("NODEVICE_SELECT", "1");
    command
}

pub fn run(name: &str, args: &[&str]) -> Output {
    let output = program(name).args(args).output();
    output.expect("the program starts")
}

/// Runs a program that must fail: returns its one sentence, after checking that it is one.
pub fn refusal(name: &str, args: &[&str], code: i32) -> String {
    let output = run(name, args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(output.stdout.is_empty());
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    stderr
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}

/// The step of the newest checkpoint in the run `out`; `latest` may be one behind, if a kill came between the two.
pub fn newest_step(out: &Path) -> Option<u64> {
    let has_any = out.join("checkpoints").is_dir();
    has_any.then(|| checkpoint_steps(out).pop())?
}

/// The steps of all checkpoints in the run `out`, sorted.
pub fn checkpoint_steps(out: &Path) -> Vec<u64> {
    let mut steps: Vec<u64> = std::fs::read_dir(out.join("checkpoints"))
        .expect("a run")
        .filter_map(|entry| {
            let name = entry.expect("an entry").file_name().into_string().ok()?;
            let digits = name.strip_prefix("step-")?;
            digits.strip_suffix(".safetensors")?.parse().ok()
        })
        .collect();
    steps.sort_unstable();
    steps
}

/// Waits until `done`, for five minutes at most: a machine may be busy.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed().as_secs() < 300, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Sends a signal, such as `-INT`.
pub fn send(child: &std::process::Child, signal: &str) {
    let status = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(status.expect("kill starts").success());
}
