//! The GPU executor: the plan's steps as compute kernels, through wgpu, on any vendor's device.
//!
//! A plan becomes a list of launches (kernel, arrays, sizes, grid), made once. A run writes them into one command
//! buffer, in one compute pass, hands that over and goes on; nothing is allocated, compiled or waited for. State stays
//! on the device from run to run, and comes back when somebody looks at the [`super::Store`].
//!
//! Reading order: `kernels/gemm.wgsl`, then here `module` (how kernels are put together from files), `epilogue` (fused
//! pointwise work as WGSL), `values` (what is stored, and how precisely), `lower`, `products`, `view`, `pairwise`, `reduce`, `rearrange`, `pool`, `split`,
//! `tile` (from steps to launches), `launch`, `memory`, `program` (arrays and runs), `ring` (scalars come back without
//! waiting), `resident` (state on the device), `device`, `pipelines`, `transfer`, `adapters`, `cores`, `counts`, `disk`, `clock`.
//!
//! Results are the same bits in every run on one device and driver: every sum has a fixed order.

mod adapters;
mod clock;
mod cores;
mod counts;
mod device;
mod disk;
mod epilogue;
mod launch;
mod lower;
mod memory;
mod module;
mod pairwise;
mod pipelines;
mod pool;
mod products;
mod program;
mod rearrange;
mod reduce;
mod resident;
mod ring;
mod split;
mod tile;
mod transfer;
mod values;
mod view;

pub use adapters::{Candidate, choose, list, listing};
pub use device::Device;
pub use launch::Source;
pub use program::Program;
pub(super) use resident::Resident;
pub use tile::Engine;

use super::Precision;
use crate::numbers::Result;
use crate::tape::Tape;
use crate::tape::plan::Plan;

/// Everything that is compiled to run `tape` on a device of the kind `engine`, without a device. Equal kernels appear as
/// often as they are launched.
pub fn sources(tape: &Tape, precision: Precision, engine: Engine) -> Vec<Source> {
    let plan = Plan::new(tape);
    let values = values::values(&plan, precision);
    let launches = lower::Lowering::new(&plan, &values, engine, precision).launches;
    launches.into_iter().map(|launch| launch.source).collect()
}

/// The compute kernels that a graphics processor without tensor cores is handed for `tape`: each once, as WGSL, headed by
/// its name, how often a run launches it, and the values of its overrides.
///
/// # Errors
/// Never with this feature.
pub fn explain(tape: &Tape, precision: Precision) -> Result<String> {
    let mut kernels: Vec<(Source, usize)> = vec![];
    for source in sources(tape, precision, Engine::Hardware) {
        match kernels.iter_mut().find(|(known, _)| *known == source) {
            Some((_, launches)) => *launches += 1,
            None => kernels.push((source, 1)),
        }
    }
    let listed = kernels.iter().map(|(source, launches)| {
        let overrides = source.overrides.iter();
        let overrides: String = overrides
            .map(|(name, value)| format!(", {name} = {value}"))
            .collect();
        let s = if *launches == 1 { "" } else { "es" };
        let Source { name, text, .. } = source;
        format!("// {name}: {launches} launch{s}{overrides}\n{text}")
    });
    Ok(listed.collect::<Vec<_>>().join("\n"))
}
