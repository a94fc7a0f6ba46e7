//! Draws samples from a trained run: `sample --help`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use coulomb_gan::figures::{self, WINDOW, scatter};
use coulomb_gan::numbers::{Error, Result, npy};
use coulomb_gan::train::console::{self, print};
use coulomb_gan::train::flags::{unsigned, whole};
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
enum Form {
    Array,
    Picture,
    Folder,
}

impl Form {
    fn of(out: &Path) -> Result<Self> {
        match out.extension().and_then(|e| e.to_str()) {
            _ if out.is_dir() => Ok(Self::Folder),
            Some("npy") => Ok(Self::Array),
            Some("png") => Ok(Self::Picture),
            Some(other) => Err(Error::usage(format!(
                "--out cannot be a .{other} file; name a .npy file, a .png file or a folder"
            ))),
            None => Ok(Self::Folder),
        }
    }
}

fn run(args: &Args) -> Result<ExitCode> {
    let threads = args.threads.map(|n| whole("threads", n, 1, 1024));
    let count = whole("count", args.count, 1, 10_000_000)?;
    let form = Form::of(&args.out)?;
    let mut trained = Trained::open(&args.run, args.backend.as_deref(), threads.transpose()?)?;
    let points = match &args.latents {
        None => trained.draw(seed(args.seed, &trained)?, count),
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
    let out = &args.out;
    let written = match form {
        Form::Array => {
            write_npy(out)?;
            vec![out.clone()]
        }
        Form::Picture => {
            write_png(out)?;
            vec![out.clone()]
        }
        Form::Folder => {
            std::fs::create_dir_all(out).map_err(|e| Error::io("create", out, &e))?;
            let (array, picture) = (out.join("samples.npy"), out.join("samples.png"));
            write_npy(&array)?;
            write_png(&picture)?;
            vec![array, picture]
        }
    };
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
