//! Kernels that only move numbers, as launches.

use super::epilogue::Place;
use super::launch::{Kernel, grid};
use super::lower::{Lowering, Shader};
use crate::tape::plan::Facts;
use crate::tape::plan::kernel::{Axis, Concat, Gather};

const GATHER: &str = include_str!("../../../kernels/gather.wgsl");
const CONCAT: &str = include_str!("../../../kernels/concat.wgsl");

impl Shader for Gather {
    fn launch(&self, lowering: &mut Lowering<'_>) {
        if self.count == 0 {
            return;
        }
        let source = source_text(self.first, &self.axes);
        let group = lowering.group();
        lowering.finish(&Kernel {
            name: "gather",
            files: &[GATHER, &source],
            formats: &[],
            constants: &[],
            overrides: &[("GROUP", group as f64)],
            operands: &[Place::Slot(self.x)],
            sizes: &[self.count as u32],
            grid: grid(self.count.div_ceil(group)),
        });
    }
}

/// The function that finds the operand's element for element `i` of a result, as WGSL.
fn source_text(first: usize, axes: &[Axis]) -> String {
    let terms = axes.iter().map(|axis| {
        let Axis {
            divisor,
            size,
            stride,
        } = axis;
        format!(" + i / {divisor}u % {size}u * {stride}u")
    });
    let terms: String = terms.collect();
    format!("fn source(i: u32) -> u32 {{\n    return {first}u{terms};\n}}\n")
}

impl Shader for Concat {
    fn launch(&self, lowering: &mut Lowering<'_>) {
        let (count, group) = (self.count(), lowering.group());
        if count == 0 {
            return;
        }
        let [first, second] = self.lengths;
        lowering.finish(&Kernel {
            name: "concat",
            files: &[CONCAT],
            formats: &[],
            constants: &[],
            overrides: &[("GROUP", group as f64)],
            operands: &[self.a, self.b].map(Place::Slot),
            sizes: &[count, first, second].map(|n| n as u32),
            grid: grid(count.div_ceil(group)),
        });
    }
}
