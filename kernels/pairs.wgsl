// Sums over pairs of an evaluation point and a charge, in few dimensions. LANES threads share a number of the result:
// each takes every LANES-th charge, then halves of their sums are added to the other halves. Many points need one thread
// each, few points many.
//
// With s = |a - b|^2 + epsilon^2, charges q = 1 / N_y (real, y) and -1 / N_x (generated, x):
//
//   WHAT = 0, potential, Eq. (8):  phi(a)   = sum q s^(-D/2)
//   WHAT = 1, field, Eq. (34):     E(a)_c   = sum q D (a - b)_c s^(-(D+2)/2)
//   WHAT = 2, curvature:           (H v)_c  = sum q (D (D+2) s^(-(D+4)/2) ((a - b).v) (a - b)_c - D s^(-(D+2)/2) v_c)
//
// epsilon       one number
// a             [N, m] points; v likewise (only for the curvature, else bound to a)
// y, x          [N_y, m], [N_x, m] charges
// out           [N] for the potential, else [N, m]

struct Sizes { points: u32, real: u32, generated: u32, m: u32 }
var<immediate> sizes: Sizes;

override GROUP: u32 = 64u;
// A power of two, at most GROUP.
override LANES: u32 = 64u;
override WHAT: u32 = 0u;
override D: u32 = 3u;

@group(0) @binding(0) var<storage, read> epsilon: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

var<workgroup> sums: array<f32, GROUP>;

fn inverse_half_power(s: f32, p: u32) -> f32 {
    return pow(s, -0.5 * f32(p));
}

fn charge(j: u32, c: u32) -> f32 {
    if j < sizes.real {
        return y[j * sizes.m + c];
    }
    return x[(j - sizes.real) * sizes.m + c];
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
    let i = (group.x + group.y * groups.x) * (GROUP / LANES) + t / LANES;
    let lane = t % LANES;
    let width = select(sizes.m, 1u, WHAT == 0u);
    let inside = i < sizes.points * width;
    let charges = select(0u, sizes.real + sizes.generated, inside);
    let point = i / width * sizes.m;
    let coordinate = i % width;
    var own = 0.0;
    if inside {
        own = a[point + coordinate];
    }
    let d = f32(D);
    var sum = 0.0;
    for (var j = lane; j < charges; j += LANES) {
        var s = epsilon[0] * epsilon[0];
        var along = 0.0;
        for (var c = 0u; c < sizes.m; c++) {
            let difference = a[point + c] - charge(j, c);
            s = fma(difference, difference, s);
            if WHAT == 2u {
                along = fma(difference, v[point + c], along);
            }
        }
        let q = select(-1.0 / f32(sizes.generated), 1.0 / f32(sizes.real), j < sizes.real);
        if WHAT == 0u {
            sum = fma(q, inverse_half_power(s, D), sum);
        } else {
            let difference = own - charge(j, coordinate);
            if WHAT == 1u {
                sum = fma(q * d * inverse_half_power(s, D + 2u), difference, sum);
            } else {
                let straight = d * inverse_half_power(s, D + 2u) * v[point + coordinate];
                let bent = d * (d + 2.0) * inverse_half_power(s, D + 4u) * along * difference;
                sum = fma(q, bent - straight, sum);
            }
        }
    }
    if LANES > 1u {
        sums[t] = sum;
        workgroupBarrier();
        for (var half = LANES / 2u; half > 0u; half /= 2u) {
            if lane < half {
                sums[t] += sums[t + half];
            }
            workgroupBarrier();
        }
        sum = sums[t];
    }
    if inside && lane == 0u {
        epilogue(i, sum);
    }
}
