//! Pairwise sums in few dimensions: lanes are charges.
//!
//! Charges are packed once into panels: the signed charge `q_j` of each lane, then coordinate after
//! coordinate of a few registers' worth of charges. A block of points keeps its squared distances to one
//! panel in registers while it walks along the coordinates, so each coordinate of a charge is loaded once
//! for all points of the block, differences are formed directly (`‖a‖² + ‖b‖² − 2ab` would cancel where
//! points are near), and no array of all pairs ever exists.

use super::{Geometry, Sums, registers};
use crate::exec::cpu::lanes::math::inverse_half_power;
use crate::exec::cpu::lanes::{Kernel, Lanes};
use crate::tape::plan::Pairwise;

/// Registers per panel.
const WIDTH: usize = 4;

/// In place of a known `d`.
const ANY: u32 = 0;

/// Points that are evaluated together.
pub(super) const POINTS: usize = 4;

impl Geometry {
    /// Panels on a machine with `lanes` numbers per register.
    pub fn panels(&self, lanes: usize) -> usize {
        (self.charges[0] + self.charges[1]).div_ceil(WIDTH * lanes)
    }

    /// Numbers per panel: one signed charge and `m` coordinates per lane.
    pub fn panel(&self, lanes: usize) -> usize {
        WIDTH * lanes * (1 + self.m)
    }

    /// Numbers in all panels.
    pub fn packed(&self, lanes: usize) -> usize {
        self.panels(lanes) * self.panel(lanes)
    }
}

/// Packs panels of charges.
pub(super) struct Pack<'a> {
    pub geometry: Geometry,
    pub y: &'a [f32],
    pub x: &'a [f32],
    pub panels: std::ops::Range<usize>,
    /// Room for exactly these panels.
    pub out: &'a mut [f32],
}

impl Kernel for Pack<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Geometry { charges, m, .. } = self.geometry;
        let lanes = WIDTH * L::N;
        let size = self.geometry.panel(L::N);
        for (panel, out) in self.panels.zip(self.out.chunks_exact_mut(size)) {
            for lane in 0..lanes {
                let j = panel * lanes + lane;
                let (point, q) = if j < charges[0] {
                    (&self.y[j * m..][..m], 1.0 / charges[0] as f32)
                } else if j - charges[0] < charges[1] {
                    let j = j - charges[0];
                    (&self.x[j * m..][..m], -1.0 / charges[1] as f32)
                } else {
                    // Lanes behind the last charge: charge 0 at the first one's place. Anywhere else, say at
                    // the origin, 0 times a kernel that overflows would spoil points far from all charges.
                    (&self.y[..m], 0.0)
                };
                out[lane] = q;
                for (c, &coordinate) in point.iter().enumerate() {
                    out[(1 + c) * lanes + lane] = coordinate;
                }
            }
        }
    }
}

impl Sums<'_> {
    /// Walks through the panels with blocks of points. With 16 registers, larger blocks would spill their sums. There is
    /// a loop for the usual `d`, in which powers are known products, and one for all others.
    #[inline(always)]
    pub(super) fn by_panels<L: Lanes>(self, packed: &[f32]) {
        match (L::REGISTERS >= 32, self.d) {
            (true, 3) => self.blocks::<L, POINTS, 3>(packed),
            (true, _) => self.blocks::<L, POINTS, ANY>(packed),
            (false, 3) => self.blocks::<L, 2, 3>(packed),
            (false, _) => self.blocks::<L, 2, ANY>(packed),
        }
    }

    #[inline(always)]
    fn blocks<L: Lanes, const P: usize, const D: u32>(self, packed: &[f32]) {
        let (m, width) = (self.geometry.m, self.width);
        self.out.fill(0.0);
        let mut start = self.range.start;
        for out in self.out.chunks_mut(P * width) {
            let points = out.len() / width;
            // A short block evaluates its last point several times.
            let row = |p: usize| start + p.min(points - 1);
            let block = Block::<P> {
                d: if D == ANY { self.d } else { D },
                epsilon_squared: self.epsilon * self.epsilon,
                a: std::array::from_fn(|p| &self.a[row(p) * m..][..m]),
            };
            let panels = packed.chunks_exact(self.geometry.panel(L::N));
            match self.what {
                Pairwise::Potential => block.potential::<L>(panels, out),
                Pairwise::Field => {
                    for panel in panels {
                        block.field::<L>(panel, out);
                    }
                }
                Pairwise::Curvature(_) => {
                    let v = std::array::from_fn(|p| &self.v[row(p) * m..][..m]);
                    for panel in panels {
                        block.curvature::<L>(panel, v, out);
                    }
                }
            }
            start += points;
        }
    }
}

/// A block of evaluation points.
struct Block<'a, const P: usize> {
    d: u32,
    epsilon_squared: f32,
    a: [&'a [f32]; P],
}

impl<const P: usize> Block<'_, P> {
    /// `s = ‖a − b‖² + ε²` for all pairs of the block and a panel.
    #[inline(always)]
    fn squared<L: Lanes>(&self, panel: &[f32]) -> [[L; WIDTH]; P] {
        let mut s = [[L::splat(self.epsilon_squared); WIDTH]; P];
        let coordinates = panel[WIDTH * L::N..].chunks_exact(WIDTH * L::N);
        for (c, b) in coordinates.enumerate() {
            let b = registers::<L, WIDTH>(b);
            for (s, a) in s.iter_mut().zip(&self.a) {
                let a = L::splat(a[c]);
                for (s, b) in s.iter_mut().zip(b) {
                    *s = s.add_square(a.sub(b));
                }
            }
        }
        s
    }

    /// Eq. (8): `Φ̂(a) = Σ_j q_j s_j^(−d/2)`.
    #[inline(always)]
    fn potential<'p, L: Lanes>(&self, panels: impl Iterator<Item = &'p [f32]>, out: &mut [f32]) {
        let mut phi = [L::splat(0.0); P];
        for panel in panels {
            let q = registers::<L, WIDTH>(panel);
            let s = self.squared::<L>(panel);
            for (phi, s) in phi.iter_mut().zip(&s) {
                for (s, q) in s.iter().zip(&q) {
                    *phi = q.mul_add(inverse_half_power(*s, self.d), *phi);
                }
            }
        }
        for (out, phi) in out.iter_mut().zip(phi) {
            *out = phi.sum();
        }
    }

    /// Eq. (34): adds `Σ_j q_j d s_j^(−(d+2)/2) (a − b_j)` over one panel.
    #[inline(always)]
    fn field<L: Lanes>(&self, panel: &[f32], out: &mut [f32]) {
        let q = registers::<L, WIDTH>(panel);
        let mut weights = self.squared::<L>(panel);
        let d = L::splat(self.d as f32);
        for weights in &mut weights {
            for (weight, q) in weights.iter_mut().zip(q) {
                *weight = q.mul(d).mul(inverse_half_power(*weight, self.d + 2));
            }
        }
        self.add_differences::<L>(panel, &weights, out);
    }

    /// Adds `Σ_j w_j (a − b_j)` over one panel to each point's row.
    #[inline(always)]
    fn add_differences<L: Lanes>(&self, panel: &[f32], weights: &[[L; WIDTH]; P], out: &mut [f32]) {
        let m = self.a[0].len();
        let coordinates = panel[WIDTH * L::N..].chunks_exact(WIDTH * L::N);
        for (c, b) in coordinates.enumerate() {
            let b = registers::<L, WIDTH>(b);
            let rows = out.chunks_exact_mut(m);
            for ((a, weights), row) in self.a.iter().zip(weights).zip(rows) {
                let a = L::splat(a[c]);
                let mut sum = L::splat(0.0);
                for (&weight, b) in weights.iter().zip(b) {
                    sum = weight.mul_add(a.sub(b), sum);
                }
                row[c] += sum.sum();
            }
        }
    }

    /// Adds `Σ_j q_j (−d s^(−(d+2)/2) v + d (d+2) s^(−(d+4)/2) ((a−b_j)·v) (a−b_j))` over one panel.
    #[inline(always)]
    fn curvature<L: Lanes>(&self, panel: &[f32], v: [&[f32]; P], out: &mut [f32]) {
        let m = self.a[0].len();
        let q = registers::<L, WIDTH>(panel);
        let s = self.squared::<L>(panel);
        // First (a − b)·v, which then becomes the weight of a − b.
        let mut weights = [[L::splat(0.0); WIDTH]; P];
        for (c, b) in panel[WIDTH * L::N..].chunks_exact(WIDTH * L::N).enumerate() {
            let b = registers::<L, WIDTH>(b);
            for ((along, a), v) in weights.iter_mut().zip(&self.a).zip(&v) {
                let (a, v) = (L::splat(a[c]), L::splat(v[c]));
                for (along, b) in along.iter_mut().zip(b) {
                    *along = a.sub(b).mul_add(v, *along);
                }
            }
        }
        let d = self.d as f32;
        for (weights, s) in weights.iter_mut().zip(&s) {
            for ((weight, &s), q) in weights.iter_mut().zip(s).zip(q) {
                let power = inverse_half_power(s, self.d + 4);
                *weight = q.mul(L::splat(d * (d + 2.0))).mul(power).mul(*weight);
            }
        }
        self.add_differences::<L>(panel, &weights, out);
        for ((s, v), row) in s.iter().zip(&v).zip(out.chunks_exact_mut(m)) {
            let mut c = L::splat(0.0);
            for (&s, q) in s.iter().zip(q) {
                c = q
                    .mul(L::splat(-d))
                    .mul_add(inverse_half_power(s, self.d + 2), c);
            }
            let c = c.sum();
            for (out, v) in row.iter_mut().zip(*v) {
                *out += c * v;
            }
        }
    }
}
