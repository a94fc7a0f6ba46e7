//! Where to compute: the flags that all programs share.

use clap::Args;

use crate::exec::{Backend, Executor, Precision, gpu};
use crate::numbers::written::{choice, whole};
use crate::numbers::{Error, Result};
use crate::train::Config;

/// Where to compute.
#[derive(Debug, Default, Args)]
pub struct Machine {
    /// Where to compute: cpu, gpu, or reference (f64 textbook loops, slow) [default: cpu, or the run's]
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Which GPU, by its number in --list-devices, its PCI address or a part of its name [default: the first]
    #[arg(long, value_name = "WHICH")]
    device: Option<String>,
    /// How a GPU stores activations: f32, or f16 (half the memory; sums, weights and Adam stay f32) [default: f32, or the
    /// run's]
    #[arg(long, value_name = "NAME")]
    precision: Option<String>,
    /// CPU threads [default: all cores]; the result does not depend on it. The environment variable COULOMB_ISA chooses
    /// their instructions: avx512, avx2 or portable [default: the machine's best]
    #[arg(long, value_name = "N")]
    threads: Option<String>,
}

impl Machine {
    /// Writes what the flags say of the run itself into its configuration.
    ///
    /// # Errors
    /// If a flag makes no sense, alone or beside the others.
    pub fn apply(&self, config: &mut Config) -> Result<()> {
        if let Some(backend) = &self.backend {
            config.backend = choice("backend", backend)?;
            // A run that leaves the GPU leaves its half-precision numbers there.
            if config.backend != Executor::Gpu {
                config.precision = Precision::Single;
            }
        }
        if let Some(precision) = &self.precision {
            config.precision = choice("precision", precision)?;
        }
        config.validate()?;
        match &self.device {
            Some(device) if config.backend != Executor::Gpu => Err(Error::usage(format!(
                "--device {device} is of no use on the {}; add --backend gpu or leave it out",
                config.backend.name()
            ))),
            _ => Ok(()),
        }
    }

    /// The backend of `config`.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn backend(&self, config: &Config) -> Result<Backend> {
        let threads = self
            .threads
            .as_deref()
            .map(|n| whole("threads", n, 1, 1024))
            .transpose()?;
        config.backend(threads, self.device.as_deref())
    }
}

/// One line for each GPU of this machine, numbered as `--device` counts.
///
/// # Errors
/// If there is none.
pub fn devices() -> Result<String> {
    let candidates = gpu::list();
    let descriptions: Vec<String> = candidates.iter().map(gpu::Candidate::describe).collect();
    gpu::choose(candidates, None)?;
    Ok(gpu::listing(&descriptions).join("\n"))
}
