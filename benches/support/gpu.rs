//! What a GPU can do at best, by its own clock: the best of its matrix products, a copy, the launch of a kernel.
//!
//! A processor's multiply-add loop has no counterpart here: what a GPU reaches in such a loop says little of what any
//! kernel could, so its own largest products are the limit that others are held against.

use coulomb_gan::exec::{Backend, Store};
use coulomb_gan::numbers::Result;
use coulomb_gan::tape::Tape;

use super::limits::Limits;
use super::rows::{run_once, transposes};
use super::timing::median_seconds;

/// Edges of the products of which the fastest counts, and those for a device that is a program on the CPU.
const EDGES: [usize; 2] = [2048, 4096];
const SOFTWARE_EDGES: [usize; 2] = [128, 256];

/// Numbers of the largest copy: 256 MiB are read and written.
const COPY: usize = 32 << 20;
const SOFTWARE_COPY: usize = 1 << 20;

/// Further steps of the program that measures the time of a step.
const STEPS: usize = 64;

fn is_software(backend: &Backend) -> bool {
    backend.describe().contains("software")
}

/// Median seconds of a tape without inputs worth naming.
fn seconds(backend: &Backend, tape: &Tape) -> Result<f64> {
    let mut store = Store::new();
    let mut program = backend.compile(tape, &store)?;
    Ok(median_seconds(&mut || {
        run_once(backend, &mut program, &mut store)
    }))
}

/// Bytes per second, read and written, of a copy of `bytes / 8` numbers.
///
/// # Errors
/// If the device fails.
pub fn copy_rate(backend: &Backend, bytes: usize) -> Result<f64> {
    let most = if is_software(backend) {
        SOFTWARE_COPY
    } else {
        COPY
    };
    let count = (bytes / 8).clamp(1024, most);
    let mut t = Tape::new();
    let x = t.input("x", [count]);
    let y = t.affine(x, 2.0, 0.0);
    t.output("y", y);
    Ok(8.0 * count as f64 / seconds(backend, &t)?)
}

/// The limits of a GPU.
///
/// # Errors
/// If the device fails.
pub fn limits(backend: &Backend) -> Result<Limits> {
    let software = is_software(backend);
    let mut fma = 0.0_f64;
    for n in if software { SOFTWARE_EDGES } else { EDGES } {
        let mut t = Tape::new();
        let (a, b) = (t.input("a", [n, n]), t.input("b", [n, n]));
        let c = t.matmul(a, false, b, false);
        t.output("c", c);
        fma = fma.max(2.0 * (n * n * n) as f64 / seconds(backend, &t)?);
    }
    let launch = seconds(backend, &transposes(1))?;
    let all = seconds(backend, &transposes(1 + STEPS))?;
    Ok(Limits {
        fma,
        copy: copy_rate(backend, 8 * COPY)?,
        launch,
        step: ((all - launch) / STEPS as f64).max(0.0),
    })
}
