//! The programs of a round, what they are handed, and the losses that come back.

use super::model::Model;
use crate::exec::{Backend, Program, Store};
use crate::numbers::Result;
use crate::objective::{Draw, Feed, Part};

/// The programs of a round, in the order in which they run.
pub(super) struct Round {
    parts: Vec<Running>,
}

/// The program of one part.
struct Running {
    program: Program,
    feed: Feed,
    runs: u64,
    /// The names of the numbers that every run reports, and their sums since they were last forgotten.
    reports: Vec<(String, f64)>,
    reported: u64,
    taken: Vec<f32>,
}

impl Round {
    /// Compiles the parts of a round of `model`.
    ///
    /// # Errors
    /// If a device has failed or has no memory left.
    pub fn new(parts: Vec<Part>, model: &Model, backend: &Backend, store: &Store) -> Result<Self> {
        let running = parts.into_iter().map(|part| {
            let tape = &part.tape;
            let outputs = tape.outputs().iter();
            let scalars = outputs.filter(|(_, v)| tape.shape(*v).count() == 1);
            let reports: Vec<_> = scalars.map(|(name, _)| (name.clone(), 0.0)).collect();
            Ok(Running {
                program: backend.compile(tape, store)?,
                feed: model.feed(tape),
                runs: part.runs,
                taken: Vec::with_capacity(reports.len()),
                reports,
                reported: 0,
            })
        });
        Ok(Self {
            parts: running.collect::<Result<_>>()?,
        })
    }

    /// Minibatches of real points that a round takes.
    pub fn batches(&self) -> u64 {
        let taking = self.parts.iter().filter(|part| part.feed.takes_real());
        taking.map(|part| part.runs).sum()
    }

    /// Runs round number `round`, from 0: every part as often as it asks for. `draw` says which numbers it is handed.
    /// While some of `store` is of this round and the rest of the round before, `torn` is true.
    ///
    /// # Errors
    /// If real points cannot be read, or a device has failed.
    pub fn run(
        &mut self,
        round: u64,
        store: &mut Store,
        torn: &mut bool,
        draw: &mut Draw,
    ) -> Result<()> {
        for part in &mut self.parts {
            for run in 0..part.runs {
                draw.run = round * part.runs + run;
                part.feed.hand_in(&mut part.program, draw)?;
                *torn = true;
                part.program.run(store)?;
                part.collect(false)?;
            }
        }
        *torn = false;
        Ok(())
    }

    /// Adds up what has come back, with `wait` of all runs so far.
    ///
    /// # Errors
    /// If a device has failed.
    pub fn collect(&mut self, wait: bool) -> Result<()> {
        self.parts
            .iter_mut()
            .try_for_each(|part| part.collect(wait))
    }

    /// The mean losses of `D` and `G` since they were last forgotten; none before any have come back.
    pub fn losses(&self) -> Option<[f64; 2]> {
        let mean = |wanted: &str| {
            self.parts.iter().find_map(|part| {
                let found = part.reports.iter().find(|(name, _)| name == wanted);
                let (_, sum) = found.filter(|_| part.reported > 0)?;
                Some(sum / part.reported as f64)
            })
        };
        Some([mean("loss_d")?, mean("loss_g")?])
    }

    /// Begins new means.
    pub fn forget(&mut self) {
        for part in &mut self.parts {
            part.reported = 0;
            part.reports.iter_mut().for_each(|(_, sum)| *sum = 0.0);
        }
    }
}

impl Running {
    fn collect(&mut self, wait: bool) -> Result<()> {
        while self.program.take_scalars(wait, &mut self.taken)? {
            self.reported += 1;
            for ((_, sum), &number) in self.reports.iter_mut().zip(&self.taken) {
                *sum += f64::from(number);
            }
        }
        Ok(())
    }
}
