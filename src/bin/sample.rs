//! Draws samples from a trained run: `sample --help`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use coulomb_gan::numbers::{Error, Result, npy};
use coulomb_gan::train::console::{self, print};
use coulomb_gan::train::flags::{unsigned, whole};
use coulomb_gan::train::machine::Machine;
use coulomb_gan::train::subject::{self, Form, interpolation};
use coulomb_gan::train::trained::Trained;

/// Draw samples from a trained run.
#[derive(Parser)]
#[command(version, allow_negative_numbers = true)]
struct Args {
    /// The run's folder
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// How many samples [default: 10000 points, or 64 pictures]; with --interpolate, how many walks [default: 8]
    #[arg(long, value_name = "N", conflicts_with = "latents")]
    count: Option<i64>,
    /// Which samples: equal seeds give equal samples [default: the run's seed]
    #[arg(long, value_name = "N", conflicts_with = "latents")]
    seed: Option<i64>,
    /// Use these latents, an array [N, z_dim] of 32-bit floats, instead of drawing them
    #[arg(long, value_name = "FILE.npy")]
    latents: Option<PathBuf>,
    /// Instead of separate samples, walks of N steps between two latents each, along the arc between them
    #[arg(long, value_name = "N", conflicts_with = "latents")]
    interpolate: Option<i64>,
    /// FILE.npy (an array [N, 2] or [N, 3, side, side]), FILE.png (a plot or a sheet), or a folder (both; of
    /// pictures, one .png file for each)
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    #[command(flatten)]
    machine: Machine,
}

/// What `--out` asks for.
fn form(out: &Path) -> Result<Form> {
    match out.extension().and_then(|e| e.to_str()) {
        _ if out.is_dir() => Ok(Form::Folder),
        Some("npy") => Ok(Form::Array),
        Some("png") => Ok(Form::Picture),
        Some(other) => Err(Error::usage(format!(
            "--out cannot be a .{other} file; name a .npy file, a .png file or a folder"
        ))),
        None => Ok(Form::Folder),
    }
}

fn run(args: &Args) -> Result<ExitCode> {
    let count = args.count.map(|n| whole("count", n, 1, 10_000_000));
    let count: Option<usize> = count.transpose()?;
    let interpolate = args.interpolate.map(|n| whole("interpolate", n, 2, 10_000));
    let interpolate: Option<usize> = interpolate.transpose()?;
    let form = form(&args.out)?;
    let mut trained = Trained::open(&args.run, &args.machine)?;
    let seed = args.seed.map(|n| unsigned("seed", n)).transpose()?;
    let seed = seed.unwrap_or(trained.config().seed);
    let mut columns = 8;
    let samples = match (&args.latents, interpolate) {
        (Some(file), _) => {
            let samples = trained.source().at(&npy::read(file)?);
            samples.map_err(|e| Error::failure(format!("cannot use {}: {e}", file.display())))?
        }
        (None, Some(steps)) => {
            let walks = count.unwrap_or(8);
            subject::check_memory(trained.config(), walks.saturating_mul(steps))?;
            columns = steps;
            let latents = interpolation::walks(seed, walks, steps, trained.config().z_dim)?;
            trained.source().at(&latents)?
        }
        (None, None) => {
            let count = count.unwrap_or_else(|| subject::shown(trained.config()));
            subject::check_memory(trained.config(), count)?;
            trained.source().draw(seed, count)?
        }
    };
    let written = subject::write_samples(trained.config(), &samples, columns, form, &args.out)?;
    for path in written {
        print(&path.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    console::finish(run(&Args::parse()))
}
