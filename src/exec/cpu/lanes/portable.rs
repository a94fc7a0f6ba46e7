//! Eight lanes on any processor, through the `wide` crate: two SSE registers on the oldest x86-64, NEON on
//! Arm, plain loops elsewhere.

use std::cell::Cell;

use wide::f32x8;

use super::Lanes;

/// Eight numbers.
#[derive(Clone, Copy)]
pub(super) struct Portable(f32x8);

impl Lanes for Portable {
    const N: usize = 8;
    // Sixteen of half the size.
    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self(f32x8::splat(x))
    }
    #[inline(always)]
    fn load(x: &[f32]) -> Self {
        let &lanes = x.first_chunk::<8>().expect("eight numbers");
        Self(f32x8::new(lanes))
    }
    #[inline(always)]
    fn store(self, out: &mut [f32]) {
        *out.first_chunk_mut::<8>().expect("room for eight numbers") = self.0.to_array();
    }
    #[inline(always)]
    fn load_cells(x: &[Cell<f32>]) -> Self {
        let mut lanes = [0.0; 8];
        for (lane, x) in lanes.iter_mut().zip(&x[..8]) {
            *lane = x.get();
        }
        Self(f32x8::new(lanes))
    }
    #[inline(always)]
    fn store_cells(self, out: &[Cell<f32>]) {
        for (x, out) in self.0.to_array().into_iter().zip(&out[..8]) {
            out.set(x);
        }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self(self.0 + b.0)
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self(self.0 - b.0)
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        Self(self.0 * b.0)
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        Self(self.0 / b.0)
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_add(b.0, c.0))
    }
    #[inline(always)]
    fn add_square(self, x: Self) -> Self {
        x.mul_add(x, self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }
    #[inline(always)]
    fn inverse_sqrt(self) -> Self {
        Self(f32x8::ONE / self.0.sqrt())
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        Self(self.0.simd_gt(b.0).select(self.0, b.0))
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        Self(self.0.simd_lt(b.0).select(self.0, b.0))
    }
    #[inline(always)]
    fn if_positive(self, yes: Self, no: Self) -> Self {
        Self(self.0.simd_gt(f32x8::ZERO).select(yes.0, no.0))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(self.0.round())
    }
    #[inline(always)]
    fn transpose(x: &[f32], x_row: usize, out: &mut [f32], out_row: usize) {
        for i in 0..8 {
            for (j, x) in x[i * x_row..][..8].iter().enumerate() {
                out[j * out_row + i] = *x;
            }
        }
    }
    #[inline(always)]
    fn sums(x: &[Self]) -> Self {
        let mut sums = [0.0; 8];
        for (sum, x) in sums.iter_mut().zip(&x[..8]) {
            *sum = x.sum();
        }
        Self(f32x8::new(sums))
    }
    #[inline(always)]
    fn exp2_whole(self) -> Self {
        let bits = self.0.to_array().map(|n| ((n as i32 + 127) as u32) << 23);
        Self(f32x8::new(bits.map(f32::from_bits)))
    }
}
