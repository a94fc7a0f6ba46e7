// y[i] = f(x[i], ...): one element per thread, for a program that the planner fused.
//
// sizes.count   elements
// GROUP         threads per workgroup
//
// `epilogue` and the arrays it reads and writes are generated from the fused program (src/exec/gpu/epilogue.rs);
// what stands here copies a number, so that this file is a valid module.

struct Sizes { count: u32 }
var<immediate> sizes: Sizes;

override GROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read_write> out: array<f32>;

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * GROUP;
    if i < sizes.count {
        epilogue(i, 0.0);
    }
}
