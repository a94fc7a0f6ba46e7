//! Measures what the machine can do at best: multiply-adds, copying, launching a program.
//!
//! A limit is the *best* of several rounds, where a row is the median of its rounds: shares of a limit then
//! err on the low side when the machine is busy.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use coulomb_gan::exec::{Backend, Store};
use coulomb_gan::numbers::Result;

use super::gpu;
use super::rows::transposes;
use super::timing::median_seconds;

/// Rounds of which the best counts.
const ROUNDS: usize = 12;

/// Numbers in each of the two arrays that memory is copied between: 128 MiB, more than most caches hold.
const ARRAY: usize = 32 << 20;

/// Further steps of the program that measures the time of a step.
const STEPS: usize = 64;

/// What a crew of threads can do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Floating-point operations per second, two per fused multiply-add.
    pub fma: f64,
    /// Bytes per second, read and written, between arrays that no cache holds.
    pub copy: f64,
    /// Seconds to run a program of one tiny step.
    pub launch: f64,
    /// Seconds for each further tiny step.
    pub step: f64,
}

impl Limits {
    /// Measures `threads` threads, and `backend`, which has as many.
    pub fn measure(threads: usize, backend: &Backend, arrays: &mut CopyArrays) -> Result<Self> {
        if let Backend::Gpu(_) = backend {
            return gpu::limits(backend);
        }
        let [launch, all] = [run_seconds(backend, 1)?, run_seconds(backend, 1 + STEPS)?];
        Ok(Self {
            fma: fma_rate(threads, backend),
            copy: arrays.rate(8 * ARRAY, threads),
            launch,
            step: ((all - launch) / STEPS as f64).max(0.0),
        })
    }

    /// The better of two measurements of the same thing.
    pub fn better(&self, other: &Self) -> Self {
        Self {
            fma: self.fma.max(other.fma),
            copy: self.copy.max(other.copy),
            launch: self.launch.min(other.launch),
            step: self.step.min(other.step),
        }
    }
}

/// The time of a program of `steps` steps that do next to nothing.
fn run_seconds(backend: &Backend, steps: usize) -> Result<f64> {
    let mut store = Store::new();
    let mut program = backend.compile(&transposes(steps), &store)?;
    program.write("x", &[1.0; 4]);
    Ok(backend.install(move || {
        median_seconds(&mut || {
            program.run(&mut store).unwrap();
            None
        })
    }))
}

/// The best rate over some rounds of `threads` threads that each call one of `jobs` and together do `work`;
/// a round takes from the common start to the end of the last thread.
fn best_rate<J: FnMut() + Send>(mut jobs: Vec<J>, work: f64) -> f64 {
    let barrier = &Barrier::new(jobs.len());
    let mut round = || {
        std::thread::scope(|scope| {
            let mut threads = vec![];
            for job in &mut jobs {
                threads.push(scope.spawn(move || {
                    barrier.wait();
                    let start = Instant::now();
                    job();
                    start.elapsed()
                }));
            }
            let times = threads
                .into_iter()
                .map(|t| t.join().expect("no job panics"));
            times.max().unwrap_or(Duration::ZERO)
        })
    };
    let best = (0..ROUNDS).map(|_| round()).min();
    work / best.unwrap_or(Duration::ZERO).as_secs_f64()
}

/// Two large arrays to copy between.
pub struct CopyArrays {
    from: Vec<f32>,
    to: Vec<f32>,
}

impl CopyArrays {
    /// Arrays whose pages are really there: a page of untouched zeros takes no memory.
    pub fn new() -> Self {
        Self {
            from: vec![1.0; ARRAY],
            to: vec![2.0; ARRAY],
        }
    }

    /// Bytes per second, read and written, when `threads` threads together copy half of `bytes` bytes from
    /// one place to another, over and over.
    pub fn rate(&mut self, bytes: usize, threads: usize) -> f64 {
        // At least a kilobyte each, so that calling the copy is not what is measured.
        let share = (bytes / 8 / threads).clamp(256, ARRAY / threads);
        let repeats = (ARRAY / 8 / threads / share).max(1);
        let shares = self.from.chunks(share).zip(self.to.chunks_mut(share));
        let mut jobs = vec![];
        for (from, to) in shares.take(threads) {
            jobs.push(move || {
                for _ in 0..repeats {
                    black_box(&mut *to).copy_from_slice(black_box(from));
                }
            });
        }
        best_rate(jobs, (8 * share * repeats * threads) as f64)
    }
}

/// Passes of the multiply-add loop per round.
const PASSES: usize = 1 << 20;

/// Floating-point operations per second of `threads` threads with the instruction set of `backend`.
fn fma_rate(threads: usize, backend: &Backend) -> f64 {
    let isa = match backend {
        Backend::Cpu(device) => device.isa().name(),
        _ => "portable",
    };
    let per_pass = fma(1, isa);
    let job = || {
        fma(PASSES, isa);
    };
    best_rate(vec![job; threads], (per_pass * PASSES * threads) as f64)
}

/// Runs the multiply-add loop of an instruction set `passes` times; returns how many operations that was.
///
/// Each pass updates every accumulator once, `c ← c · a + b`. An instruction's result is ready after some four
/// cycles and a core starts one or two a cycle: a dozen independent accumulators keep it busy.
#[cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "processor instructions behind run-time detection"
    )
)]
fn fma(passes: usize, isa: &str) -> usize {
    if isa == "portable" {
        return fma_portable(passes);
    }
    #[cfg(target_arch = "x86_64")]
    {
        if isa == "avx512" && std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512F.
            return unsafe { x86::fma_avx512(passes) };
        }
        if isa == "avx2"
            && std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
        {
            // SAFETY: the processor has AVX2 and FMA.
            return unsafe { x86::fma_avx2(passes) };
        }
    }
    fma_portable(passes)
}

/// The loop in a form that the compiler turns into whatever vectors it may assume. Fused only where every
/// processor of the kind fuses: elsewhere `mul_add` would be a call per number.
fn fma_portable(passes: usize) -> usize {
    const NUMBERS: usize = 48;
    let [a, b] = black_box([0.5f32, 1.0]);
    let mut sums = black_box([0.0f32; NUMBERS]);
    for _ in 0..passes {
        for c in &mut sums {
            *c = match cfg!(target_arch = "aarch64") {
                true => c.mul_add(a, b),
                false => *c * a + b,
            };
        }
    }
    black_box(sums);
    2 * NUMBERS * passes
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The multiply-add loop with intrinsics, so that no optimiser's mood changes what is measured.

    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// 16 of 32 registers accumulate.
    #[target_feature(enable = "avx512f")]
    pub fn fma_avx512(passes: usize) -> usize {
        let [a, b] = black_box([0.5, 1.0]).map(|x| _mm512_set1_ps(x));
        let mut sums = [_mm512_setzero_ps(); 16];
        for _ in 0..passes {
            for c in &mut sums {
                *c = _mm512_fmadd_ps(*c, a, b);
            }
        }
        black_box(sums);
        2 * 16 * sums.len() * passes
    }

    /// 12 of 16 registers accumulate.
    #[target_feature(enable = "avx2,fma")]
    pub fn fma_avx2(passes: usize) -> usize {
        let [a, b] = black_box([0.5, 1.0]).map(|x| _mm256_set1_ps(x));
        let mut sums = [_mm256_setzero_ps(); 12];
        for _ in 0..passes {
            for c in &mut sums {
                *c = _mm256_fmadd_ps(*c, a, b);
            }
        }
        black_box(sums);
        2 * 8 * sums.len() * passes
    }
}
