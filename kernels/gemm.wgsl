// out[row, column] = sum over k of a[row, k] * b[k, column]: the product of two matrices, tile by tile.
//
// A workgroup of HIGH x WIDE threads computes a tile of 4 A4 HIGH rows and 4 B4 WIDE columns. It walks along the terms
// k in slabs of DEPTH: all threads together copy a slab of both factors into workgroup memory, then each multiplies
// 4 A4 of its rows with 4 B4 of its columns in registers, so every number it loads is used many times. Terms may be cut
// into parts (third dimension of the grid), whose sums another launch adds up in a fixed order.
//
// a             [rows, terms], or [terms, rows] with A_TRANSPOSED
// b             [terms, columns], or [columns, terms] with B_TRANSPOSED
// out           [rows, columns], or [parts, rows, columns]
// A_ALONG_TERMS whether neighbouring threads copy neighbouring terms of a rather than rows; B_ALONG_TERMS likewise
//
// Other kernels replace a_at, b_at and place (convolutions) or accumulate (distances); all replace epilogue.

struct Sizes {
    rows: u32,
    columns: u32,
    terms: u32,
    // Terms of a part, a multiple of DEPTH unless there is one part only.
    part_terms: u32,
    // Elements of the result of one part.
    part_stride: u32,
    // Tiles along the rows.
    row_tiles: u32,
    // All tiles.
    tiles: u32,
}
var<immediate> sizes: Sizes;

alias Left = f32;
alias Right = f32;
const A4 = 1u;
const B4 = 1u;
const DEPTH = 16u;
override HIGH: u32 = 8u;
override WIDE: u32 = 8u;
override A_ALONG_TERMS: bool = true;
override B_ALONG_TERMS: bool = false;
override A_TRANSPOSED: bool = false;
override B_TRANSPOSED: bool = false;

@group(0) @binding(0) var<storage, read> a: array<Left>;
@group(0) @binding(1) var<storage, read> b: array<Right>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

// One vec4 of padding per term spreads a column of the tile over the banks of workgroup memory.
var<workgroup> tile_a: array<vec4<f32>, DEPTH * (HIGH * A4 + 1u)>;
var<workgroup> tile_b: array<vec4<f32>, DEPTH * (WIDE * B4 + 1u)>;

fn a_at(row: u32, k: u32) -> f32 {
    return f32(a[select(row * sizes.terms + k, k * sizes.rows + row, A_TRANSPOSED)]);
}

fn b_at(k: u32, column: u32) -> f32 {
    return f32(b[select(k * sizes.columns + column, column * sizes.terms + k, B_TRANSPOSED)]);
}

// Elements behind the last row, column or term of a part are 0.
fn a_or_zero(row: u32, k: u32, end: u32) -> f32 {
    if row < sizes.rows && k < end {
        return a_at(row, k);
    }
    return 0.0;
}

fn b_or_zero(k: u32, column: u32, end: u32) -> f32 {
    if column < sizes.columns && k < end {
        return b_at(k, column);
    }
    return 0.0;
}

// Where an element of the result goes.
fn place(row: u32, column: u32) -> u32 {
    return row * sizes.columns + column;
}

fn accumulate(sum: vec4<f32>, a: f32, b: vec4<f32>) -> vec4<f32> {
    return fma(vec4(a), b, sum);
}

fn epilogue(i: u32, value: f32) {
    out[i] = value;
}

@compute @workgroup_size(HIGH * WIDE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let tile = group.x + group.y * groups.x;
    if tile >= sizes.tiles {
        return;
    }
    let tile_rows = HIGH * A4 * 4u;
    let tile_columns = WIDE * B4 * 4u;
    let stride_a = HIGH * A4 + 1u;
    let stride_b = WIDE * B4 + 1u;
    let row0 = tile % sizes.row_tiles * tile_rows;
    let column0 = tile / sizes.row_tiles * tile_columns;
    let ty = t / WIDE;
    let tx = t % WIDE;
    let first = group.z * sizes.part_terms;
    let end = min(first + sizes.part_terms, sizes.terms);

    var sums: array<vec4<f32>, A4 * 4u * B4>;
    for (var k0 = first; k0 < end; k0 += DEPTH) {
        // Four neighbouring rows (columns) by one thread: a vector in workgroup memory is written as a whole.
        for (var e = t; e < HIGH * A4 * DEPTH; e += HIGH * WIDE) {
            let r = select(e % (HIGH * A4), e / DEPTH, A_ALONG_TERMS);
            let k = select(e / (HIGH * A4), e % DEPTH, A_ALONG_TERMS);
            tile_a[k * stride_a + r] = vec4(
                a_or_zero(row0 + 4u * r, k0 + k, end),
                a_or_zero(row0 + 4u * r + 1u, k0 + k, end),
                a_or_zero(row0 + 4u * r + 2u, k0 + k, end),
                a_or_zero(row0 + 4u * r + 3u, k0 + k, end),
            );
        }
        for (var e = t; e < WIDE * B4 * DEPTH; e += HIGH * WIDE) {
            let c = select(e % (WIDE * B4), e / DEPTH, B_ALONG_TERMS);
            let k = select(e / (WIDE * B4), e % DEPTH, B_ALONG_TERMS);
            tile_b[k * stride_b + c] = vec4(
                b_or_zero(k0 + k, column0 + 4u * c, end),
                b_or_zero(k0 + k, column0 + 4u * c + 1u, end),
                b_or_zero(k0 + k, column0 + 4u * c + 2u, end),
                b_or_zero(k0 + k, column0 + 4u * c + 3u, end),
            );
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            for (var i = 0u; i < A4; i++) {
                let left = tile_a[k * stride_a + i * HIGH + ty];
                for (var j = 0u; j < B4; j++) {
                    let right = tile_b[k * stride_b + j * WIDE + tx];
                    let at = i * 4u * B4 + j;
                    sums[at] = accumulate(sums[at], left.x, right);
                    sums[at + B4] = accumulate(sums[at + B4], left.y, right);
                    sums[at + 2u * B4] = accumulate(sums[at + 2u * B4], left.z, right);
                    sums[at + 3u * B4] = accumulate(sums[at + 3u * B4], left.w, right);
                }
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < A4 * 4u; i++) {
        let row = row0 + (i / 4u * HIGH + ty) * 4u + i % 4u;
        for (var j = 0u; j < B4; j++) {
            let column = column0 + (j * WIDE + tx) * 4u;
            for (var c = 0u; c < 4u; c++) {
                if row < sizes.rows && column + c < sizes.columns {
                    let at = group.z * sizes.part_stride + place(row, column + c);
                    epilogue(at, sums[i * B4 + j][c]);
                }
            }
        }
    }
}
