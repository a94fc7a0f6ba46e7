//! Potentials and fields as launches.
//!
//! In few dimensions one kernel does it all, one or several threads for each number of the result. In many dimensions most of the
//! work are the squared distances: a tiled product with squared differences in place of products, cut along the
//! coordinates too; what remains is small.

use super::epilogue::Place;
use super::launch::{AXIS, Kernel, grid};
use super::lower::{GEMM, Lowering, Shader};
use super::tile::{Engine, cut};
use crate::tape::plan::kernel::Pairs;
use crate::tape::plan::{Facts, Pairwise};

const FUNCTIONS: &str = include_str!("../../../kernels/functions.wgsl");
const PAIRS: &str = include_str!("../../../kernels/pairs.wgsl");
const DISTANCES: &str = include_str!("../../../kernels/distances.wgsl");
const POTENTIAL: &str = include_str!("../../../kernels/pairs_potential.wgsl");
const WEIGHTS: &str = include_str!("../../../kernels/pairs_weights.wgsl");
const FIELD: &str = include_str!("../../../kernels/pairs_field.wgsl");

/// Up to this dimension one kernel does it all.
const FEW: usize = 16;

/// Threads that keep a large device busy.
const THREADS: usize = 1 << 16;

/// The most squared distances that are kept at a time, all parts counted: 64 MiB.
const KEPT: usize = 1 << 24;

impl Shader for Pairs {
    fn launch(&self, lowering: &mut Lowering<'_>) {
        let [points, real, generated, m] = self.size;
        if points == 0 {
            return;
        }
        let slots = self.charges.map(Place::Slot);
        let (number, v) = match self.what {
            Pairwise::Potential => (0, self.charges[1]),
            Pairwise::Field => (1, self.charges[1]),
            Pairwise::Curvature(v) => (2, v),
        };
        if m > FEW && !matches!(self.what, Pairwise::Curvature(_)) {
            lowering.many_dimensions(self.what, self.d, slots, self.size);
            return;
        }
        let numbers = self.count();
        let group = lowering.group();
        let lanes = lowering.lanes(numbers, real + generated);
        lowering.finish(&Kernel {
            name: "pairs",
            files: &[PAIRS, FUNCTIONS],
            formats: &[],
            constants: &[],
            overrides: &[
                ("GROUP", group as f64),
                ("LANES", lanes as f64),
                ("WHAT", f64::from(number)),
                ("D", f64::from(self.d)),
            ],
            operands: &[slots[0], slots[1], slots[2], slots[3], Place::Slot(v)],
            sizes: &[points, real, generated, m].map(|n| n as u32),
            grid: grid((numbers * lanes).div_ceil(group)),
        });
    }
}

impl Lowering<'_> {
    /// Threads that share a number of the result, so that there are enough of them: a power of two.
    fn lanes(&self, numbers: usize, charges: usize) -> usize {
        let mut lanes = 1;
        while !self.software()
            && lanes < self.group()
            && numbers * lanes < THREADS
            && lanes < charges
        {
            lanes *= 2;
        }
        lanes
    }

    fn many_dimensions(
        &mut self,
        what: Pairwise,
        d: u32,
        [epsilon, a, y, x]: [Place; 4],
        [points, real, generated, m]: [usize; 4],
    ) {
        let charges = real + generated;
        // As many points at a time as distances to all charges can be kept for.
        let rows_at_a_time = (KEPT / charges).clamp(1, points.min(AXIS));
        let group = self.group();
        for first in (0..points).step_by(rows_at_a_time) {
            let rows = rows_at_a_time.min(points - first);
            let pairs = rows * charges;
            // Differences of halves would lose what potentials live on.
            let engine = match self.engine {
                Engine::Cores | Engine::EmulatedCores => Engine::Hardware,
                engine => engine,
            };
            let mut cut = cut(rows, charges, m, engine);
            if cut.parts * pairs > KEPT {
                (cut.parts, cut.part_terms) = (1, m.next_multiple_of(super::tile::DEPTH));
            }
            let [down, across] = cut.tile.count(rows, charges);
            let mut tiles = grid(down * across);
            tiles[2] = cut.parts as u32;
            let squared = self.between(0, cut.parts * pairs);
            let part = [
                rows,
                charges,
                m,
                cut.part_terms,
                pairs,
                down,
                down * across,
                first,
                real,
            ];
            self.pass_on(
                &Kernel {
                    name: "distances",
                    files: &[GEMM, DISTANCES],
                    formats: &[],
                    constants: &[("A4", cut.tile.a4), ("B4", cut.tile.b4)],
                    overrides: &[
                        ("HIGH", f64::from(cut.tile.high)),
                        ("WIDE", f64::from(cut.tile.wide)),
                        ("A_ALONG_TERMS", 1.0),
                        ("B_ALONG_TERMS", 1.0),
                    ],
                    operands: &[a, y, x],
                    sizes: &part.map(|n| n as u32),
                    grid: tiles,
                },
                squared,
            );
            let sizes = [rows, real, generated, cut.parts, first].map(|n| n as u32);
            if what == Pairwise::Potential {
                self.finish(&Kernel {
                    name: "pairs_potential",
                    files: &[POTENTIAL, FUNCTIONS],
                    formats: &[],
                    constants: &[],
                    overrides: &[("GROUP", self.reducing_group() as f64), ("D", f64::from(d))],
                    operands: &[epsilon, squared],
                    sizes: &sizes,
                    grid: [rows as u32, 1, 1],
                });
                continue;
            }
            let weights = self.between(1, pairs);
            self.pass_on(
                &Kernel {
                    name: "pairs_weights",
                    files: &[WEIGHTS, FUNCTIONS],
                    formats: &[],
                    constants: &[],
                    overrides: &[("GROUP", group as f64), ("D", f64::from(d))],
                    operands: &[epsilon, squared],
                    sizes: &sizes[..4],
                    grid: grid(pairs.div_ceil(group)),
                },
                weights,
            );
            self.finish(&Kernel {
                name: "pairs_field",
                files: &[FIELD],
                formats: &[],
                constants: &[],
                overrides: &[("GROUP", group as f64)],
                operands: &[a, y, x, weights],
                sizes: &[rows, real, generated, m, first].map(|n| n as u32),
                grid: grid((rows * m).div_ceil(group)),
            });
        }
    }
}
