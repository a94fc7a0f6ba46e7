//! Trains a Coulomb GAN: `train --help`.

mod args;
mod help;
mod settings;

use std::path::PathBuf;
use std::process::ExitCode;

use args::{Args, Wanted};
use clap::Parser;
use coulomb_gan::cli::console::{note, print};
use coulomb_gan::cli::machine;
use coulomb_gan::cli::progress::Progress;
use coulomb_gan::cli::signals::{Beginning, Signals};
use coulomb_gan::cli::{again, start, training};
use coulomb_gan::exec::{Backend, Executor, gpu};
use coulomb_gan::numbers::{Error, Result};
use coulomb_gan::train::claim::Claim;
use coulomb_gan::train::model::Model;
use coulomb_gan::train::presets::PRESETS;
use coulomb_gan::train::trainer::Trainer;
use coulomb_gan::train::watch::Hear;
use coulomb_gan::train::{Config, RunDir, profile, tasks};

/// Where the run will be.
enum Place {
    /// In a folder that is made for it.
    New(Claim),
    /// Where it is, from this checkpoint on, if there is one.
    Old(RunDir, Option<PathBuf>),
}

fn run(args: &Args) -> Result<ExitCode> {
    if args.list_presets {
        for (name, about) in PRESETS {
            print(&format!("{name:<16} {about}"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.list_devices {
        print(&machine::devices()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = args.wanted()?;
    let config = match &wanted {
        Wanted::New(_) => args.config()?,
        Wanted::Old(folder, _) => {
            let (_, mut config) = RunDir::open(folder)?;
            args.check_fixed(&config)?;
            args.override_running(&mut config)?;
            config
        }
    };
    if args.print_config {
        print(&config.to_toml()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.explain {
        let parts = Model::new(&config).record(&config);
        let listings = parts.iter().map(|part| match args.wgsl {
            true => gpu::explain(&part.tape, config.precision),
            false => Ok(part.tape.explain()),
        });
        let listings: Vec<String> = listings.collect::<Result<_>>()?;
        print(&listings.join("\n\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let backend = args.machine.backend(&config)?;
    if args.profile {
        print(&profile::profile(&config, &backend)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    config.task().check_data(&config.preset)?;
    let signals = Signals::listen()?;
    let place = match wanted {
        // A place that cannot be used is refused now, not after an hour of decoding.
        Wanted::New(out) => Place::New(Claim::new(out.as_deref(), &config.preset)?),
        Wanted::Old(folder, which) => {
            let (run, _) = RunDir::open_to_train(&folder)?;
            let checkpoint = which.find(&run)?;
            Place::Old(run, checkpoint)
        }
    };
    let is_new = matches!(place, Place::New(_));
    let mut progress = Progress::new(args.quiet, config.steps, advice(&config, is_new));
    progress.say(&format!(
        "{} on {}, seed {}",
        config.preset,
        backend.describe(),
        config.seed
    ));
    progress.stop_with(signals.clone());
    let beginning = signals.end_before(place);
    // On the backend's threads, so that --threads holds for everything.
    backend.install(|| train(args, beginning, config, &backend, &mut progress, &signals))
}

/// Opens the data, which a signal ends at once, and trains in the place that has been waiting.
fn train(
    args: &Args,
    beginning: Beginning<Place>,
    mut config: Config,
    backend: &Backend,
    progress: &mut Progress,
    signals: &Signals,
) -> Result<ExitCode> {
    let subject = tasks::open(&mut config, backend, progress)?;
    let mut trainer = Trainer::new(&config, backend, subject)?;
    let run = match beginning.over() {
        Place::New(claim) => claim.begin(&config)?,
        Place::Old(run, checkpoint) => {
            if let Some(checkpoint) = checkpoint {
                trainer.load(&run, &checkpoint)?;
            }
            go_back(args, &run, &config, &trainer, progress)?;
            run.write_config(&config)?;
            run
        }
    };
    let again = |more: &str| again::resume(run.path(), more);
    let whole = (&run, &config);
    let finished = training::complete(&mut trainer, whole, backend, progress, &again)?;
    let Some(finished) = finished else {
        let (name, code) = signals.heard().unwrap_or(("the end", 1));
        note(&format!(
            "stopped at step {} ({name}); go on with: {}",
            trainer.step(),
            again("")
        ));
        return Ok(ExitCode::from(code));
    };
    let files = finished.files.iter().map(|file| file.display().to_string());
    let lines: Vec<String> = [finished.report].into_iter().chain(files).collect();
    let printed = print(&lines.join("\n"));
    if let Some(first) = finished.failed.first() {
        let count = finished.failed.len();
        let why = format!("{count} of the files that show it could not be written: {first}");
        return Err(training::unshown(&why, &again));
    }
    printed.map_err(|e| training::unshown(&e.to_string(), &again))?;
    let code = signals.heard().map(|(_, code)| code);
    Ok(code.map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// Refuses to go on to a step that has been passed, and sets aside what the run has beyond the step it goes back to.
fn go_back(
    args: &Args,
    run: &RunDir,
    config: &Config,
    trainer: &Trainer,
    progress: &mut Progress,
) -> Result<()> {
    let folder = run.path().display();
    if config.steps < trainer.step() {
        return Err(Error::usage(format!(
            "--steps {} lies behind the {} steps that {folder} has done; ask for more",
            config.steps,
            trainer.step(),
        )));
    }
    if let Some(aside) = run.set_aside(trainer.step())? {
        progress.warn(&format!(
            "what {folder} had beyond step {} is now in {}",
            trainer.step(),
            aside.display()
        ));
    }
    if args.new_data && tasks::has_other_data(&RunDir::open(run.path())?.1, config) {
        progress.warn("the run goes on with other data than it has had so far");
    }
    Ok(())
}

/// What makes the run of `config`, which may be new, shorter.
fn advice(config: &Config, is_new: bool) -> String {
    let mut flags = vec![];
    if config.backend == Executor::Cpu && cfg!(feature = "gpu") {
        flags.push("--backend gpu");
    }
    if is_new && config.width > 128 {
        flags.push("--width 128");
    }
    flags.push("fewer --steps");
    format!("{} would make it shorter", flags.join(", "))
}

fn main() -> ExitCode {
    start::program(|| run(&Args::parse()))
}
