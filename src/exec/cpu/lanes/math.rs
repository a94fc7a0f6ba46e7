//! Elementary functions on lanes.
//!
//! All rest on one reduction: `x = n ln 2 + r` with whole `n` and `|r| ≤ ln 2 / 2`, so `eˣ = 2ⁿ eʳ`, and a
//! Taylor polynomial for `eʳ − 1 = r + r² P(r)`, whose first left-out term is below 6e-9 of `eʳ`.

use super::Lanes;

/// `2ⁿ` and `eʳ − 1` for the reduction above.
#[inline(always)]
fn reduce<L: Lanes>(x: L) -> (L, L) {
    // Beyond these eˣ leaves the range of f32; written so that NaN passes through both.
    let x = L::splat(-87.33).max(x);
    let x = L::splat(89.0).min(x);
    let n = x.mul(L::splat(std::f32::consts::LOG2_E)).round();
    // ln 2 in two parts: n · 0.693359375 is exact, so r keeps its low bits.
    let r = n.mul_add(L::splat(-0.693_359_4), x);
    let r = n.mul_add(L::splat(2.121_944_4e-4), r);
    let mut p = L::splat(1.0 / 5040.0);
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
        p = p.mul_add(r, L::splat(c));
    }
    (n.exp2_whole(), p.mul_add(r.mul(r), r))
}

/// `eˣ`, within 2 units in the last place; infinite from 88.4, at least 1.1e-38 everywhere.
#[inline(always)]
pub(in crate::exec::cpu) fn exp<L: Lanes>(x: L) -> L {
    let (scale, q) = reduce(x);
    // Not `scale q + scale`: with infinite scale and negative q that is not a number.
    scale.mul(q.add(L::splat(1.0)))
}

/// `eˣ − 1` without cancellation near 0: within 3 units in the last place.
#[inline(always)]
fn exp_m1<L: Lanes>(x: L) -> L {
    let (scale, q) = reduce(x);
    scale.mul_add(q, scale.sub(L::splat(1.0)))
}

/// `x` where `x > 0`, else `eˣ − 1`.
#[inline(always)]
pub(in crate::exec::cpu) fn elu<L: Lanes>(x: L) -> L {
    x.if_positive(x, exp_m1(x))
}

/// Hyperbolic tangent, `−u / (u + 2)` with `u = e^(−2|x|) − 1`, and the sign of `x`: within 4 units in the
/// last place.
#[inline(always)]
pub(in crate::exec::cpu) fn tanh<L: Lanes>(x: L) -> L {
    let negative = L::splat(0.0).sub(x);
    let u = exp_m1(x.if_positive(negative, x).mul(L::splat(2.0)));
    let t = u.div(u.add(L::splat(2.0)));
    x.if_positive(L::splat(0.0).sub(t), t)
}

/// `s^(−p/2)` for a whole `p ≥ 1`.
#[inline(always)]
pub(in crate::exec::cpu) fn inverse_half_power<L: Lanes>(s: L, p: u32) -> L {
    let (mut result, inverse) = if p % 2 == 1 {
        let root = s.inverse_sqrt();
        (root, root.mul(root))
    } else {
        let inverse = L::splat(1.0).div(s);
        (inverse, inverse)
    };
    for _ in 0..(p - 1) / 2 {
        result = result.mul(inverse);
    }
    result
}
