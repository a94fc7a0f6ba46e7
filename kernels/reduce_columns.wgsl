// out[o, i] = sum over r of x[o, r, i]: one thread per sum, in the order of r; neighbouring threads read neighbours. With
// `reduce_max.wgsl` the largest number instead of the sum.
//
// Long sums of few columns are cut into segments: out[o, segment, i]; another launch adds those up.
//
// x             [outer, reduced, inner]
// out           [outer, segments, inner]

struct Sizes { outer: u32, reduced: u32, inner: u32, segments: u32, segment: u32 }
var<immediate> sizes: Sizes;

alias Number = f32;
override GROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

// What changes nothing, and how two numbers become one.
fn start() -> f32 {
    return 0.0;
}

fn join(total: f32, x: f32) -> f32 {
    return total + x;
}

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * GROUP;
    if i >= sizes.outer * sizes.segments * sizes.inner {
        return;
    }
    let column = i % sizes.inner;
    let segment = i / sizes.inner % sizes.segments;
    let outer = i / sizes.inner / sizes.segments;
    let first = segment * sizes.segment;
    let end = min(first + sizes.segment, sizes.reduced);
    var total = start();
    for (var r = first; r < end; r++) {
        total = join(total, f32(x[(outer * sizes.reduced + r) * sizes.inner + column]));
    }
    epilogue(i, total);
}
