//! Draws samples from a trained run: `sample --help`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use coulomb_gan::figures::{self, WINDOW, scatter};
use coulomb_gan::numbers::{Error, Result, npy};
use coulomb_gan::train::flags::whole;
use coulomb_gan::train::report::points_tensor;
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
    /// Which samples: equal seeds give equal samples
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        conflicts_with = "latents"
    )]
    seed: i64,
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

fn run(args: &Args) -> Result<()> {
    let threads = args
        .threads
        .map(|n| whole("threads", n, 1, 1024))
        .transpose()?;
    let count = whole("count", args.count, 1, 10_000_000)?;
    let seed = whole("seed", args.seed, 0, i64::MAX)?;
    let mut trained = Trained::open(&args.run, args.backend.as_deref(), threads)?;
    let points = match &args.latents {
        None => trained.draw(seed, count)?,
        Some(file) => trained
            .at(&npy::read(file)?)
            .map_err(|e| Error::failure(format!("cannot use {}: {e}", file.display())))?,
    };
    let write_npy = |path: &Path| npy::write(path, &points_tensor(&points)?);
    let write_png = |path: &Path| {
        let data = trained.data();
        let real = &data.points()[..points.len().min(data.points().len())];
        let picture = scatter::scatter(real, &points, WINDOW, ["real", "generated"]);
        figures::write_png(path, &picture)
    };
    let mut written = vec![];
    match args.out.extension().and_then(|e| e.to_str()) {
        Some("npy") => written.push(write_npy(&args.out).map(|()| args.out.clone())?),
        Some("png") => written.push(write_png(&args.out).map(|()| args.out.clone())?),
        Some(other) => {
            return Err(Error::usage(format!(
                "--out cannot be a .{other} file; name a .npy file, a .png file or a folder"
            )));
        }
        None => {
            let out = &args.out;
            std::fs::create_dir_all(out).map_err(|e| Error::io("create", out, &e))?;
            let (array, picture) = (out.join("samples.npy"), out.join("samples.png"));
            write_npy(&array)?;
            write_png(&picture)?;
            written.extend([array, picture]);
        }
    }
    for path in written {
        println!("{}", path.display());
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
