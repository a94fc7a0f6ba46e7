// The weight of each difference in the field, Eq. (34), from squared distances:
// out[i, j] = q_j D (epsilon^2 + sum over parts of squared[part, i, j])^(-(D+2)/2), with q = 1 / N_y for the real and
// -1 / N_x for the generated charges.
//
// epsilon       one number
// squared       [parts, rows, real + generated]
// out           [rows, real + generated]

struct Sizes { rows: u32, real: u32, generated: u32, parts: u32 }
var<immediate> sizes: Sizes;

override GROUP: u32 = 64u;
override D: u32 = 3u;

@group(0) @binding(0) var<storage, read> epsilon: array<f32>;
@group(0) @binding(1) var<storage, read> squared: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn inverse_half_power(s: f32, p: u32) -> f32 {
    return pow(s, -0.5 * f32(p));
}

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * GROUP;
    let charges = sizes.real + sizes.generated;
    let pairs = sizes.rows * charges;
    if i >= pairs {
        return;
    }
    var s = epsilon[0] * epsilon[0];
    for (var part = 0u; part < sizes.parts; part++) {
        s += squared[part * pairs + i];
    }
    let q = select(-1.0 / f32(sizes.generated), 1.0 / f32(sizes.real), i % charges < sizes.real);
    epilogue(i, q * f32(D) * inverse_half_power(s, D + 2u));
}
