// Squared distances between points and charges in many dimensions, as gemm.wgsl with squared differences in place of
// products: out[i, j] = sum over c of (a[i, c] - b[j, c])^2. Differences are formed directly: |a|^2 + |b|^2 - 2 a.b
// would cancel where points are near. Coordinates are cut into parts, so that few points still fill a device.
//
// a             [N, terms] points, of which this launch takes `rows` from row `first`
// y, x          [real, terms], [columns - real, terms] charges
// out           [parts, rows, columns]

struct Sizes {
    rows: u32,
    columns: u32,
    terms: u32,
    part_terms: u32,
    part_stride: u32,
    row_tiles: u32,
    tiles: u32,
    first: u32,
    real: u32,
}
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;

fn a_at(row: u32, k: u32) -> f32 {
    return a[(sizes.first + row) * sizes.terms + k];
}

fn b_at(k: u32, column: u32) -> f32 {
    if column < sizes.real {
        return y[column * sizes.terms + k];
    }
    return x[(column - sizes.real) * sizes.terms + k];
}

fn accumulate(sum: vec4<f32>, a: f32, b: vec4<f32>) -> vec4<f32> {
    let difference = vec4(a) - b;
    return fma(difference, difference, sum);
}
