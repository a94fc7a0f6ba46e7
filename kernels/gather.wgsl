// out[i] = x[source(i)]: broadcasts that are no simple pattern, transposes, slices.
//
// sizes.count   elements of the result
// x, out        arrays
//
// `source` is generated: a first place, and the sum over axes of (i / divisor mod size) * stride, with literals
// (src/exec/gpu/rearrange.rs).

struct Sizes { count: u32 }
var<immediate> sizes: Sizes;

override GROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

fn source(i: u32) -> u32 {
    return i;
}

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * GROUP;
    if i < sizes.count {
        epilogue(i, x[source(i)]);
    }
}
