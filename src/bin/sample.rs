//! Draws samples from a trained run: `sample --help`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use coulomb_gan::numbers::{Error, Result, npy};
use coulomb_gan::train::console::{self, print};
use coulomb_gan::train::flags::{unsigned, whole};
use coulomb_gan::train::subject::{self, Form};
use coulomb_gan::train::trained::Trained;

/// Draw samples from a trained run.
#[derive(Parser)]
#[command(version, allow_negative_numbers = true)]
struct Args {
    /// The run's folder
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// How many samples
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        conflicts_with = "latents"
    )]
    count: i64,
    /// Which samples: equal seeds give equal samples [default: the run's seed]
    #[arg(long, value_name = "N", conflicts_with = "latents")]
    seed: Option<i64>,
    /// Use these latents, an array [N, z_dim] of 32-bit floats, instead of drawing them
    #[arg(long, value_name = "FILE.npy")]
    latents: Option<PathBuf>,
    /// FILE.npy (an array [N, 2]), FILE.png (a scatter plot), or a folder (both)
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Where to compute: cpu or reference [default: the run's]
    #[arg(long)]
    backend: Option<String>,
    /// CPU threads [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<i64>,
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
    let threads = args.threads.map(|n| whole("threads", n, 1, 1024));
    let count = whole("count", args.count, 1, 10_000_000)?;
    let form = form(&args.out)?;
    let mut trained = Trained::open(&args.run, args.backend.as_deref(), threads.transpose()?)?;
    let samples = match &args.latents {
        None => {
            let seed = seed(args.seed, &trained)?;
            trained.source().draw(seed, count)?
        }
        Some(file) => {
            let samples = trained.source().at(&npy::read(file)?);
            samples.map_err(|e| Error::failure(format!("cannot use {}: {e}", file.display())))?
        }
    };
    let written = subject::write_samples(trained.config(), &samples, form, &args.out)?;
    for path in written {
        print(&path.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn seed(flag: Option<i64>, trained: &Trained) -> Result<u64> {
    flag.map_or(Ok(trained.config().seed), |n| unsigned("seed", n))
}

fn main() -> ExitCode {
    console::finish(run(&Args::parse()))
}
