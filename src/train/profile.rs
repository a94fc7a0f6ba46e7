//! Where the time of a training step goes: `train --profile`.
//!
//! The step of a run is recorded, compiled and fed with random numbers, so no data set is needed; then every step of
//! its plan is timed. Costs are what the mathematics asks for, see [`crate::tape::Tape::cost`].

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::Config;
use super::model::Model;
use crate::exec::gpu::Device;
use crate::exec::{Backend, Program, Store};
use crate::numbers::{Result, rng};
use crate::objective::{Feed, Part};
use crate::tape::Tape;
use crate::tape::plan::Plan;

/// Runs that are timed, ...
const RUNS: usize = 20;

/// ... or fewer, but at least three, where they would take longer than this.
const BUDGET: Duration = Duration::from_secs(20);

/// Steps that take less than this share of the time are merged into one line.
const LEAST_SHARE: f64 = 0.002;

/// Times the steps of the plans of the run that `config` describes; returns a table for people for each part of a round.
///
/// # Errors
/// If `backend` is the reference, which has no steps, or a GPU without a clock, or one that fails.
pub fn profile(config: &Config, backend: &Backend) -> Result<String> {
    let model = Model::new(config);
    let mut store = model.initial_store(config)?;
    let parts = model.record(config).into_iter();
    let tables = parts.map(|part| of_part(&part, config, &model, backend, &mut store));
    Ok(tables.collect::<Result<Vec<String>>>()?.join("\n\n"))
}

fn of_part(
    part: &Part,
    config: &Config,
    model: &Model,
    backend: &Backend,
    store: &mut Store,
) -> Result<String> {
    let mut program = backend.compile(&part.tape, store)?;
    let mut feed = model.feed(&part.tape);
    hand_in(config, &mut feed, &mut program)?;
    let start = Instant::now();
    program.run(store)?;
    program.wait()?;
    let once = start.elapsed().as_secs_f64();
    let runs = ((BUDGET.as_secs_f64() / once) as usize).clamp(3, RUNS);
    let seconds = backend.install(|| program.profile(store, runs))?;
    let heading = format!(
        "{}, {}, on {}, batch {}: median of {runs} runs",
        config.preset,
        part.name,
        backend.describe(),
        config.batch_size
    );
    let mut out = table(&heading, &part.tape, &seconds);
    if let Backend::Gpu(device) = backend {
        out += &traffic(device, &mut || {
            hand_in(config, &mut feed, &mut program)?;
            program.run(store)?;
            let mut losses = vec![];
            while program.take_scalars(true, &mut losses)? {}
            Ok(())
        })?;
    }
    Ok(out)
}

/// What one run hands over, launches and moves, and what the program has allocated.
fn traffic(device: &Device, run: &mut dyn FnMut() -> Result<()>) -> Result<String> {
    // The first one takes what earlier runs have left.
    run()?;
    let before = device.counts();
    run()?;
    let after = device.counts();
    Ok(format!(
        "\n\na run: {} launches in {} submission(s), {} bytes up, {} bytes down; {} MiB allocated in {} \
         buffers, {} of them during this run",
        after.dispatches - before.dispatches,
        after.submissions - before.submissions,
        after.bytes_up - before.bytes_up,
        after.bytes_down - before.bytes_down,
        after.bytes_allocated >> 20,
        after.buffers,
        after.buffers - before.buffers,
    ))
}

/// Hands in what a first step might get, with normal deviates for points.
fn hand_in(config: &Config, feed: &mut Feed, program: &mut Program) -> Result<()> {
    let spread = config.task().spread();
    let mut real = |y: &mut [f32]| {
        rng::fill_normal(&mut rng::stream(config.seed, "profile", 0), y);
        y.iter_mut().for_each(|x| *x *= spread);
        Ok(())
    };
    feed.hand_in(program, &mut config.draw(&mut real))
}

/// One line per step of the plan of `tape`, then the totals.
fn table(heading: &str, tape: &Tape, seconds: &[f64]) -> String {
    let plan = Plan::new(tape);
    let total: f64 = seconds.iter().sum();
    let mut rows = vec![];
    let mut tiny = (0, Line::default());
    for (i, (step, &seconds)) in plan.steps.iter().zip(seconds).enumerate() {
        let cost = tape.step_cost(&plan, step);
        let line = Line {
            seconds,
            flops: cost.flops as f64,
            bytes: cost.bytes as f64,
        };
        if seconds < LEAST_SHARE * total {
            tiny = (tiny.0 + 1, tiny.1.add(&line));
        } else {
            let what = format!(
                "{:<10}  {}",
                tape.layer_of_step(step),
                tape.describe_step(step)
            );
            rows.push((i.to_string(), line, what));
        }
    }
    let all = rows.iter().fold(tiny.1, |sum, (_, line, _)| sum.add(line));
    if tiny.0 > 0 {
        rows.push(("".into(), tiny.1, format!("{} shorter steps", tiny.0)));
    }
    rows.push(("".into(), all, "all".into()));
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{heading}");
    let _ = write!(
        out,
        "{:>4} {:>11} {:>6} {:>9} {:>8}  what",
        "step", "time", "share", "GFLOP/s", "GB/s"
    );
    for (number, line, what) in rows {
        let _ = write!(
            out,
            "\n{number:>4} {:>8.3} ms {:>4.1} % {:>9.1} {:>8.1}  {what}",
            1e3 * line.seconds,
            100.0 * line.seconds / total,
            1e-9 * line.flops / line.seconds,
            1e-9 * line.bytes / line.seconds,
        );
    }
    out
}

/// What a line of the table is about.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    seconds: f64,
    flops: f64,
    bytes: f64,
}

impl Line {
    fn add(&self, other: &Self) -> Self {
        Self {
            seconds: self.seconds + other.seconds,
            flops: self.flops + other.flops,
            bytes: self.bytes + other.bytes,
        }
    }
}
