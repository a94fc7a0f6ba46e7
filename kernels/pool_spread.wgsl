// out[q] = sum of x[i] over the windows i whose largest place is q: the way back of max pooling.
//
// sizes          as in pool_largest.wgsl
// by, out        [planes, height, width]
// x              [planes, answers down, answers across]

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
    let pixels = sizes.height * sizes.width;
    let plane = i / pixels;
    let h = i % pixels / sizes.width + sizes.padding_y;
    let w = i % sizes.width + sizes.padding_x;
    // The windows that hold the pixel.
    let first_i = (max(h + 1u, sizes.kernel_y) - sizes.kernel_y + sizes.stride_y - 1u) / sizes.stride_y;
    let first_j = (max(w + 1u, sizes.kernel_x) - sizes.kernel_x + sizes.stride_x - 1u) / sizes.stride_x;
    let end_i = min(h / sizes.stride_y + 1u, sizes.down);
    let end_j = min(w / sizes.stride_x + 1u, sizes.across);
    var sum = 0.0;
    for (var k = first_i; k < end_i; k++) {
        for (var l = first_j; l < end_j; l++) {
            if largest(plane * pixels, k, l) == i {
                sum += x[(plane * sizes.down + k) * sizes.across + l];
            }
        }
    }
    epilogue(i, sum);
}
