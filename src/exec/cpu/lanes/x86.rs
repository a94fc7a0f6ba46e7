//! AVX2 with FMA (8 lanes, 16 registers) and AVX-512 (16 lanes, 32 registers).
//!
//! The intrinsics may only run on a processor that has them. [`Isa`] values of these two kinds exist only
//! after detection, the `run_…` functions demand one, and the register types are private to this module, so
//! no lane operation can be reached without it.

#![expect(
    unsafe_code,
    reason = "processor instructions behind run-time detection"
)]

use std::arch::x86_64::*;
use std::cell::Cell;

use super::{Isa, Kernel, Lanes, Which, shuffles};

/// Runs `kernel` with AVX-512.
pub(super) fn run_avx512<K: Kernel>(kernel: K, isa: Isa) -> K::Output {
    #[target_feature(enable = "avx512f,avx2,fma")]
    fn inner<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Avx512>()
    }
    assert_eq!(isa.0, Which::Avx512);
    // SAFETY: an `Isa` of this kind is only made after detecting AVX-512F, which implies AVX2 and FMA.
    unsafe { inner(kernel) }
}

/// Runs `kernel` with AVX2 and FMA.
pub(super) fn run_avx2<K: Kernel>(kernel: K, isa: Isa) -> K::Output {
    #[target_feature(enable = "avx2,fma")]
    fn inner<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Avx2>()
    }
    assert_eq!(isa.0, Which::Avx2);
    // SAFETY: an `Isa` of this kind is only made after detecting AVX2 and FMA.
    unsafe { inner(kernel) }
}

/// Implements the lane operations of a register type by naming its intrinsics. A macro, because the two
/// implementations differ in nothing but these names, and a function cannot be generic over intrinsics.
macro_rules! lanes {
    (
        $name:ident, $n:literal, $registers:literal, $set1:ident, $loadu:ident, $storeu:ident, $add:ident,
        $sub:ident, $mul:ident, $div:ident, $fmadd:ident, $sqrt:ident, $max:ident, $min:ident, $select:path,
        $round:path, $to_int:ident, $set1_int:ident, $add_int:ident, $shift:ident, $cast:ident,
        $transpose:path, $sums:path, $inverse_sqrt:path,
        $add_square:path
    ) => {
        // SAFETY (for every block): values of this type are only made and used inside `run_…` above, on a
        // processor that has the instructions; loads and stores check the slice's length first and have no
        // alignment requirement.
        impl Lanes for $name {
            const N: usize = $n;
            const REGISTERS: usize = $registers;
            #[inline(always)]
            fn splat(x: f32) -> Self {
                // SAFETY: see above.
                Self(unsafe { $set1(x) })
            }
            #[inline(always)]
            fn load(x: &[f32]) -> Self {
                let lanes = x.first_chunk::<$n>().expect("a register of numbers");
                // SAFETY: see above.
                Self(unsafe { $loadu(lanes.as_ptr()) })
            }
            #[inline(always)]
            fn store(self, out: &mut [f32]) {
                let lanes = out.first_chunk_mut::<$n>().expect("room for a register");
                // SAFETY: see above.
                unsafe { $storeu(lanes.as_mut_ptr(), self.0) }
            }
            #[inline(always)]
            fn load_cells(x: &[Cell<f32>]) -> Self {
                let lanes = x.first_chunk::<$n>().expect("a register of numbers");
                // SAFETY: see above; a cell is laid out as what it holds, and is not shared between threads.
                Self(unsafe { $loadu(lanes.as_ptr().cast()) })
            }
            #[inline(always)]
            fn store_cells(self, out: &[Cell<f32>]) {
                let lanes = out.first_chunk::<$n>().expect("room for a register");
                // SAFETY: as for `load_cells`; cells may be written through shared references.
                unsafe { $storeu(lanes.as_ptr().cast_mut().cast(), self.0) }
            }
            #[inline(always)]
            fn add(self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $add(self.0, b.0) })
            }
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $sub(self.0, b.0) })
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $mul(self.0, b.0) })
            }
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $div(self.0, b.0) })
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $fmadd(self.0, b.0, c.0) })
            }
            #[inline(always)]
            fn add_square(self, x: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $add_square(self.0, x.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn inverse_sqrt(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $inverse_sqrt(self.0) })
            }
            // Both instructions return their second operand where one is not a number.
            #[inline(always)]
            fn max(self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $max(self.0, b.0) })
            }
            #[inline(always)]
            fn min(self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $min(self.0, b.0) })
            }
            #[inline(always)]
            fn if_positive(self, yes: Self, no: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $select(self.0, yes.0, no.0) })
            }
            #[inline(always)]
            fn round(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $round(self.0) })
            }
            #[inline(always)]
            fn transpose(x: &[f32], x_row: usize, out: &mut [f32], out_row: usize) {
                let mut block = [Self::splat(0.0).0; $n];
                for (i, row) in block.iter_mut().enumerate() {
                    *row = Self::load(&x[i * x_row..]).0;
                }
                // SAFETY: see above.
                let block = unsafe { $transpose(block) };
                for (i, column) in block.into_iter().enumerate() {
                    Self(column).store(&mut out[i * out_row..]);
                }
            }
            #[inline(always)]
            fn sums(x: &[Self]) -> Self {
                let mut block = [Self::splat(0.0).0; $n];
                for (register, x) in block.iter_mut().zip(&x[..$n]) {
                    *register = x.0;
                }
                // SAFETY: see above.
                Self(unsafe { $sums(block) })
            }
            #[inline(always)]
            fn exp2_whole(self) -> Self {
                // The exponent field of 2^n holds n + 127, above 23 bits of fraction.
                // SAFETY: see above.
                Self(unsafe { $cast($shift::<23>($add_int($to_int(self.0), $set1_int(127)))) })
            }
        }
    };
}

/// Sixteen numbers.
#[derive(Clone, Copy)]
struct Avx512(__m512);

/// Eight numbers.
#[derive(Clone, Copy)]
struct Avx2(__m256);

const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

#[inline]
#[target_feature(enable = "avx512f")]
fn select512(x: __m512, yes: __m512, no: __m512) -> __m512 {
    let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps());
    _mm512_mask_blend_ps(positive, no, yes)
}

#[inline]
#[target_feature(enable = "avx2")]
fn select256(x: __m256, yes: __m256, no: __m256) -> __m256 {
    let positive = _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps());
    _mm256_blendv_ps(no, yes, positive)
}

/// An estimate of 14 bits and a Newton step, in a quarter of the time that a root and a division take:
/// `r ← r + r (1 − x r²) / 2`. The step is not a number where the estimate, being 0 or infinite, is right already.
#[inline]
#[target_feature(enable = "avx512f")]
fn inverse_sqrt512(x: __m512) -> __m512 {
    let r = _mm512_rsqrt14_ps(x);
    let rest = _mm512_fnmadd_ps(_mm512_mul_ps(x, r), r, _mm512_set1_ps(1.0));
    let half = _mm512_mul_ps(r, _mm512_set1_ps(0.5));
    let step = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(rest, rest);
    _mm512_mask3_fmadd_ps(half, rest, r, step)
}

#[inline]
#[target_feature(enable = "avx2")]
fn inverse_sqrt256(x: __m256) -> __m256 {
    _mm256_div_ps(_mm256_set1_ps(1.0), _mm256_sqrt_ps(x))
}

/// The form of the instruction that adds to its first operand. The compiler prefers the one that overwrites a factor
/// where both are the same, and then, in a tile of sums, needs twice as many registers and moves all of them back.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_square512(mut sum: __m512, x: __m512) -> __m512 {
    // SAFETY: the instruction reads and writes these registers only, and AVX-512F has it.
    unsafe {
        std::arch::asm!(
            "vfmadd231ps {sum}, {x}, {x}",
            sum = inout(zmm_reg) sum,
            x = in(zmm_reg) x,
            options(pure, nomem, nostack)
        );
    }
    sum
}

/// As [`add_square512`].
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_square256(mut sum: __m256, x: __m256) -> __m256 {
    // SAFETY: the instruction reads and writes these registers only, and FMA has it.
    unsafe {
        std::arch::asm!(
            "vfmadd231ps {sum}, {x}, {x}",
            sum = inout(ymm_reg) sum,
            x = in(ymm_reg) x,
            options(pure, nomem, nostack)
        );
    }
    sum
}

lanes!(
    Avx512,
    16,
    32,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_fmadd_ps,
    _mm512_sqrt_ps,
    _mm512_max_ps,
    _mm512_min_ps,
    select512,
    _mm512_roundscale_ps::<NEAREST>,
    _mm512_cvtps_epi32,
    _mm512_set1_epi32,
    _mm512_add_epi32,
    _mm512_slli_epi32,
    _mm512_castsi512_ps,
    shuffles::transpose512,
    shuffles::sums512,
    inverse_sqrt512,
    add_square512
);

lanes!(
    Avx2,
    8,
    16,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_fmadd_ps,
    _mm256_sqrt_ps,
    _mm256_max_ps,
    _mm256_min_ps,
    select256,
    _mm256_round_ps::<NEAREST>,
    _mm256_cvtps_epi32,
    _mm256_set1_epi32,
    _mm256_add_epi32,
    _mm256_slli_epi32,
    _mm256_castsi256_ps,
    shuffles::transpose256,
    shuffles::sums256,
    inverse_sqrt256,
    add_square256
);
