// out[o] = sum over r of x[o, r]: one workgroup per row, in a fixed order: each thread adds every GROUP-th number, then
// halves of the threads' sums are added to the other halves. With `reduce_max.wgsl` the largest number instead of the sum.
//
// A long row is cut into segments, one workgroup each: out[o, segment]; another launch adds those up.
//
// x             [outer, reduced]
// out           [outer, segments]

struct Sizes { outer: u32, reduced: u32, segments: u32, segment: u32 }
var<immediate> sizes: Sizes;

alias Number = f32;
override GROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

var<workgroup> totals: array<f32, GROUP>;

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
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let i = group.x + group.y * groups.x;
    if i >= sizes.outer * sizes.segments {
        return;
    }
    let row = i / sizes.segments * sizes.reduced;
    let first = i % sizes.segments * sizes.segment;
    let end = min(first + sizes.segment, sizes.reduced);
    var total = start();
    for (var r = first + t; r < end; r += GROUP) {
        total = join(total, f32(x[row + r]));
    }
    totals[t] = total;
    workgroupBarrier();
    for (var half = GROUP / 2u; half > 0u; half /= 2u) {
        if t < half {
            totals[t] = join(totals[t], totals[t + half]);
        }
        workgroupBarrier();
    }
    if t == 0u {
        epilogue(i, totals[0]);
    }
}
