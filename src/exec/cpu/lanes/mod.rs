//! SIMD without writing anything three times: kernels are generic over [`Lanes`], and the instruction set is
//! chosen once, at run time.
//!
//! A kernel is a struct with its arguments that implements [`Kernel`]; [`Isa::run`] instantiates it for the
//! chosen instruction set inside a function that the compiler may fill with those instructions. Everything
//! is inlined into that function, so a kernel is safe, ordinary code, and a binary from a plain
//! `cargo build --release` uses AVX-512 where there is AVX-512, and still runs where there is not even AVX.

pub(super) mod math;
mod portable;
#[cfg(target_arch = "x86_64")]
mod shuffles;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::cell::Cell;

use crate::numbers::{Error, Result};

/// The environment variable that names the instruction set to use.
const VARIABLE: &str = "COULOMB_ISA";

/// A register of `N` numbers. All operations act on each lane.
pub(super) trait Lanes: Copy {
    /// Numbers per register.
    const N: usize;
    /// Registers of the processor, in units of this one: kernels keep larger tiles in more of them.
    const REGISTERS: usize;
    /// The same number in every lane.
    fn splat(x: f32) -> Self;
    /// The first `N` numbers of `x`; panics if there are fewer.
    fn load(x: &[f32]) -> Self;
    /// Writes the lanes to the first `N` numbers of `out`; panics if there are fewer.
    fn store(self, out: &mut [f32]);
    /// As [`load`](Self::load), from cells.
    fn load_cells(x: &[Cell<f32>]) -> Self;
    /// As [`store`](Self::store), to cells.
    fn store_cells(self, out: &[Cell<f32>]);
    /// `self + b`.
    fn add(self, b: Self) -> Self;
    /// `self − b`.
    fn sub(self, b: Self) -> Self;
    /// `self · b`.
    fn mul(self, b: Self) -> Self;
    /// `self / b`.
    fn div(self, b: Self) -> Self;
    /// `self · b + c`, rounded once where the machine has fused multiply-add.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `self + x²`, rounded once where the machine has fused multiply-add.
    fn add_square(self, x: Self) -> Self;
    /// `√self`.
    fn sqrt(self) -> Self;
    /// `1 / √self`, within 2 units in the last place; 0 and infinity are each other's.
    fn inverse_sqrt(self) -> Self;
    /// `self` where `self > b`, else `b`; so `b` where one of them is not a number.
    fn max(self, b: Self) -> Self;
    /// `self` where `self < b`, else `b`; so `b` where one of them is not a number.
    fn min(self, b: Self) -> Self;
    /// `yes` where `self > 0`, else `no`.
    fn if_positive(self, yes: Self, no: Self) -> Self;
    /// The nearest whole number.
    fn round(self) -> Self;
    /// `2^self` for whole numbers from −126 to 128 (2^128 is infinite).
    fn exp2_whole(self) -> Self;

    /// Writes `N` rows of `N` numbers as columns: row `i` starts at `i · x_row` of `x`, column `i` of it becomes row
    /// `i` of `out`, which starts at `i · out_row`. Panics if there are fewer numbers.
    fn transpose(x: &[f32], x_row: usize, out: &mut [f32], out_row: usize);

    /// The [`sum`](Self::sum) of each of `N` registers, one per lane; panics if there are fewer.
    fn sums(x: &[Self]) -> Self;

    /// The sum of all lanes, always in the same order.
    #[inline(always)]
    fn sum(self) -> f32 {
        let mut lanes = [0.0; 16];
        self.store(&mut lanes);
        let mut n = Self::N;
        while n > 1 {
            n /= 2;
            for i in 0..n {
                lanes[i] += lanes[i + n];
            }
        }
        lanes[0]
    }

    /// Up to `N` numbers of `x`, and `rest` behind them.
    #[inline(always)]
    fn load_partial(x: &[f32], rest: f32) -> Self {
        if x.len() >= Self::N {
            return Self::load(x);
        }
        let mut lanes = [rest; 16];
        lanes[..x.len()].copy_from_slice(x);
        Self::load(&lanes)
    }

    /// Writes as many lanes as `out` has room for.
    #[inline(always)]
    fn store_partial(self, out: &mut [f32]) {
        if out.len() >= Self::N {
            return self.store(out);
        }
        let mut lanes = [0.0; 16];
        self.store(&mut lanes);
        out.copy_from_slice(&lanes[..out.len()]);
    }
}

/// A computation that can be instantiated for any register type.
///
/// Implementations mark `run`, and what it calls in its inner loops, `#[inline(always)]`: only code that is
/// inlined into the instruction set's function is compiled with its instructions.
pub(super) trait Kernel {
    /// What the computation returns.
    type Output;
    /// The computation.
    fn run<L: Lanes>(self) -> Self::Output;
}

/// An instruction set that this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Which);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Isa {
    /// Every instruction set that this machine has, the best first. The last one is always there.
    pub fn available() -> Vec<Self> {
        let mut all = vec![];
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                all.push(Self(Which::Avx512));
            }
            if std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("fma")
            {
                all.push(Self(Which::Avx2));
            }
        }
        all.push(Self(Which::Portable));
        all
    }

    /// The one that the environment variable `COULOMB_ISA` names, or without it the best.
    ///
    /// # Errors
    /// If there is no such instruction set, or not on this machine.
    pub fn chosen() -> Result<Self> {
        let all = Self::available();
        let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else {
            return Ok(all[0]);
        };
        let found = all.iter().find(|isa| name == isa.name());
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|isa| isa.name()).collect();
            Error::usage(format!(
                "{VARIABLE} is {}, which this machine does not have; it has {}",
                name.display(),
                names.join(", ")
            ))
        })
    }

    /// `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Which::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Which::Avx2 => "avx2",
            Which::Portable => "portable",
        }
    }

    /// Runs `kernel` with this instruction set.
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Which::Avx512 => x86::run_avx512(kernel, self),
            #[cfg(target_arch = "x86_64")]
            Which::Avx2 => x86::run_avx2(kernel, self),
            Which::Portable => kernel.run::<portable::Portable>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct SumsAreSums;
    impl Kernel for SumsAreSums {
        type Output = ();
        fn run<L: Lanes>(self) {
            let numbers: Vec<f32> = (0..16 * L::N).map(|i| (i as f32).sin()).collect();
            let registers: Vec<L> = numbers.chunks(L::N).map(L::load).collect();
            let mut sums = vec![f32::NAN; L::N];
            L::sums(&registers).store(&mut sums);
            let expected: Vec<f32> = registers[..L::N].iter().map(|x| x.sum()).collect();
            assert_eq!(sums, expected);
        }
    }

    #[test]
    fn sums_of_registers_are_their_sums_bit_for_bit() {
        for isa in Isa::available() {
            isa.run(SumsAreSums);
        }
    }
}
