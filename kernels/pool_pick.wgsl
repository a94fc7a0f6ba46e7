// out[i] = x where `by` is largest in window i: max pooling.
//
// sizes          as in pool_largest.wgsl
// by, x          [planes, height, width]
// out            [planes, answers down, answers across]

struct Sizes {
    count: u32, planes: u32,
    height: u32, width: u32,
    down: u32, across: u32,
    kernel_y: u32, kernel_x: u32,
    stride_y: u32, stride_x: u32,
    padding_y: u32, padding_x: u32,
}
var<immediate> sizes: Sizes;

override GROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> by: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

// Replaced by that of pool_largest.wgsl.
fn largest(plane: u32, i: u32, j: u32) -> u32 {
    return plane + u32(by[i + j]);
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * GROUP;
    if i >= sizes.count {
        return;
    }
    let windows = sizes.down * sizes.across;
    let window = i % windows;
    let plane = i / windows * sizes.height * sizes.width;
    epilogue(i, x[largest(plane, window / sizes.across, window % sizes.across)]);
}
