//! How fast are the kernels, and how far from what this machine can do?
//!
//! ```text
//! cargo bench                        every row, on one thread and on all cores
//! cargo bench -- matmul adam         the rows whose names contain one of these words
//! cargo bench -- --gpu               the GPU too, also where it is a program on the CPU
//! cargo test --benches               only checks the results, measures nothing
//! ```
//!
//! Every row first compares its result with the reference executor (textbook loops in `f64`); a wrong
//! result is an error, and the run ends with exit code 1. A right one is then timed: the median over rounds
//! of repeated calls. Floating-point operations and bytes are those of the recorded tape's plan
//! (`Tape::cost`): what the mathematics asks for, not what a kernel happens to execute, so an exponential
//! counts as one operation. The rows `sgemm` call the `matrixmultiply` crate directly, as a baseline.
//!
//! The limits are measured in the same process, before the first row and after the last, because machines
//! drift: a loop of independent fused multiply-adds, a copy of memory, the launch of a program that does
//! next to nothing, and what each further step of a program adds. Of the two readings the better one counts.
//!
//! A GPU that is no program on the CPU gets a line of its own in every row, timed by its own clock: what its kernels
//! take, without the launch. `support/gpu.rs` says what its limits are. With it come whole training steps on pictures at
//! full width, in single (`gpu`) and half precision (`f16`), see `support/steps.rs`.
//!
//! - `% FMA` is the share of the multiply-add loop's rate, on as many threads.
//! - `% copy` is the share of the rate of a copy that moves *as many bytes as the row*, on as many threads,
//!   measured right before it: what fits a cache has to stand comparison with copying inside that cache.
//! - `bound` names the limit that alone would take longest: `compute` (operations at the multiply-add
//!   rate), `memory` (bytes at the copy's rate) or `overhead` (launch and steps).
//!
//! Neither Criterion (44 crates, 20 of them new to this project) nor divan (14, 4 new, a third of the time to
//! build) hands its timings back to the program, which must set them beside limits from the same run.
//! All that we would use of them is a median over rounds: the few lines of `support/timing.rs`.
//!
//! Reading order: `support/rows.rs` (what is measured), `support/limits.rs`, `support/timing.rs`.

mod support;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use coulomb_gan::exec::{Backend, Precision};
use coulomb_gan::numbers::Result;
use support::gpu;
use support::limits::{CopyArrays, Limits};
use support::rows::{self, Row};
use support::table::{Measured, print_limits, print_rows};
use support::timing::median_seconds;

/// What the command line asks for.
struct Options {
    /// Time the rows; otherwise only check them.
    timed: bool,
    /// Measure a GPU in any case.
    gpu: bool,
    /// Rows whose names contain one of these; all rows if empty.
    words: Vec<String>,
}

impl Options {
    /// `cargo bench` passes `--bench`, `cargo test --benches` does not.
    fn from_args() -> Self {
        let (flags, words): (Vec<_>, Vec<_>) =
            std::env::args().skip(1).partition(|a| a.starts_with("--"));
        let has = |flag: &str| flags.iter().any(|f| f == flag);
        Self {
            timed: has("--bench") && !has("--test"),
            gpu: has("--gpu"),
            words,
        }
    }

    fn wants(&self, row: &Row) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| row.name.contains(word))
    }
}

fn main() -> ExitCode {
    match run(&Options::from_args()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("error: {wrong} wrong results");
            ExitCode::FAILURE
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Who computes a row.
struct Crew {
    /// For the table: a number of threads, `gpu`, or `f16` for a GPU in half precision.
    name: String,
    threads: usize,
    backend: Backend,
    /// Whether it is a GPU that is a program on the CPU.
    software: bool,
    /// Whether it computes in half precision.
    half: bool,
}

/// One thread, all of them, and the GPU where there is one.
fn crews(options: &Options) -> Result<Vec<Crew>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut counts = vec![1, cores];
    counts.dedup();
    let crew = |name: String, threads: usize, backend: Backend, half: bool| Crew {
        software: backend.describe().contains("software"),
        name,
        threads,
        backend,
        half,
    };
    let mut crews = vec![];
    for threads in counts {
        crews.push(crew(
            threads.to_string(),
            threads,
            Backend::cpu(Some(threads))?,
            false,
        ));
    }
    for (name, precision) in [("gpu", Precision::Single), ("f16", Precision::Half)] {
        let half = precision == Precision::Half;
        match Backend::gpu(None, precision).map(|backend| crew(name.into(), 1, backend, half)) {
            Ok(gpu) if options.gpu || !gpu.software => crews.push(gpu),
            Err(why) if options.gpu => return Err(why),
            _ => {}
        }
    }
    Ok(crews)
}

/// Checks, and if asked times, the chosen rows; returns the number of wrong results.
fn run(options: &Options) -> Result<usize> {
    let mut rows = rows::all();
    let crews = crews(options)?;
    let hardware = |crew: &Crew| matches!(crew.backend, Backend::Gpu(_)) && !crew.software;
    let worth_it = crews.iter().any(hardware);
    rows.retain(|row| options.wants(row) && (!row.heavy || worth_it || !options.words.is_empty()));
    let measure_limits = |arrays: &mut CopyArrays| -> Result<Vec<Limits>> {
        let limits = crews
            .iter()
            .map(|c| Limits::measure(c.threads, &c.backend, arrays));
        limits.collect()
    };

    let mut arrays = options.timed.then(CopyArrays::new);
    let start = arrays.as_mut().map(measure_limits).transpose()?;
    let mut measured = vec![];
    let mut wrong = 0;
    for row in &rows {
        for (number, crew) in crews.iter().enumerate() {
            let skipped = match row.heavy {
                true => number == 0 && crews.len() > 1,
                false => crew.half || (row.one_thread_only && number > 0),
            };
            if skipped {
                continue;
            }
            announce(&format!("{} on {}", row.name, crew.name));
            // A row's first act is to check itself; what it hands back is ready to be timed.
            let mut work = match (row.prepare)(&crew.backend) {
                Ok(work) => work,
                Err(e) => {
                    announce("");
                    eprintln!("error: {} on {}: {e}", row.name, crew.name);
                    wrong += 1;
                    continue;
                }
            };
            if let Some(arrays) = &mut arrays {
                let bytes = row.work.cost.bytes;
                let copy = match &crew.backend {
                    gpu @ Backend::Gpu(_) => gpu::copy_rate(gpu, bytes)?,
                    _ => arrays.rate(bytes, crew.threads),
                };
                let seconds = crew.backend.install(move || median_seconds(&mut *work));
                measured.push(Measured {
                    row,
                    crew: number,
                    name: &crew.name,
                    seconds,
                    copy,
                });
            }
        }
    }
    announce("");
    let (Some(arrays), Some(start)) = (&mut arrays, start) else {
        println!("{} rows checked, {wrong} results wrong", rows.len());
        return Ok(wrong);
    };
    let end = measure_limits(arrays)?;
    for (crew, (start, end)) in crews.iter().zip(start.iter().zip(&end)) {
        print_limits(&crew.backend, start, end);
    }
    let best: Vec<Limits> = start.iter().zip(&end).map(|(s, e)| s.better(e)).collect();
    print_rows(&measured, &best);
    Ok(wrong)
}

/// Says on a terminal what is going on, replacing what was said before.
fn announce(what: &str) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        // Not worth failing for.
        let _ = write!(terminal, "\r\x1b[K{what}").and_then(|()| terminal.flush());
    }
}
