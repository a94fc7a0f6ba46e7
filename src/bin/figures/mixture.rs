//! Figures 4 and 5, for every objective.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use coulomb_gan::cli::console::{note, print};
use coulomb_gan::cli::progress::Progress;
use coulomb_gan::cli::signals::Signals;
use coulomb_gan::cli::{again, training};
use coulomb_gan::data::Mixture;
use coulomb_gan::exec::Backend;
use coulomb_gan::figures::{self, Panel, WINDOW, density, palette, scatter};
use coulomb_gan::metrics::ModeReport;
use coulomb_gan::numbers::atomic::write_atomically;
use coulomb_gan::numbers::{Error, Result, Tensor, npy};
use coulomb_gan::train::config::limits::whole;
use coulomb_gan::train::kept::Which;
use coulomb_gan::train::method::Method;
use coulomb_gan::train::presets::preset;
use coulomb_gan::train::tasks::mixture::{modes, points};
use coulomb_gan::train::trainer::Trainer;
use coulomb_gan::train::watch::Hear;
use coulomb_gan::train::{Config, RunDir, tasks};

use super::Args;

/// What became of an objective.
struct Outcome {
    method: Method,
    samples: Tensor,
    report: ModeReport,
}

/// The run of `method`.
fn config(args: &Args, method: Method) -> Result<Config> {
    let mut config = preset("mixture")?;
    method.adapt(&mut config);
    if let Some(steps) = &args.steps {
        config.set_length(whole("steps", steps)?);
    }
    if let Some(seed) = &args.seed {
        config.seed = whole("seed", seed)?;
    }
    args.machine.apply(&mut config)?;
    Ok(config)
}

/// Trains every objective, or what is left of it, and draws the figures into `folder`.
pub fn run(args: &Args, folder: &Path) -> Result<ExitCode> {
    let backend = args.machine.backend(&config(args, Method::Coulomb)?)?;
    let signals = Signals::listen()?;
    let mut outcomes = vec![];
    for method in Method::ALL {
        let config = config(args, method)?;
        let outcome = backend.install(|| outcome(args, folder, &config, &backend, &signals))?;
        let Some(outcome) = outcome else {
            let (name, code) = signals.heard().unwrap_or(("the end", 1));
            note(&format!(
                "stopped ({name}) and saved; go on with: {}",
                again::same()
            ));
            return Ok(ExitCode::from(code));
        };
        outcomes.push(outcome);
    }
    let files = draw(folder, args, &outcomes)?;
    let files = files.iter().map(|file| file.display().to_string());
    let lines: Vec<String> = [table(&outcomes)].into_iter().chain(files).collect();
    print(&lines.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Trains the run of `config`, or the rest of it; none if it was asked to stop.
fn outcome(
    args: &Args,
    folder: &Path,
    config: &Config,
    backend: &Backend,
    signals: &Signals,
) -> Result<Option<Outcome>> {
    let name = config.objective.name();
    let path = folder.join(name);
    let mut progress = Progress::new(
        args.quiet,
        config.steps,
        "fewer --steps would make it shorter".into(),
    );
    progress.stop_with(signals.clone());
    let subject = tasks::open(&mut config.clone(), backend, &mut progress)?;
    let mut trainer = Trainer::new(config, backend, subject)?;
    let run = if path.join("config.toml").is_file() {
        let (run, found) = RunDir::open_to_train(&path)?;
        if let Some([flag, has, wanted]) = found.first_difference(config) {
            return Err(Error::usage(format!(
                "{} was begun with {flag} {has}, not {wanted}; take another --out, or go on with: {}",
                path.display(),
                again::resume(&path, "")
            )));
        }
        if let Some(checkpoint) = Which::Latest.find(&run)? {
            trainer.load(&run, &checkpoint)?;
        }
        run
    } else {
        RunDir::create(Some(&path), config)?
    };
    progress.say(&format!(
        "{name}: {} on {}",
        config.preset,
        backend.describe()
    ));
    // Where the folder is full, the last state may lie elsewhere: only `train` can be told where.
    let again = |more: &str| match more.is_empty() {
        true => again::same(),
        false => format!(
            "{}, and then: {}",
            again::resume(&path, more),
            again::same()
        ),
    };
    let whole = (&run, config);
    let finished = training::complete(&mut trainer, whole, backend, &mut progress, &again)?;
    let Some(finished) = finished else {
        return Ok(None);
    };
    if let Some(first) = finished.failed.first() {
        progress.warn(&first.to_string());
    }
    let samples = npy::read(&run.file("samples.npy"))?;
    Ok(Some(Outcome {
        method: config.objective,
        report: modes(&samples),
        samples,
    }))
}

/// Writes Figure 4, Figure 5 and the table into `folder`; returns the files.
fn draw(folder: &Path, args: &Args, outcomes: &[Outcome]) -> Result<Vec<PathBuf>> {
    let seed = config(args, Method::Coulomb)?.seed;
    let data = Mixture::new(seed);
    let generated = outcomes.iter().map(|outcome| Panel {
        title: outcome.method.name(),
        points: points(&outcome.samples),
        color: palette::GENERATED,
    });
    let count = outcomes
        .first()
        .map_or(0, |outcome| points(&outcome.samples).len());
    let real = Panel {
        title: "real",
        points: &data.points()[..count],
        color: palette::REAL,
    };
    let panels: Vec<Panel> = [real].into_iter().chain(generated).collect();
    let [figure4, figure5, text] =
        ["figure-4.png", "figure-5.png", "table.md"].map(|name| folder.join(name));
    figures::write_png(&figure4, &scatter::panels(&panels, WINDOW))?;
    figures::write_png(&figure5, &density::panels(&panels, WINDOW))?;
    write_atomically(&text, |w| w.write_all(table(outcomes).as_bytes()))?;
    Ok(vec![figure4, figure5, text])
}

/// A line for each objective.
fn table(outcomes: &[Outcome]) -> String {
    let mut out = String::from(
        "| objective | modes | within 3 sigma of a mode | share per mode, 1 is fair | spread within modes, 1 is right |\n\
         |---|---|---|---|---|",
    );
    for outcome in outcomes {
        let r = &outcome.report;
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "\n| {} | {} of 25 | {:.1} % | {:.2} to {:.2} | {:.2} |",
            outcome.method.name(),
            r.modes_covered,
            100.0 * r.high_quality,
            r.share_min,
            r.share_max,
            r.std_mean
        );
    }
    out
}
