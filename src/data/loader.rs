//! Minibatches of a data set in a reproducible order, made ready in the background.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Dataset;
use crate::numbers::rng;
use crate::numbers::{Error, Result};

/// Batches that wait ready, so that a slow disk now and then does not stop the training.
const AHEAD: usize = 4;

/// The numbers of one batch; such buffers go back and forth between loader and thread.
type Batch = Vec<f32>;

/// The infinite sequence of all points in a random order, then all of them in another one, and so on.
///
/// Epoch `e` is a permutation drawn from the stream "epoch" at step `e`; the last one asked for is kept.
struct Order {
    seed: u64,
    epoch: Option<u64>,
    permutation: Vec<u32>,
}

impl Order {
    fn new(seed: u64, count: usize) -> Self {
        let count = u32::try_from(count).expect("a data set has fewer than 4 billion points");
        Self {
            seed,
            epoch: None,
            permutation: (0..count).collect(),
        }
    }

    /// Which point is number `item` of the sequence.
    fn point(&mut self, item: u64) -> usize {
        let count = self.permutation.len() as u64;
        let epoch = item / count;
        if self.epoch != Some(epoch) {
            self.shuffle(epoch);
        }
        self.permutation[(item % count) as usize] as usize
    }

    /// Fisher and Yates: each place takes one of those that have none yet.
    fn shuffle(&mut self, epoch: u64) {
        let rng = &mut rng::stream(self.seed, "epoch", epoch);
        for (i, x) in self.permutation.iter_mut().enumerate() {
            *x = i as u32;
        }
        for i in (1..self.permutation.len()).rev() {
            let j = rng::below(rng, i + 1);
            self.permutation.swap(i, j);
        }
        self.epoch = Some(epoch);
    }

    /// Batch number `step` into `out`, one point after the other.
    fn gather(&mut self, data: &dyn Dataset, step: u64, out: &mut [f32]) -> Result<()> {
        let size = data.numbers();
        let first = step * (out.len() / size) as u64;
        for (item, row) in (first..).zip(out.chunks_exact_mut(size)) {
            data.write(self.point(item), row)?;
        }
        Ok(())
    }
}

/// Writes batch number `step` to `out`, \[batch_size, point...\]: items `step`·B to (`step`+1)·B of the sequence of
/// epochs, each of which has every point once. A batch may straddle epochs.
///
/// This is what [`Loader`] hands out, without its thread; it draws a whole permutation each time.
///
/// # Errors
/// If the data are damaged.
///
/// # Panics
/// If there are no points or `out` has another length.
pub fn batch(
    data: &dyn Dataset,
    seed: u64,
    batch_size: usize,
    step: u64,
    out: &mut [f32],
) -> Result<()> {
    check_sizes(data, batch_size);
    let wanted = batch_size * data.numbers();
    assert_eq!(out.len(), wanted, "numbers of one batch");
    Order::new(seed, data.count()).gather(data, step, out)
}

fn check_sizes(data: &dyn Dataset, batch_size: usize) {
    assert!(data.count() > 0, "there are no points to load");
    assert!(batch_size > 0, "a batch must have points");
}

/// Hands out batches in order, while a thread of its own prepares the next ones.
///
/// Dropping it ends the thread.
#[derive(Debug)]
pub struct Loader {
    numbers: usize,
    /// Both ends are dropped to end the thread, which waits on one or the other.
    channels: Option<(Receiver<Batch>, SyncSender<Batch>)>,
    thread: Option<JoinHandle<Option<Error>>>,
    waited: Duration,
}

impl Loader {
    /// Starts to prepare batches `first_step`, `first_step` + 1, ... as [`batch`] defines them.
    ///
    /// # Panics
    /// If there are no points or `batch_size` is 0.
    pub fn new(data: Arc<dyn Dataset>, seed: u64, batch_size: usize, first_step: u64) -> Self {
        check_sizes(&*data, batch_size);
        let mut order = Order::new(seed, data.count());
        let numbers = batch_size * data.numbers();
        Self::spawn(numbers, first_step, move |step, out| {
            order.gather(&*data, step, out)
        })
    }

    /// A loader of batches of so many `numbers`, which `gather` writes.
    fn spawn(
        numbers: usize,
        first_step: u64,
        mut gather: impl FnMut(u64, &mut [f32]) -> Result<()> + Send + 'static,
    ) -> Self {
        let (send_ready, ready) = sync_channel(AHEAD);
        let (give_back, returned) = sync_channel(AHEAD);
        for _ in 0..AHEAD {
            give_back
                .send(vec![0.0; numbers])
                .expect("the other end is in this function");
        }
        let work = move || {
            // Each receive fails once the loader is dropped.
            for step in first_step.. {
                let Ok(mut batch) = returned.recv() else {
                    break;
                };
                gather(step, &mut batch)?;
                if send_ready.send(batch).is_err() {
                    break;
                }
            }
            Ok(())
        };
        let thread = thread::spawn(move || {
            let payload = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(done) => return done.err(),
                Err(payload) => payload,
            };
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref().copied());
            Some(broken(text.unwrap_or("no reason given")))
        });
        Self {
            numbers,
            channels: Some((ready, give_back)),
            thread: Some(thread),
            waited: Duration::ZERO,
        }
    }

    /// Writes the next batch to `y`, \[batch_size, point...\].
    ///
    /// # Errors
    /// If the data are damaged, or the background thread broke down.
    ///
    /// # Panics
    /// If `y` has another length than a batch.
    pub fn fill(&mut self, y: &mut [f32]) -> Result<()> {
        assert_eq!(y.len(), self.numbers, "numbers of one batch");
        let Some((ready, give_back)) = &self.channels else {
            return Err(self.broken());
        };
        let batch = match ready.try_recv() {
            Ok(batch) => Ok(batch),
            Err(TryRecvError::Disconnected) => Err(()),
            Err(TryRecvError::Empty) => {
                let start = Instant::now();
                let batch = ready.recv().map_err(|_| ());
                self.waited += start.elapsed();
                batch
            }
        };
        let Ok(batch) = batch else {
            return Err(self.broken());
        };
        y.copy_from_slice(&batch);
        // It cannot block, for there are no more buffers than places. Should the thread be gone, the batches
        // that it made are still good, and the call after the last of them says so.
        let _ = give_back.send(batch);
        Ok(())
    }

    /// The time that all calls of [`Loader::fill`] together have waited for the thread.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Ends the thread and says why it broke down.
    fn broken(&mut self) -> Error {
        self.stop().unwrap_or_else(|| broken("it ended early"))
    }

    fn stop(&mut self) -> Option<Error> {
        self.channels = None;
        self.thread.take()?.join().ok()?
    }
}

fn broken(why: &str) -> Error {
    Error::failure(format!(
        "the thread that loads the data broke down: {why}; resume from the last checkpoint"
    ))
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_the_thread_is_an_error_after_the_good_batches() {
        let mut loader = Loader::spawn(3, 5, |step, out| {
            assert!(step < 7, "the disk is gone");
            out.fill(step as f32);
            Ok(())
        });
        let mut y = [0.0; 3];
        for step in 5..7 {
            loader.fill(&mut y).unwrap();
            assert_eq!(y, [step as f32; 3]);
        }
        for _ in 0..2 {
            let error = loader.fill(&mut y).unwrap_err().to_string();
            assert!(error.contains("loads the data broke down"), "{error}");
        }
    }

    #[test]
    fn the_reason_of_a_panic_is_told() {
        let mut loader = Loader::spawn(1, 0, |_, _| panic!("page 7 is gone"));
        let error = loader.fill(&mut [0.0]).unwrap_err().to_string();
        assert!(error.contains("page 7 is gone"), "{error}");
    }

    #[test]
    fn time_is_counted_only_while_a_batch_is_missing() {
        let slow = Duration::from_millis(30);
        let mut loader = Loader::spawn(1, 0, move |_, _| {
            thread::sleep(slow);
            Ok(())
        });
        loader.fill(&mut [0.0]).unwrap();
        assert!(loader.waited() > Duration::ZERO);
    }
}
