// The field, Eq. (34), in many dimensions, from the weights of pairs_weights.wgsl:
// E(a_i)_c = sum over j of weights[i, j] (a[i, c] - b[j, c]). One thread per number of the result; neighbouring threads
// read neighbouring coordinates of a charge.
//
// a             [N, m] points, of which this launch takes `rows` from row `first`
// y, x          [real, m], [generated, m] charges
// weights       [rows, real + generated]
// out           [N, m]

struct Sizes { rows: u32, real: u32, generated: u32, m: u32, first: u32 }
var<immediate> sizes: Sizes;

override GROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * GROUP;
    if i >= sizes.rows * sizes.m {
        return;
    }
    let row = i / sizes.m;
    let c = i % sizes.m;
    let at = sizes.first * sizes.m + i;
    let first = row * (sizes.real + sizes.generated);
    let own = a[at];
    var sum = 0.0;
    for (var j = 0u; j < sizes.real; j++) {
        sum = fma(weights[first + j], own - y[j * sizes.m + c], sum);
    }
    for (var j = 0u; j < sizes.generated; j++) {
        sum = fma(weights[first + sizes.real + j], own - x[j * sizes.m + c], sum);
    }
    epilogue(at, sum);
}
