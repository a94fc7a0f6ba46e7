//! The loops of pointwise programs: a function of one or two operands, whatever these are.
//!
//! There is a type for each kind of operand and for each function, so that every combination is a loop of its own, which
//! does not ask what it computes. (Closures would be shorter, but may stay functions of their own, compiled without the
//! instruction set.) Numbers are seen as cells, because an instruction may write where it reads.

use std::cell::Cell;
use std::slice::ChunksExact;

use crate::exec::cpu::lanes::{Lanes, math};
use crate::tape::{Map, Zip};

/// An operand.
pub(super) enum Operand<'a, L> {
    /// These numbers.
    Each(&'a [Cell<f32>]),
    /// These, scaled and shifted.
    Affine(&'a [Cell<f32>], L, L),
    /// The same in every register.
    Same(L),
}

/// Gives numbers, register after register.
trait Source<L> {
    fn next(&mut self) -> L;
}

struct Each<'a>(ChunksExact<'a, Cell<f32>>);
struct Same<L>(L);
struct Affine<X, L>(X, L, L);
struct Exp<X>(X);
struct Tanh<X>(X);
struct Elu<X>(X);
struct Sqrt<X>(X);
struct Step<X>(X);
/// A function of the standard library, number by number: rare in our networks.
struct Numbers<X, F>(X, F);
struct Add<A, B>(A, B);
struct Sub<A, B>(A, B);
struct Mul<A, B>(A, B);
struct Div<A, B>(A, B);
struct Max<A, B>(A, B);
struct Min<A, B>(A, B);

impl<L: Lanes> Source<L> for Each<'_> {
    #[inline(always)]
    fn next(&mut self) -> L {
        L::load_cells(self.0.next().unwrap_or_default())
    }
}

impl<L: Lanes> Source<L> for Same<L> {
    #[inline(always)]
    fn next(&mut self) -> L {
        self.0
    }
}

impl<L: Lanes, X: Source<L>> Source<L> for Affine<X, L> {
    #[inline(always)]
    fn next(&mut self) -> L {
        self.0.next().mul_add(self.1, self.2)
    }
}

impl<L: Lanes, X: Source<L>> Source<L> for Exp<X> {
    #[inline(always)]
    fn next(&mut self) -> L {
        math::exp(self.0.next())
    }
}

impl<L: Lanes, X: Source<L>> Source<L> for Tanh<X> {
    #[inline(always)]
    fn next(&mut self) -> L {
        math::tanh(self.0.next())
    }
}

impl<L: Lanes, X: Source<L>> Source<L> for Elu<X> {
    #[inline(always)]
    fn next(&mut self) -> L {
        math::elu(self.0.next())
    }
}

impl<L: Lanes, X: Source<L>> Source<L> for Sqrt<X> {
    #[inline(always)]
    fn next(&mut self) -> L {
        self.0.next().sqrt()
    }
}

impl<L: Lanes, X: Source<L>> Source<L> for Step<X> {
    #[inline(always)]
    fn next(&mut self) -> L {
        let (yes, no) = (L::splat(1.0), L::splat(0.0));
        self.0.next().if_positive(yes, no)
    }
}

impl<L: Lanes, X: Source<L>, F: Fn(f32) -> f32> Source<L> for Numbers<X, F> {
    #[inline(always)]
    fn next(&mut self) -> L {
        let mut lanes = [0.0; 16];
        self.0.next().store(&mut lanes);
        for x in &mut lanes[..L::N] {
            *x = self.1(*x);
        }
        L::load(&lanes)
    }
}

impl<L: Lanes, A: Source<L>, B: Source<L>> Source<L> for Add<A, B> {
    #[inline(always)]
    fn next(&mut self) -> L {
        self.0.next().add(self.1.next())
    }
}

impl<L: Lanes, A: Source<L>, B: Source<L>> Source<L> for Sub<A, B> {
    #[inline(always)]
    fn next(&mut self) -> L {
        self.0.next().sub(self.1.next())
    }
}

impl<L: Lanes, A: Source<L>, B: Source<L>> Source<L> for Mul<A, B> {
    #[inline(always)]
    fn next(&mut self) -> L {
        self.0.next().mul(self.1.next())
    }
}

impl<L: Lanes, A: Source<L>, B: Source<L>> Source<L> for Div<A, B> {
    #[inline(always)]
    fn next(&mut self) -> L {
        self.0.next().div(self.1.next())
    }
}

impl<L: Lanes, A: Source<L>, B: Source<L>> Source<L> for Max<A, B> {
    #[inline(always)]
    fn next(&mut self) -> L {
        self.0.next().max(self.1.next())
    }
}

impl<L: Lanes, A: Source<L>, B: Source<L>> Source<L> for Min<A, B> {
    #[inline(always)]
    fn next(&mut self) -> L {
        self.0.next().min(self.1.next())
    }
}

/// Writes `map` of an operand that is at least as long as `out`, which is whole registers.
#[inline(always)]
pub(super) fn apply_map<L: Lanes>(map: Map, x: Operand<L>, out: &[Cell<f32>]) {
    match x {
        Operand::Each(x) => write_map::<L, _>(map, Each(x.chunks_exact(L::N)), out),
        Operand::Affine(x, scale, shift) => {
            let x = Affine(Each(x.chunks_exact(L::N)), scale, shift);
            write_map::<L, _>(map, x, out);
        }
        Operand::Same(x) => write_map::<L, _>(map, Same(x), out),
    }
}

/// Writes `zip` of two operands that are at least as long as `out`, which is whole registers.
#[inline(always)]
pub(super) fn apply_zip<L: Lanes>(zip: Zip, a: Operand<L>, b: Operand<L>, out: &[Cell<f32>]) {
    match a {
        Operand::Each(a) => apply_zip_of::<L, _>(zip, Each(a.chunks_exact(L::N)), b, out),
        Operand::Affine(a, scale, shift) => {
            let a = Affine(Each(a.chunks_exact(L::N)), scale, shift);
            apply_zip_of::<L, _>(zip, a, b, out);
        }
        Operand::Same(a) => apply_zip_of::<L, _>(zip, Same(a), b, out),
    }
}

#[inline(always)]
fn apply_zip_of<L: Lanes, A: Source<L>>(zip: Zip, a: A, b: Operand<L>, out: &[Cell<f32>]) {
    match b {
        Operand::Each(b) => write_zip::<L, _, _>(zip, a, Each(b.chunks_exact(L::N)), out),
        Operand::Affine(b, scale, shift) => {
            let b = Affine(Each(b.chunks_exact(L::N)), scale, shift);
            write_zip::<L, _, _>(zip, a, b, out);
        }
        Operand::Same(b) => write_zip::<L, _, _>(zip, a, Same(b), out),
    }
}

#[inline(always)]
fn write_map<L: Lanes, X: Source<L>>(map: Map, x: X, out: &[Cell<f32>]) {
    match map {
        Map::Affine { scale, shift } => {
            let (scale, shift) = (L::splat(scale as f32), L::splat(shift as f32));
            write(Affine(x, scale, shift), out);
        }
        Map::Exp => write(Exp(x), out),
        Map::Tanh => write(Tanh(x), out),
        Map::Elu => write(Elu(x), out),
        Map::Sqrt => write(Sqrt(x), out),
        Map::Step => write(Step(x), out),
        Map::Ln => write::<L, _>(Numbers(x, f32::ln), out),
        Map::Pow(p) => write::<L, _>(Numbers(x, |x: f32| x.powf(p as f32)), out),
    }
}

#[inline(always)]
fn write_zip<L: Lanes, A: Source<L>, B: Source<L>>(zip: Zip, a: A, b: B, out: &[Cell<f32>]) {
    match zip {
        Zip::Add => write(Add(a, b), out),
        Zip::Sub => write(Sub(a, b), out),
        Zip::Mul => write(Mul(a, b), out),
        Zip::Div => write(Div(a, b), out),
        Zip::Max => write(Max(a, b), out),
        Zip::Min => write(Min(a, b), out),
    }
}

#[inline(always)]
fn write<L: Lanes, X: Source<L>>(mut x: X, out: &[Cell<f32>]) {
    for out in out.chunks_exact(L::N) {
        x.next().store_cells(out);
    }
}
