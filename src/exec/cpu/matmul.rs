//! Matrix products as a kernel of the plan; `gemm` computes them.

use std::ops::Range;

use super::cut::{Cut, Elements, MOVED};
use super::family::{Family, Machine, Need};
use super::gemm::{Gemm, Pack, Right, Rows};
use super::work::{Reading, Work};
use super::workspace::Workspace;
use crate::tape::plan::kernel::Matmul;

impl Matmul {
    fn gemm(&self) -> Gemm {
        Gemm::new(self.ta, self.tb, self.size)
    }

    /// Copies panels of the right factor.
    fn pack(&self, from: &Reading<'_>, panels: Range<usize>, out: &mut [f32]) {
        let gemm = self.gemm();
        from.isa.run(Pack {
            gemm,
            b: &from.read(self.b)[..gemm.k * gemm.n],
            panels,
            out,
        });
    }
}

impl Family for Matmul {
    fn cut(&self, machine: Machine, instructions: usize) -> Cut {
        let gemm = self.gemm();
        let moved = MOVED * (1 + gemm.k / gemm.n.max(1));
        let elements = Elements {
            unit: gemm.chunk_rows() * gemm.n,
            count: gemm.m * gemm.n,
            cost: 2 * gemm.k + moved,
        };
        Cut::in_ranges(elements, instructions, machine)
    }

    fn preparation(&self, machine: Machine) -> Vec<Range<usize>> {
        let (gemm, lanes) = (self.gemm(), machine.lanes);
        let panels = match gemm.right(lanes) {
            Right::Shared(_) => gemm.n.div_ceil(lanes),
            Right::Own(_) | Right::InPlace => 0,
        };
        let size = lanes * gemm.k;
        let panels = 0..panels;
        panels.map(|i| i * size..(i + 1) * size).collect()
    }

    fn prepare(&self, part: usize, from: &Reading<'_>, out: &mut [f32]) {
        self.pack(from, part..part + 1, out);
    }

    fn need(&self, machine: Machine) -> Need {
        Need {
            matrix: match self.gemm().right(machine.lanes) {
                Right::Own(count) => count,
                Right::Shared(_) | Right::InPlace => 0,
            },
            ..Need::default()
        }
    }

    fn begin(&self, from: &Reading<'_>, workspace: &mut Workspace) {
        let gemm = self.gemm();
        if let Right::Own(count) = gemm.right(from.lanes) {
            let panels = 0..gemm.n.div_ceil(from.lanes);
            self.pack(from, panels, &mut workspace.matrix[..count]);
        }
    }

    fn compute(&self, work: &mut Work<'_>, workspace: &mut Workspace) {
        let (gemm, from, range) = (self.gemm(), work.from, work.range());
        let right = gemm.right(from.lanes);
        from.isa.run(Rows {
            gemm,
            right,
            a: &from.read(self.a)[..gemm.m * gemm.k],
            b: match right {
                Right::Own(count) => &workspace.matrix[..count],
                Right::Shared(count) => from.prepared(count),
                Right::InPlace => &from.read(self.b)[..gemm.k * gemm.n],
            },
            rows: range.start / gemm.n..range.end / gemm.n,
            out: work.row(),
        });
    }
}
