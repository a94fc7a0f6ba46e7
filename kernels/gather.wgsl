// out[i] = x[sum over axes of (i / divisor mod size) * stride]: broadcasts that are no simple pattern, and transposes.
//
// Axes that nothing is left of have size 1; neighbouring axes that move together are one.

struct Sizes {
    count: u32,
    divisor: vec4<u32>,
    size: vec4<u32>,
    stride: vec4<u32>,
}
var<immediate> sizes: Sizes;

override GROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * GROUP;
    if i < sizes.count {
        let at = vec4(i) / sizes.divisor % sizes.size * sizes.stride;
        epilogue(i, x[at.x + at.y + at.z + at.w]);
    }
}
