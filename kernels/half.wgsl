// Rounding to half precision, for arrays that are stored in it.

enable f16;

// Beyond the largest half the largest half; NaN stays NaN.
fn half(x: f32) -> f16 {
    let below = select(x, 65504.0, x > 65504.0);
    return f16(select(below, -65504.0, below < -65504.0));
}
