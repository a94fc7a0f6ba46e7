//! Running the programs, and what every refusal has to look like.

#![allow(dead_code, reason = "each test file asks for its own part")]

use std::path::Path;
use std::process::{Command, Output};

pub fn program(name: &str) -> Command {
    let mut command = Command::new(match name {
        "train" => env!("CARGO_BIN_EXE_train"),
        "sample" => env!("CARGO_BIN_EXE_sample"),
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
