//! The paper's figures for every objective, trained side by side: `figures --help`.

mod collapse;
mod mixture;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use coulomb_gan::cli::machine::Machine;
use coulomb_gan::cli::start;
use coulomb_gan::numbers::{Error, Result};

/// Train every objective on the same data with networks of the same layers, and draw what became of it side by side.
///
/// With `mixture`, each objective has a run of its own in the folder, which other programs open as usual; the same command
/// goes on where it was stopped, and draws again what is complete. `collapse` keeps no runs.
#[derive(Parser)]
#[command(version, allow_negative_numbers = true)]
pub struct Args {
    /// Which figure: mixture, the 25 Gaussians of Figures 4 and 5; or collapse, what becomes of a generator that has lost one of
    /// two regions (A.1)
    #[arg(value_name = "FIGURE")]
    figure: String,
    /// Folder for the runs, and for the pictures of all of them [default: runs/figures-FIGURE]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Steps of each objective [default: the preset's with mixture, 20000 with collapse]
    #[arg(long, value_name = "N")]
    steps: Option<String>,
    /// Key of all random draws [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// Show no progress, only warnings
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    machine: Machine,
}

fn run(args: &Args) -> Result<ExitCode> {
    let folder = args.out.clone();
    let folder =
        folder.unwrap_or_else(|| Path::new("runs").join(format!("figures-{}", args.figure)));
    match args.figure.as_str() {
        "mixture" => mixture::run(args, &folder),
        "collapse" => collapse::run(args, &folder),
        other => Err(Error::usage(format!(
            "there is no figure {other}; there are mixture and collapse"
        ))),
    }
}

fn main() -> ExitCode {
    start::program(|| run(&Args::parse()))
}
