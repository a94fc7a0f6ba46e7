//! Max pooling and its way back, as launches.

use super::epilogue::Place;
use super::launch::{Kernel, grid};
use super::lower::{Lowering, Shader};
use crate::tape::plan::Facts;
use crate::tape::plan::kernel::{Pool, Way};

const LARGEST: &str = include_str!("../../../kernels/pool_largest.wgsl");
const PICK: &str = include_str!("../../../kernels/pool_pick.wgsl");
const SPREAD: &str = include_str!("../../../kernels/pool_spread.wgsl");

impl Shader for Pool {
    fn launch(&self, lowering: &mut Lowering<'_>) {
        let (count, group) = (self.count(), lowering.group());
        if count == 0 {
            return;
        }
        let sizes = [
            [count, self.sizes.planes],
            self.sizes.picture,
            self.sizes.answer,
            self.sizes.kernel,
            self.sizes.window.stride,
            self.sizes.window.padding,
        ];
        let (name, files): (_, &[&str]) = match self.what {
            Way::Pick => ("pool_pick", &[PICK, LARGEST]),
            Way::Spread => ("pool_spread", &[SPREAD, LARGEST]),
        };
        lowering.finish(&Kernel {
            name,
            files,
            formats: &[],
            constants: &[],
            overrides: &[("GROUP", group as f64)],
            operands: &[self.by, self.x].map(Place::Slot),
            sizes: &sizes.concat().iter().map(|&n| n as u32).collect::<Vec<_>>(),
            grid: grid(count.div_ceil(group)),
        });
    }
}
