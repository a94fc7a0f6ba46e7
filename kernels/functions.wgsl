// Functions of one number, as accurate as those of the CPU (src/exec/cpu/lanes/math.rs): WGSL promises no accuracy
// for tanh, and for exp only 3 + 2 |x| units in the last place.
//
// All rest on x = n ln 2 + r with whole n and |r| <= ln 2 / 2: exp x = 2^n exp r, and a Taylor polynomial for
// exp r - 1.

// Whether x is not a number. By its bits: some compilers assume that comparisons never meet one.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// 2^n and exp r - 1.
struct Reduced { scale: f32, rest: f32 }

fn reduced(x: f32) -> Reduced {
    // Beyond these exp x leaves the range of f32.
    let inside = select(clamp(x, -87.33, 89.0), x, is_nan(x));
    let n = round(inside * 1.44269504);
    // ln 2 in two parts: n * 0.693359375 is exact, so r keeps its low bits.
    // The select keeps compilers that may reorder sums from adding the two parts up first; where the scale is infinite,
    // the rest is of no account.
    let high = select(fma(n, -0.693359375, inside), 0.0, inside >= 89.0);
    let r = fma(n, 2.12194440e-4, high);
    var p = 1.0 / 5040.0;
    p = fma(p, r, 1.0 / 720.0);
    p = fma(p, r, 1.0 / 120.0);
    p = fma(p, r, 1.0 / 24.0);
    p = fma(p, r, 1.0 / 6.0);
    p = fma(p, r, 0.5);
    // 2^128 is infinite, from x = 88.4 on, as on the CPU.
    return Reduced(bitcast<f32>((i32(n) + 127) << 23u), fma(p, r * r, r));
}

fn exponential(x: f32) -> f32 {
    let e = reduced(x);
    return e.scale * (e.rest + 1.0);
}

// exp x - 1 without cancellation near 0.
fn exponential_m1(x: f32) -> f32 {
    let e = reduced(x);
    return fma(e.scale, e.rest, e.scale - 1.0);
}

fn elu(x: f32) -> f32 {
    return select(exponential_m1(x), x, x > 0.0);
}

// -u / (u + 2) with u = exp(-2 |x|) - 1, and the sign of x.
fn hyperbolic_tangent(x: f32) -> f32 {
    let u = exponential_m1(-2.0 * abs(x));
    let t = u / (u + 2.0);
    return select(t, -t, x > 0.0);
}

// x^p for a whole p, which may also be negative, as x may.
fn whole_power(x: f32, p: i32) -> f32 {
    let size = pow(abs(x), f32(p));
    return select(size, -size, x < 0.0 && p % 2i != 0i);
}

fn step_function(x: f32) -> f32 {
    return select(0.0, 1.0, x > 0.0);
}

// The larger; b where equal or where one is not a number.
fn larger(a: f32, b: f32) -> f32 {
    return select(b, a, a > b);
}

// The smaller; b where equal or where one is not a number.
fn smaller(a: f32, b: f32) -> f32 {
    return select(b, a, a < b);
}

// s^(-p/2) for a whole p >= 1.
fn inverse_half_power(s: f32, p: u32) -> f32 {
    let inverse = 1.0 / s;
    var result = select(inverse, sqrt(inverse), p % 2u == 1u);
    for (var i = 0u; i < (p - 1u) / 2u; i++) {
        result *= inverse;
    }
    return result;
}
