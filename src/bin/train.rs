//! Trains a Coulomb GAN: `train --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use coulomb_gan::numbers::{Error, Result};
use coulomb_gan::train::console::{self, print};
use coulomb_gan::train::flags::{unsigned, whole};
use coulomb_gan::train::interrupt::Interrupt;
use coulomb_gan::train::model::Model;
use coulomb_gan::train::presets::{PRESETS, preset};
use coulomb_gan::train::progress::Progress;
use coulomb_gan::train::trainer::Trainer;
use coulomb_gan::train::{Config, RunDir, checkpoint};

/// Train a Coulomb GAN. Without options: 25 Gaussians in the plane, a minute or two, pictures at the end.
#[derive(Parser)]
#[command(version, allow_negative_numbers = true)]
struct Args {
    /// What to train; see --list-presets
    #[arg(long, default_value = "mixture", conflicts_with = "resume")]
    preset: String,
    /// Folder of the data; the mixture presets make their own
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Print the presets and exit
    #[arg(long)]
    list_presets: bool,
    /// Where to compute: cpu, or reference (f64 textbook loops, slow)
    #[arg(long, conflicts_with = "resume")]
    backend: Option<String>,
    /// Folder for the run [default: runs/PRESET-NNNN]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Continue the run in DIR
    #[arg(long, value_name = "DIR", conflicts_with = "Hyper")]
    resume: Option<PathBuf>,
    /// Stop after this many steps
    #[arg(long, value_name = "N")]
    steps: Option<i64>,
    /// CPU threads [default: all cores]; the result does not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<i64>,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
    /// Print the recorded step and its plan, then exit
    #[arg(long)]
    explain: bool,
    /// Steps between checkpoints
    #[arg(long, value_name = "N")]
    checkpoint_every: Option<i64>,
    /// Steps between pictures
    #[arg(long, value_name = "N")]
    sample_every: Option<i64>,
    #[command(flatten)]
    hyper: Hyper,
}

/// What a run is; fixed once it has started.
#[derive(clap::Args)]
#[command(next_help_heading = "Hyperparameters of a new run [default: the preset's]")]
struct Hyper {
    /// Key of all random draws
    #[arg(long, value_name = "N")]
    seed: Option<i64>,
    /// Points of each kind per step
    #[arg(long, value_name = "N")]
    batch_size: Option<i64>,
    /// Learning rate of the generator
    #[arg(long, value_name = "X")]
    lr_g: Option<f64>,
    /// Learning rate of the discriminator
    #[arg(long, value_name = "X")]
    lr_d: Option<f64>,
    /// Final learning rates as a share of the first
    #[arg(long, value_name = "X")]
    lr_final: Option<f64>,
    /// How learning rates fall: exponential, or plateau (to a tenth, once the samples get no better)
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// Looks (see --sample-every) without a better one that make a plateau [default: 10]
    #[arg(long, value_name = "N")]
    patience: Option<i64>,
    /// Steps until rates and epsilon are final [default: --steps]
    #[arg(long, value_name = "N")]
    decay_steps: Option<i64>,
    /// Exponent d of the Plummer kernel
    #[arg(long, value_name = "D")]
    kernel_dim: Option<i64>,
    /// Width of the Plummer kernel at the start (and at the end, unless --epsilon-final)
    #[arg(long, value_name = "X")]
    epsilon: Option<f64>,
    /// Width of the Plummer kernel at the end
    #[arg(long, value_name = "X")]
    epsilon_final: Option<f64>,
    /// Numbers per latent
    #[arg(long, value_name = "N")]
    z_dim: Option<i64>,
    /// Units per hidden layer
    #[arg(long, value_name = "N")]
    width: Option<i64>,
    /// Adam's beta1
    #[arg(long, value_name = "X")]
    beta1: Option<f64>,
    /// L2 factor on the weights
    #[arg(long, value_name = "X")]
    weight_decay: Option<f64>,
    /// D learns this times the potential
    #[arg(long, value_name = "X")]
    potential_scale: Option<f64>,
    /// Spread of the biases of D's first layer; 0 for PyTorch's
    #[arg(long, value_name = "X")]
    bias_range: Option<f64>,
    /// Standard deviation of the Gaussian ball of Eq. (9)
    #[arg(long, value_name = "X")]
    ball: Option<f64>,
    /// Decay of the running average of the generator; 0 for none
    #[arg(long, value_name = "X")]
    average: Option<f64>,
}

impl Args {
    /// The configuration of a new run.
    fn config(&self) -> Result<Config> {
        let mut c = preset(&self.preset)?;
        let h = &self.hyper;
        if let Some(steps) = self.steps {
            c.steps = unsigned("steps", steps)?;
            c.decay_steps = c.steps;
            c.sample_every = (c.steps / 60).max(1);
            c.checkpoint_every = (c.steps / 10).max(1);
        }
        set(&mut c.decay_steps, "decay-steps", h.decay_steps)?;
        set(&mut c.seed, "seed", h.seed)?;
        set(&mut c.batch_size, "batch-size", h.batch_size)?;
        set(&mut c.z_dim, "z-dim", h.z_dim)?;
        set(&mut c.width, "width", h.width)?;
        set(&mut c.kernel_dim, "kernel-dim", h.kernel_dim)?;
        if let Some(epsilon) = h.epsilon {
            (c.epsilon, c.epsilon_final) = (epsilon, epsilon);
        }
        for (target, value) in [
            (&mut c.epsilon_final, h.epsilon_final),
            (&mut c.lr_g, h.lr_g),
            (&mut c.lr_d, h.lr_d),
            (&mut c.lr_final, h.lr_final),
            (&mut c.beta1, h.beta1),
            (&mut c.weight_decay, h.weight_decay),
            (&mut c.potential_scale, h.potential_scale),
            (&mut c.bias_range, h.bias_range),
            (&mut c.ball, h.ball),
            (&mut c.average, h.average),
        ] {
            *target = value.unwrap_or(*target);
        }
        if let Some(backend) = &self.backend {
            c.backend.clone_from(backend);
        }
        c.plateau_patience = self.patience(c.plateau_patience)?;
        self.override_running(&mut c)?;
        Ok(c)
    }

    /// The patience of the plateau schedule, if that is asked for; the preset has `preset`.
    fn patience(&self, preset: Option<u32>) -> Result<Option<u32>> {
        let plateau = match self.hyper.schedule.as_deref() {
            None => preset.is_some(),
            Some("plateau") => true,
            Some("exponential") => false,
            Some(other) => {
                return Err(Error::usage(format!(
                    "there is no --schedule {other}; use exponential or plateau"
                )));
            }
        };
        let patience = self.hyper.patience.map(|n| unsigned("patience", n));
        match (plateau, patience.transpose()?) {
            (false, None) => Ok(None),
            (false, Some(_)) => Err(Error::usage(
                "--patience is of no use without --schedule plateau; leave it out or add that",
            )),
            (true, patience) => Ok(Some(patience.or(preset).unwrap_or(10))),
        }
    }

    /// What may also change when a run goes on.
    fn override_running(&self, c: &mut Config) -> Result<()> {
        set(&mut c.steps, "steps", self.steps)?;
        set(
            &mut c.checkpoint_every,
            "checkpoint-every",
            self.checkpoint_every,
        )?;
        set(&mut c.sample_every, "sample-every", self.sample_every)?;
        c.validate()
    }
}

fn set<T: TryFrom<i64>>(target: &mut T, flag: &str, value: Option<i64>) -> Result<()> {
    if let Some(value) = value {
        *target = unsigned(flag, value)?;
    }
    Ok(())
}

fn run(args: &Args) -> Result<ExitCode> {
    if args.list_presets {
        for (name, about) in PRESETS {
            print(&format!("{name:<16} {about}"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(data) = &args.data {
        return Err(Error::usage(format!(
            "--data {} is of no use: every preset there is makes its own data; leave it out",
            data.display()
        )));
    }
    let (run, config) = match &args.resume {
        Some(path) => {
            let (run, mut config) = RunDir::open(path)?;
            args.override_running(&mut config)?;
            (Some(run), config)
        }
        None => (None, args.config()?),
    };
    if args.explain {
        print(&Model::new(&config).record(&config).explain())?;
        return Ok(ExitCode::SUCCESS);
    }
    let threads = args
        .threads
        .map(|n| whole("threads", n, 1, 1024))
        .transpose()?;
    let backend = config.backend(threads)?;
    let interrupt = Interrupt::listen()?;
    let mut trainer = Trainer::new(&config, &backend)?;
    let run = match run {
        Some(run) => {
            trainer.load(&checkpoint::newest(&run)?)?;
            if config.steps < trainer.step() {
                return Err(Error::usage(format!(
                    "--steps {} lies behind the {} steps that {} has done; ask for more",
                    config.steps,
                    trainer.step(),
                    run.path().display()
                )));
            }
            run.rewind_metrics(&trainer.metrics_head(), trainer.step())?;
            run.write_config(&config)?;
            run
        }
        None => RunDir::create(args.out.as_deref(), &config)?,
    };
    backend.install(|| train(args, &run, &config, &backend, &mut trainer, &interrupt))
}

fn train(
    args: &Args,
    run: &RunDir,
    config: &Config,
    backend: &coulomb_gan::exec::Backend,
    trainer: &mut Trainer,
    interrupt: &Interrupt,
) -> Result<ExitCode> {
    let folder = run.path().display();
    let mut progress = Progress::new(args.quiet, trainer.step(), config.steps);
    progress.say(&format!(
        "{} on {}, seed {}",
        config.preset,
        backend.describe(),
        config.seed
    ));
    progress.say(&format!(
        "step {} of {}, into {folder}; Ctrl-C saves and stops",
        trainer.step(),
        config.steps
    ));
    let result = trainer.run(run, &mut progress, &mut || interrupt.exit_code().is_some());
    progress.finish();
    result?;
    if let Some(code) = interrupt.exit_code() {
        eprintln!(
            "stopped at step {}; go on with: cargo run --release --bin train -- --resume {folder}",
            trainer.step()
        );
        return Ok(ExitCode::from(code));
    }
    let (judgement, files) = trainer.finish(run, backend)?;
    print(&judgement.to_string())?;
    for file in files {
        print(&file.display().to_string())?;
    }
    Ok(interrupt
        .exit_code()
        .map_or(ExitCode::SUCCESS, ExitCode::from))
}

fn main() -> ExitCode {
    console::finish(run(&Args::parse()))
}
