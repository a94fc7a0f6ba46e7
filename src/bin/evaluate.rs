//! Judges the samples of a trained run: `evaluate --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use coulomb_gan::data::mixture;
use coulomb_gan::metrics::ModeReport;
use coulomb_gan::numbers::{Error, Result};
use coulomb_gan::train::console::{self, print};
use coulomb_gan::train::flags::{unsigned, whole};
use coulomb_gan::train::report::SAMPLES;
use coulomb_gan::train::trained::Trained;
use serde::Serialize;

/// Judge the samples of a trained run: modes covered, shares, spread.
#[derive(Parser)]
#[command(version, allow_negative_numbers = true)]
struct Args {
    /// The run's folder
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// How many samples
    #[arg(long, value_name = "N", default_value_t = SAMPLES as i64)]
    count: i64,
    /// Which samples [default: the run's seed]
    #[arg(long, value_name = "N")]
    seed: Option<i64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Where to compute: cpu or reference [default: the run's]
    #[arg(long)]
    backend: Option<String>,
    /// CPU threads [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<i64>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Judgement<'a> {
    preset: &'a str,
    step: u64,
    seed: u64,
    #[serde(flatten)]
    report: ModeReport,
}

fn run(args: &Args) -> Result<ExitCode> {
    let threads = args.threads.map(|n| whole("threads", n, 1, 1024));
    let count = whole("count", args.count, 1, 10_000_000)?;
    let seed = args.seed.map(|n| unsigned("seed", n)).transpose()?;
    let mut trained = Trained::open(&args.run, args.backend.as_deref(), threads.transpose()?)?;
    let seed = seed.unwrap_or(trained.config().seed);
    let samples = trained.draw(seed, count);
    let report = ModeReport::new(&samples, &mixture::means(), mixture::STD);
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
