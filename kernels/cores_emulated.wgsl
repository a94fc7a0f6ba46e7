// The matrices of gemm_cores.wgsl without tensor cores, for tests: that kernel's walk over tiles, slabs and terms can then
// run on devices that have none.
//
// A factor is the place where it starts in workgroup memory. Of a matrix of sums each of a subgroup's 32 threads holds
// the eight elements thread % 32, thread % 32 + 32, ...

enable f16;

const CORES_HIGH = 2u;
const CORES_WIDE = 4u;
const SLAB = 32u;
const STRIDE_A = SLAB + 8u;
const STRIDE_B = CORES_WIDE * 32u + 8u;
var<workgroup> slab_a: array<f16, CORES_HIGH * 64u * STRIDE_A>;
var<workgroup> slab_b: array<f16, SLAB * STRIDE_B>;
var<workgroup> sums: array<f32, CORES_HIGH * CORES_WIDE * 256u>;
var<private> thread: u32;

alias LeftMatrix = u32;
alias RightMatrix = u32;
alias SumMatrix = array<f32, 8>;

fn load_left(start: u32) -> LeftMatrix {
    return start;
}

fn load_right(start: u32) -> RightMatrix {
    return start;
}

fn multiply_add(left: LeftMatrix, right: RightMatrix, sum: SumMatrix) -> SumMatrix {
    var result = sum;
    for (var e = thread % 32u; e < 256u; e += 32u) {
        let row = left + e / 16u * STRIDE_A;
        let column = right + e % 16u;
        var value = result[e / 32u];
        for (var k = 0u; k < 16u; k++) {
            value = fma(f32(slab_a[row + k]), f32(slab_b[column + k * STRIDE_B]), value);
        }
        result[e / 32u] = value;
    }
    return result;
}

fn store_sums(matrix: SumMatrix, start: u32) {
    var values = matrix;
    for (var e = thread % 32u; e < 256u; e += 32u) {
        sums[start + e] = values[e / 32u];
    }
}
