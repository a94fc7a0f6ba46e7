// The largest number, in place of the sum of reduce_rows.wgsl and reduce_columns.wgsl.

// Minus infinity. WGSL has no literal for it, and constants may not be infinite, so its bits are made at run time.
fn start() -> f32 {
    var bits = 0xff800000u;
    return bitcast<f32>(bits);
}

// By its bits, as some compilers assume that comparisons never meet what is not a number.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// What is not a number is passed over.
fn join(total: f32, x: f32) -> f32 {
    return select(total, x, x > total && !is_nan(x));
}
