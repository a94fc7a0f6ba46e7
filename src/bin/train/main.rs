//! Trains a Coulomb GAN: `train --help`.

mod args;

use std::process::ExitCode;

use args::Args;
use clap::Parser;
use coulomb_gan::numbers::{Error, Result};
use coulomb_gan::train::console::{self, print};
use coulomb_gan::train::interrupt::Interrupt;
use coulomb_gan::train::model::Model;
use coulomb_gan::train::presets::PRESETS;
use coulomb_gan::train::progress::Progress;
use coulomb_gan::train::trainer::Trainer;
use coulomb_gan::train::{Config, RunDir, checkpoint, machine, profile, subject};

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
    let (run, mut config) = match &args.resume {
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
    let backend = args.machine.backend(&config)?;
    if args.profile {
        print(&profile::profile(&config, &backend)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let quiet = args.quiet;
    let mut say = |text: &str| {
        if !quiet {
            eprintln!("{text}");
        }
    };
    let subject = subject::open(&mut config, &backend, &mut say)?;
    // From here on there is something to save; while pictures are decoded, Ctrl-C just ends the program.
    let interrupt = Interrupt::listen()?;
    let mut trainer = Trainer::new(&config, &backend, subject)?;
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
    let (report, files) = trainer.finish(run, backend)?;
    print(&report)?;
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
