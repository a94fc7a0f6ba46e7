// The product of gemm.wgsl on tensor cores: halves are multiplied sixteen by sixteen by sixteen at a time, sums are single
// precision.
//
// A workgroup has CORES_HIGH x CORES_WIDE subgroups of 32 threads, each with 4 x 2 matrices of sums: 64 rows and 32
// columns. All threads together copy a slab of both factors into workgroup memory as halves. A finished matrix of sums
// passes through workgroup memory to the pointwise work, since its elements' places in a subgroup are the device's secret.
//
// Rows of workgroup memory are padded by eight halves, so that they start on different banks, and on 16 bytes as loads
// want. No subgroup operation is used: some drivers fail on modules with both kinds.
//
// Replaces `main` of gemm.wgsl, whose bindings, sizes and functions it uses; other kernels replace those as there.
// cores_emulated.wgsl replaces the matrices.

enable f16;
enable wgpu_cooperative_matrix;

struct Sizes { rows: u32, columns: u32, terms: u32, part_terms: u32, part_stride: u32, row_tiles: u32, tiles: u32 }
var<immediate> sizes: Sizes;

alias Left = f16;
alias Right = f16;
const CORES_HIGH = 2u;
const CORES_WIDE = 4u;
const SLAB = 32u;
override A_ALONG_TERMS: bool = true;
override B_ALONG_TERMS: bool = false;
override A_TRANSPOSED: bool = false;
override B_TRANSPOSED: bool = false;

@group(0) @binding(0) var<storage, read> a: array<Left>;
@group(0) @binding(1) var<storage, read> b: array<Right>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const STRIDE_A = SLAB + 8u;
const STRIDE_B = CORES_WIDE * 32u + 8u;
var<workgroup> slab_a: array<f16, CORES_HIGH * 64u * STRIDE_A>;
var<workgroup> slab_b: array<f16, SLAB * STRIDE_B>;
var<workgroup> sums: array<f32, CORES_HIGH * CORES_WIDE * 256u>;

// This thread's number in its workgroup.
var<private> thread: u32;

alias LeftMatrix = coop_mat16x16<f16, A>;
alias RightMatrix = coop_mat16x16<f16, B>;
alias SumMatrix = coop_mat16x16<f32, C>;

// The matrix of slab_a whose first element is at `start`.
fn load_left(start: u32) -> LeftMatrix {
    return coopLoadT<LeftMatrix>(&slab_a[start], STRIDE_A);
}

// The matrix of slab_b whose first element is at `start`.
fn load_right(start: u32) -> RightMatrix {
    return coopLoadT<RightMatrix>(&slab_b[start], STRIDE_B);
}

fn multiply_add(left: LeftMatrix, right: RightMatrix, sum: SumMatrix) -> SumMatrix {
    return coopMultiplyAdd(left, right, sum);
}

// Writes the 256 elements to `sums`, from `start` on.
fn store_sums(matrix: SumMatrix, start: u32) {
    let stride = 16u;
    coopStoreT(matrix, &sums[start], stride);
}

// Whether x is not a number. By its bits: some compilers assume that comparisons never meet one.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// Beyond the largest half the largest half; NaN stays NaN.
fn half(x: f32) -> f16 {
    return f16(select(clamp(x, -65504.0, 65504.0), x, is_nan(x)));
}

fn a_at(row: u32, k: u32) -> f32 {
    return f32(a[select(row * sizes.terms + k, k * sizes.rows + row, A_TRANSPOSED)]);
}

fn b_at(k: u32, column: u32) -> f32 {
    return f32(b[select(k * sizes.columns + column, column * sizes.terms + k, B_TRANSPOSED)]);
}

fn place(row: u32, column: u32) -> u32 {
    return row * sizes.columns + column;
}

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

// Hands a matrix of sums, whose first element is (row, column) of the result, to the pointwise work.
fn finish(matrix: SumMatrix, part: u32, row: u32, column: u32) {
    let start = thread / 32u * 256u;
    store_sums(matrix, start);
    workgroupBarrier();
    for (var e = thread % 32u; e < 256u; e += 32u) {
        let r = row + e / 16u;
        let c = column + e % 16u;
        if r < sizes.rows && c < sizes.columns {
            epilogue(part * sizes.part_stride + place(r, c), sums[start + e]);
        }
    }
    workgroupBarrier();
}

@compute @workgroup_size(CORES_HIGH * CORES_WIDE * 32u)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let tile = group.x + group.y * groups.x;
    if tile >= sizes.tiles {
        return;
    }
    thread = t;
    let threads = CORES_HIGH * CORES_WIDE * 32u;
    let tile_rows = CORES_HIGH * 64u;
    let tile_columns = CORES_WIDE * 32u;
    let row0 = tile % sizes.row_tiles * tile_rows;
    let column0 = tile / sizes.row_tiles * tile_columns;
    let own_row = t / 32u % CORES_HIGH * 64u;
    let own_column = t / 32u / CORES_HIGH * 32u;
    let first = group.z * sizes.part_terms;
    let end = min(first + sizes.part_terms, sizes.terms);

    var c00 = SumMatrix();
    var c01 = SumMatrix();
    var c10 = SumMatrix();
    var c11 = SumMatrix();
    var c20 = SumMatrix();
    var c21 = SumMatrix();
    var c30 = SumMatrix();
    var c31 = SumMatrix();
    for (var k0 = first; k0 < end; k0 += SLAB) {
        for (var e = t; e < tile_rows * SLAB; e += threads) {
            let r = select(e % tile_rows, e / SLAB, A_ALONG_TERMS);
            let k = select(e / tile_rows, e % SLAB, A_ALONG_TERMS);
            var value = 0.0;
            if row0 + r < sizes.rows && k0 + k < end {
                value = a_at(row0 + r, k0 + k);
            }
            slab_a[r * STRIDE_A + k] = half(value);
        }
        for (var e = t; e < tile_columns * SLAB; e += threads) {
            let c = select(e % tile_columns, e / SLAB, B_ALONG_TERMS);
            let k = select(e / tile_columns, e % SLAB, B_ALONG_TERMS);
            var value = 0.0;
            if column0 + c < sizes.columns && k0 + k < end {
                value = b_at(k0 + k, column0 + c);
            }
            slab_b[k * STRIDE_B + c] = half(value);
        }
        workgroupBarrier();
        for (var k = 0u; k < SLAB; k += 16u) {
            let a0 = own_row * STRIDE_A + k;
            let b0 = k * STRIDE_B + own_column;
            let left0 = load_left(a0);
            let left1 = load_left(a0 + 16u * STRIDE_A);
            let left2 = load_left(a0 + 32u * STRIDE_A);
            let left3 = load_left(a0 + 48u * STRIDE_A);
            let right0 = load_right(b0);
            let right1 = load_right(b0 + 16u);
            c00 = multiply_add(left0, right0, c00);
            c01 = multiply_add(left0, right1, c01);
            c10 = multiply_add(left1, right0, c10);
            c11 = multiply_add(left1, right1, c11);
            c20 = multiply_add(left2, right0, c20);
            c21 = multiply_add(left2, right1, c21);
            c30 = multiply_add(left3, right0, c30);
            c31 = multiply_add(left3, right1, c31);
        }
        workgroupBarrier();
    }
    let row = row0 + own_row;
    let column = column0 + own_column;
    finish(c00, group.z, row, column);
    finish(c01, group.z, row, column + 16u);
    finish(c10, group.z, row + 16u, column);
    finish(c11, group.z, row + 16u, column + 16u);
    finish(c20, group.z, row + 32u, column);
    finish(c21, group.z, row + 32u, column + 16u);
    finish(c30, group.z, row + 48u, column);
    finish(c31, group.z, row + 48u, column + 16u);
}
