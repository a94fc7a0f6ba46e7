//! Chunks of steps: kernels, and the pointwise work on their results. `tasks` says why sharing memory is sound here.

#![expect(
    unsafe_code,
    reason = "borrows the ranges of shared slots that make up a chunk"
)]

use super::convolution::{self, Product, Scatter, Sums};
use super::cut::{Chunk, Cut};
use super::gemm::{self, Gemm, Right};
use super::pairwise;
use super::pointwise;
use super::rearrange;
use super::tasks::{Shared, geometry_of, lanes_of};
use super::workspace::Workspace;
use crate::tape::plan::{self, Pairwise};

impl Shared<'_> {
    /// A chunk of a step: the kernel, then the pointwise work on its result.
    pub fn step(&self, i: usize, cut: &Cut, chunk: &Chunk, workspace: &mut Workspace) {
        let step = &self.steps[i];
        if let Some(kernel) = &step.kernel {
            self.kernel(kernel, cut, chunk, workspace);
        }
        if let (Some(program), Some(homes)) = (&step.pointwise, &self.homes[i]) {
            self.isa.run(pointwise::Run {
                program,
                homes,
                pieces: cut.pieces(chunk),
                slots: self.slots,
                scratch: &mut workspace.pointwise,
            });
        }
    }

    /// A chunk of a kernel's result.
    fn kernel(&self, kernel: &plan::Kernel, cut: &Cut, chunk: &Chunk, workspace: &mut Workspace) {
        // What a chunk of a result of one row is.
        let range = cut.piece(chunk, 0);
        // SAFETY: a kernel's operands, and the packing buffer after packing, are not written by its step (see
        // `tasks`).
        let whole = |slot| unsafe { self.whole(slot) };
        // SAFETY: every range is a piece of the current chunk of the kernel's result. Each arm borrows it once; the
        // convolutions let go of a piece before they ask for another one.
        let mine = |slot, range| unsafe { self.mine(slot, range) };
        match kernel {
            plan::Kernel::Matmul {
                a,
                b,
                out,
                ta,
                tb,
                size,
            } => {
                let gemm = Gemm::new(*ta, *tb, *size);
                let right = gemm.right(lanes_of(self.isa));
                let b = match right {
                    Right::Own(count) => &workspace.matrix[..count],
                    Right::Shared(count) => &whole(self.pack)[..count],
                    Right::InPlace => &whole(*b)[..gemm.k * gemm.n],
                };
                self.isa.run(gemm::Rows {
                    gemm,
                    right,
                    a: &whole(*a)[..gemm.m * gemm.k],
                    b,
                    rows: range.start / gemm.n..range.end / gemm.n,
                    out: mine(*out, range),
                });
            }
            plan::Kernel::Convolution {
                what,
                a,
                b,
                out,
                sizes,
            } => {
                let piece = |outer| mine(*out, cut.piece(chunk, outer));
                let scratch = &mut workspace.convolution;
                if convolution::scatters(*what, sizes, lanes_of(self.isa)) {
                    self.isa.run(Scatter {
                        c: *sizes,
                        y: whole(*a),
                        w: whole(*b),
                        chunk,
                        scratch,
                        piece,
                    });
                } else {
                    self.isa.run(Sums {
                        product: Product::new(*what, sizes),
                        left: whole(self.pack),
                        right: whole(*b),
                        chunk,
                        scratch,
                        piece,
                    });
                }
            }
            plan::Kernel::Sum { x, out, size } => self.isa.run(rearrange::Sum {
                size: *size,
                x: whole(*x),
                chains: {
                    let chains = rearrange::shared_chains(*size, lanes_of(self.isa));
                    &whole(self.pack)[..chains]
                },
                range: range.clone(),
                out: mine(*out, range),
            }),
            plan::Kernel::Broadcast { x, out, from, to } => {
                let out = mine(*out, range.clone());
                rearrange::broadcast(whole(*x), from, to, range, out);
            }
            plan::Kernel::Transpose { x, out, size } => {
                let out = mine(*out, range.clone());
                rearrange::transpose(whole(*x), *size, range, out);
            }
            plan::Kernel::Pairwise {
                what,
                d,
                charges,
                out,
                size,
            } => {
                let geometry = geometry_of(*size);
                let width = pairwise::width(*what, geometry.m);
                self.isa.run(pairwise::Sums {
                    what: *what,
                    geometry,
                    d: *d,
                    epsilon: whole(charges[0])[0],
                    a: whole(charges[1]),
                    v: match what {
                        Pairwise::Curvature(v) => whole(*v),
                        _ => &[],
                    },
                    charges: [whole(charges[2]), whole(charges[3])],
                    packed: match pairwise::packs(*what, geometry.m) {
                        true => &whole(self.pack)[..geometry.packed(lanes_of(self.isa))],
                        false => &[],
                    },
                    scratch: &mut workspace.pairwise,
                    range: range.start / width..range.end / width,
                    out: mine(*out, range),
                });
            }
        }
    }
}
