//! Draws samples from a trained run: `sample --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use coulomb_gan::cli::console::{Reader, print};
use coulomb_gan::cli::machine::Machine;
use coulomb_gan::cli::run::Run;
use coulomb_gan::cli::start;
use coulomb_gan::numbers::written::{unsigned, whole};
use coulomb_gan::numbers::{Error, Result, Tensor, npy};
use coulomb_gan::train::tasks::{Out, interpolation};
use coulomb_gan::train::watch::Hear;

/// Draw samples from a trained run.
#[derive(Parser)]
#[command(version, allow_negative_numbers = true)]
struct Args {
    #[command(flatten)]
    run: Run,
    /// How many samples [default: 10000 points, or 64 pictures]; with --interpolate, how many walks [default: 8]
    #[arg(long, value_name = "N", conflicts_with = "latents")]
    count: Option<String>,
    /// Which samples: equal seeds give equal samples [default: the run's seed]
    #[arg(long, value_name = "N", conflicts_with = "latents")]
    seed: Option<String>,
    /// Use these latents, an array [N, z_dim], instead of drawing them
    #[arg(long, value_name = "FILE.npy")]
    latents: Option<PathBuf>,
    /// Instead of separate samples, walks of N steps between two latents each, along the arc between them
    #[arg(long, value_name = "N", conflicts_with = "latents")]
    interpolate: Option<String>,
    /// FILE.npy (an array [N, 2] or [N, 3, side, side]), FILE.png (a plot or a sheet), or a folder (of points, with both;
    /// of pictures, with one .png file for each, and beside it FOLDER-sheet.png)
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Put the samples in place of those that a folder holds already
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    machine: Machine,
}

/// The latents in `--latents`, with a word about those that make no sense.
fn latents(args: &Args) -> Result<Option<Tensor>> {
    let Some(file) = &args.latents else {
        return Ok(None);
    };
    let latents = npy::read(file)?;
    if latents.shape().first() == Some(&0) {
        return Err(Error::failure(format!(
            "{} holds no latents; give it a row for each sample",
            file.display()
        )));
    }
    let width = latents.shape().last().copied().unwrap_or(1).max(1);
    let rows = latents.data().chunks(width);
    let bad = rows
        .filter(|row| !row.iter().all(|z| z.is_finite()))
        .count();
    if bad > 0 {
        Reader { quiet: false }.warn(&format!(
            "{bad} row(s) of {} hold numbers that are not finite; nor are their samples",
            file.display()
        ));
    }
    Ok(Some(latents))
}

fn run(args: &Args) -> Result<ExitCode> {
    let whole = |flag, text: &Option<String>, least, most| {
        let text = text.as_deref();
        text.map(|n| whole::<usize>(flag, n, least, most))
            .transpose()
    };
    let count = whole("count", &args.count, 1, 10_000_000)?;
    let interpolate = whole("interpolate", &args.interpolate, 2, 10_000)?;
    let seed = args.seed.as_deref().map(|n| unsigned("seed", n));
    let seed: Option<u64> = seed.transpose()?;
    let out = Out::new(&args.out, args.replace)?;
    let latents = latents(args)?;
    let (config, _) = args.run.find()?;
    let columns = interpolate.unwrap_or(8);
    let rows = match (&latents, interpolate) {
        (Some(latents), _) => latents.shape().first().copied().unwrap_or(0),
        (None, Some(steps)) => count.unwrap_or(8).saturating_mul(steps),
        (None, None) => count.unwrap_or_else(|| config.task().shown()),
    };
    config.task().check_memory(rows)?;
    config.task().check_form(rows, out.form)?;
    let mut trained = args.run.open(&args.machine)?;
    let seed = seed.unwrap_or(trained.config().seed);
    let samples = match (latents, interpolate) {
        (Some(latents), _) => {
            let file = args.latents.as_deref().unwrap_or(&args.out).display();
            let samples = trained.source().at(&latents);
            samples.map_err(|e| Error::failure(format!("cannot use {file}: {e}")))?
        }
        (None, Some(steps)) => {
            let latents = interpolation::walks(seed, rows / steps, steps, config.z_dim)?;
            trained.source().at(&latents)?
        }
        (None, None) => trained.source().draw(seed, rows)?,
    };
    let files = config
        .task()
        .write_samples(config.seed, &samples, columns, &out)?;
    for path in files {
        print(&path.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    start::program(|| run(&Args::parse()))
}
