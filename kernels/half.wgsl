// Rounding to half precision, for arrays that are stored in it.

enable f16;

// Whether x is not a number. By its bits: some compilers assume that comparisons never meet one.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// Beyond the largest half the largest half; NaN stays NaN.
fn half(x: f32) -> f16 {
    return f16(select(clamp(x, -65504.0, 65504.0), x, is_nan(x)));
}
