//! Judges the samples of a trained run: `evaluate --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use coulomb_gan::cli::console::{Reader, print};
use coulomb_gan::cli::machine::Machine;
use coulomb_gan::cli::run::Run;
use coulomb_gan::cli::start;
use coulomb_gan::numbers::written::{unsigned, whole};
use coulomb_gan::numbers::{Error, Result};
use coulomb_gan::train::Config;
use coulomb_gan::train::tasks;
use coulomb_gan::train::watch::Hear;
use serde::Serialize;

/// Judge the samples of a trained run, as its end did.
#[derive(Parser)]
#[command(version, allow_negative_numbers = true)]
struct Args {
    #[command(flatten)]
    run: Run,
    /// How many samples [default: as many as at the end of the run]
    #[arg(long, value_name = "N")]
    count: Option<String>,
    /// Which samples [default: the run's seed]
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// Where the run's pictures are now, if they have moved
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Folder for decoded pictures [default: the run's]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
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
    report: serde_json::Map<String, serde_json::Value>,
}

impl Args {
    /// Writes what the flags say of the data into `config`.
    fn apply(&self, config: &mut Config) -> Result<()> {
        for (flag, path) in [("data", &self.data), ("cache", &self.cache)] {
            let Some(path) = path else {
                continue;
            };
            match (config.task_mut().files(), flag) {
                (Some(files), "data") => files.data.clone_from(path),
                (Some(files), _) => *files.cache = Some(path.clone()),
                (None, _) => {
                    return Err(Error::usage(format!(
                        "--{flag} {} is of no use: {} makes its own data; leave it out",
                        path.display(),
                        config.preset
                    )));
                }
            }
        }
        Ok(())
    }
}

fn run(args: &Args) -> Result<ExitCode> {
    let count = args.count.as_deref();
    let count = count
        .map(|n| whole("count", n, 1, 10_000_000))
        .transpose()?;
    let seed = args.seed.as_deref().map(|n| unsigned("seed", n));
    let seed = seed.transpose()?;
    let mut trained = args.run.open(&args.machine)?;
    let seed = seed.unwrap_or(trained.config().seed);
    let mut config = trained.config().clone();
    args.apply(&mut config)?;
    let usual = config.task().judged();
    let count = count.unwrap_or(usual);
    config.task().check_memory(count)?;
    let mut reader = Reader { quiet: args.json };
    let backend = trained.backend().clone();
    let mut subject = backend.install(|| tasks::open(&mut config, &backend, &mut reader))?;
    if count < usual {
        reader.warn(&format!(
            "{} few: distances come out larger than with the usual {usual}, and cannot be compared",
            match count {
                1 => "1 sample is".into(),
                count => format!("{count} samples are"),
            }
        ));
    }
    let samples = trained.source().draw(seed, count)?;
    let report = subject.judge(&samples)?;
    if args.json {
        let judgement = Judgement {
            preset: &trained.config().preset,
            step: trained.step(),
            seed,
            report: report.numbers,
        };
        let text = serde_json::to_string(&judgement)
            .map_err(|e| Error::failure(format!("cannot print the judgement as JSON: {e}")))?;
        print(&text)?;
    } else {
        let checkpoint = trained.checkpoint().display();
        print(&format!("{checkpoint} at step {}", trained.step()))?;
        print(&report.words)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    start::program(|| run(&Args::parse()))
}
