//! Judges the samples of a trained run: `evaluate --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use coulomb_gan::numbers::{Error, Result};
use coulomb_gan::train::console::{self, print};
use coulomb_gan::train::flags::{unsigned, whole};
use coulomb_gan::train::machine::Machine;
use coulomb_gan::train::subject::{self, Report};
use coulomb_gan::train::trained::Trained;
use serde::Serialize;

/// Judge the samples of a trained run, as its end did.
#[derive(Parser)]
#[command(version, allow_negative_numbers = true)]
struct Args {
    /// The run's folder
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// How many samples [default: as many as at the end of the run]
    #[arg(long, value_name = "N")]
    count: Option<i64>,
    /// Which samples [default: the run's seed]
    #[arg(long, value_name = "N")]
    seed: Option<i64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Judgement<'a> {
    preset: &'a str,
    step: u64,
    seed: u64,
    #[serde(flatten)]
    report: Report,
}

fn run(args: &Args) -> Result<ExitCode> {
    let count = args.count.map(|n| whole("count", n, 1, 10_000_000));
    let count = count.transpose()?;
    let seed = args.seed.map(|n| unsigned("seed", n)).transpose()?;
    let mut trained = Trained::open(&args.run, &args.machine)?;
    let seed = seed.unwrap_or(trained.config().seed);
    let mut config = trained.config().clone();
    let mut subject = subject::open(&mut config, trained.backend(), &mut |text| {
        eprintln!("{text}")
    })?;
    let count = count.unwrap_or_else(|| subject::judged(&config));
    subject::check_memory(&config, count)?;
    let samples = trained.source().draw(seed, count)?;
    let report = subject.judge(&samples)?;
    if args.json {
        let judgement = Judgement {
            preset: &trained.config().preset,
            step: trained.step(),
            seed,
            report,
        };
        let text = serde_json::to_string(&judgement)
            .map_err(|e| Error::failure(format!("cannot print the judgement as JSON: {e}")))?;
        print(&text)?;
    } else {
        let checkpoint = trained.checkpoint().display();
        print(&format!("{checkpoint} at step {}", trained.step()))?;
        print(&report.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    console::finish(run(&Args::parse()))
}
