//! Commands that a person can type, in the way this program was started.

use std::env;
use std::path::Path;

use crate::numbers::words::quoted;

/// The command that goes on with the run in `folder`, with `more` flags.
pub fn resume(folder: &Path, more: &str) -> String {
    let more = match more.is_empty() {
        true => String::new(),
        false => format!(" {more}"),
    };
    format!("{} --resume {}{more}", this_program(), quoted(folder))
}

/// This program, as it was started: by `cargo run`, which says so in the environment, or by its own name.
fn this_program() -> String {
    let started = env::args_os().next().unwrap_or_else(|| "train".into());
    let started = Path::new(&started);
    let by_cargo = env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == "coulomb-gan");
    let built_here = started
        .components()
        .any(|part| part.as_os_str() == "target");
    if !(by_cargo && built_here) {
        return quoted(started);
    }
    let release = match cfg!(debug_assertions) {
        true => "",
        false => " --release",
    };
    let features = match cfg!(feature = "lmdb") {
        true => " --features lmdb",
        false => "",
    };
    let name = started.file_stem().unwrap_or_default().to_string_lossy();
    format!("cargo run{release}{features} --bin {name} --")
}
