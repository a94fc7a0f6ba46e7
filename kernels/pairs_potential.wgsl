// The potential, Eq. (8), from squared distances: phi(a_i) = sum over j of q_j (epsilon^2 + sum over parts of
// squared[part, i, j])^(-D/2), with q = 1 / N_y for the real and -1 / N_x for the generated charges. One workgroup per
// point.
//
// epsilon       one number
// squared       [parts, rows, real + generated]
// out           the potential of point first + i

struct Sizes { rows: u32, real: u32, generated: u32, parts: u32, first: u32 }
var<immediate> sizes: Sizes;

override GROUP: u32 = 64u;
override D: u32 = 3u;

@group(0) @binding(0) var<storage, read> epsilon: array<f32>;
@group(0) @binding(1) var<storage, read> squared: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

var<workgroup> sums: array<f32, GROUP>;

fn inverse_half_power(s: f32, p: u32) -> f32 {
    return pow(s, -0.5 * f32(p));
}

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let charges = sizes.real + sizes.generated;
    let row = group.x;
    var sum = 0.0;
    for (var j = t; j < charges; j += GROUP) {
        var s = epsilon[0] * epsilon[0];
        for (var part = 0u; part < sizes.parts; part++) {
            s += squared[(part * sizes.rows + row) * charges + j];
        }
        let q = select(-1.0 / f32(sizes.generated), 1.0 / f32(sizes.real), j < sizes.real);
        sum = fma(q, inverse_half_power(s, D), sum);
    }
    sums[t] = sum;
    workgroupBarrier();
    for (var half = GROUP / 2u; half > 0u; half /= 2u) {
        if t < half {
            sums[t] += sums[t + half];
        }
        workgroupBarrier();
    }
    if t == 0u {
        epilogue(sizes.first + row, sums[0]);
    }
}
