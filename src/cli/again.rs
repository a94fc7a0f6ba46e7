//! Commands that a person can type, in the way this program was started.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::numbers::words::{quoted, word};

/// The command that goes on with the run in `folder`, with `more` flags.
pub fn resume(folder: &Path, more: &str) -> String {
    let more = match more.is_empty() {
        true => String::new(),
        false => format!(" {more}"),
    };
    format!("{} --resume {}{more}", train(), quoted(folder))
}

/// The command that started this program.
pub fn same() -> String {
    let mut words = vec![program(&started())];
    words.extend(env::args_os().skip(1).map(|text| word(&text)));
    words.join(" ")
}

/// `train`, whichever of the programs this one is: it lies in the same folder.
fn train() -> String {
    let started = started();
    let is_train = started.file_stem().is_some_and(|name| name == "train");
    let train = format!("train{}", env::consts::EXE_SUFFIX);
    program(&match is_train {
        true => started,
        false => started.with_file_name(train),
    })
}

fn started() -> PathBuf {
    let started = env::args_os().next();
    started.unwrap_or_else(|| OsString::from("train")).into()
}

/// A program, as this one was started: by `cargo run`, which says so in the environment, or by its own name.
fn program(path: &Path) -> String {
    let by_cargo = env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == "coulomb-gan");
    let built_here = path.components().any(|part| part.as_os_str() == "target");
    if !(by_cargo && built_here) {
        return quoted(path);
    }
    let release = match cfg!(debug_assertions) {
        true => "",
        false => " --release",
    };
    let features = match cfg!(feature = "lmdb") {
        true => " --features lmdb",
        false => "",
    };
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    format!("cargo run{release}{features} --bin {name} --")
}
