// out[o] = a[o], and behind it b[o]: rows side by side.
//
// sizes.count           elements of the result
// sizes.first, .second  numbers in a row of a, and of b
// a, b, out             arrays

struct Sizes { count: u32, first: u32, second: u32 }
var<immediate> sizes: Sizes;

override GROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * GROUP;
    if i >= sizes.count {
        return;
    }
    let row = i / (sizes.first + sizes.second);
    let place = i % (sizes.first + sizes.second);
    if place < sizes.first {
        epilogue(i, a[row * sizes.first + place]);
    } else {
        epilogue(i, b[row * sizes.second + place - sizes.first]);
    }
}
