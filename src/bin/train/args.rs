//! The flags of `train`, and the configuration that they ask for.

use std::path::{Path, PathBuf};

use clap::Parser;
use coulomb_gan::cli::machine::Machine;
use coulomb_gan::cli::run::meant;
use coulomb_gan::numbers::{Error, Result};
use coulomb_gan::train::kept::Which;

use super::help;
use super::settings::{Hyper, PictureFlags};

/// Train a Coulomb GAN. Without options: 25 Gaussians in the plane, a minute or two, pictures at the end.
///
/// Whole numbers may be written as 250000, 250_000, 250k or 2.5e5.
#[derive(Parser)]
#[command(version, allow_negative_numbers = true, after_help = help::after())]
pub struct Args {
    /// What to train; see --list-presets [default: mixture]
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Pictures to learn from: a folder or an archive of them; also with --resume, if they have moved
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// With --resume and --data: go on with other pictures than the run has had so far
    #[arg(long, requires_all = ["resume", "data"])]
    pub new_data: bool,
    /// Folder for decoded pictures [default: the user's cache folder]; sets that nobody has used for 60 days are removed
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Print the presets and exit
    #[arg(long)]
    pub list_presets: bool,
    /// Print the GPUs of this machine and exit
    #[arg(long)]
    pub list_devices: bool,
    #[command(flatten)]
    pub machine: Machine,
    /// Folder for the run [default: runs/PRESET-NNNN]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Continue the run in DIR (or a checkpoint of it, a file); with `auto`, the one in --out, or start it if there is none
    #[arg(long, value_name = "DIR|auto")]
    pub resume: Option<PathBuf>,
    /// With --resume, where to go on: latest, best, a step, or a file. What lies beyond is set aside [default: latest]
    #[arg(long, value_name = "WHICH", requires = "resume")]
    pub checkpoint: Option<String>,
    /// Stop after this many steps
    #[arg(long, value_name = "N")]
    pub steps: Option<String>,
    /// Show no progress, only warnings
    #[arg(long)]
    pub quiet: bool,
    /// Print the resolved configuration and exit
    #[arg(long)]
    pub print_config: bool,
    /// Print the recorded step and its plan, then exit
    #[arg(long)]
    pub explain: bool,
    /// With --explain, the compute kernels of a GPU instead, as they are compiled
    #[arg(long, requires = "explain")]
    pub wgsl: bool,
    /// Print the time per step of the plan, on random numbers instead of data, then exit
    #[arg(long)]
    pub profile: bool,
    /// Steps between checkpoints
    #[arg(long, value_name = "N")]
    pub checkpoint_every: Option<String>,
    /// Checkpoints to keep: this many of the newest, the best, and the first of every --keep-every steps; 0 for all
    #[arg(long, value_name = "N")]
    pub keep: Option<String>,
    /// See --keep
    #[arg(long, value_name = "N")]
    pub keep_every: Option<String>,
    /// Steps between pictures
    #[arg(long, value_name = "N")]
    pub sample_every: Option<String>,
    #[command(flatten)]
    pub hyper: Hyper,
    #[command(flatten)]
    pub pictures: PictureFlags,
}

/// Which run is meant.
pub enum Wanted {
    /// A new one, in the folder if one is named.
    New(Option<PathBuf>),
    /// The one in the folder, from one of its checkpoints on.
    Old(PathBuf, Which),
}

impl Args {
    /// Which run the flags ask for.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn wanted(&self) -> Result<Wanted> {
        let checkpoint = self.checkpoint.as_deref();
        let Some(resume) = &self.resume else {
            return Ok(Wanted::New(self.out.clone()));
        };
        if resume != Path::new("auto") {
            if let Some(out) = &self.out {
                return Err(Error::usage(format!(
                    "--out {} is of no use with --resume {}, which names the folder; leave it out",
                    out.display(),
                    resume.display()
                )));
            }
            let (run, which) = meant("resume", resume, checkpoint)?;
            return Ok(Wanted::Old(run, which));
        }
        let Some(out) = &self.out else {
            return Err(Error::usage(
                "--resume auto goes on with the run in --out, or starts it there; add --out DIR",
            ));
        };
        match out.join("config.toml").is_file() {
            true => {
                let (run, which) = meant("out", out, checkpoint)?;
                Ok(Wanted::Old(run, which))
            }
            false => Ok(Wanted::New(Some(out.clone()))),
        }
    }
}
