// The gradient of filters as a product of matrices (gemm.wgsl):
//
//   out[o, c, k, l] = sum over n, i, j of y[n, o, i, j] * x[n, c, i s + k - p, j s + l - p]
//
// Rows are filters, columns the taps of all channels, terms the positions of all pictures. There are few results and
// many terms, so the terms are cut into parts.
//
// a             answers y, [N, rows, ANSWER_Y, ANSWER_X]
// b             pictures x, [N, CHANNELS, SOURCE_Y, SOURCE_X]
// out           filters, [rows, CHANNELS, KERNEL_Y, KERNEL_X]

struct Sizes { rows: u32, columns: u32, terms: u32, part_terms: u32, part_stride: u32, row_tiles: u32, tiles: u32 }
var<immediate> sizes: Sizes;

alias Left = f32;
alias Right = f32;

override CHANNELS: u32 = 1u;
override SOURCE_Y: u32 = 1u;
override SOURCE_X: u32 = 1u;
override ANSWER_Y: u32 = 1u;
override ANSWER_X: u32 = 1u;
override KERNEL_Y: u32 = 1u;
override KERNEL_X: u32 = 1u;
override STRIDE_Y: u32 = 1u;
override STRIDE_X: u32 = 1u;
override PADDING_Y: u32 = 0u;
override PADDING_X: u32 = 0u;

@group(0) @binding(0) var<storage, read> a: array<Left>;
@group(0) @binding(1) var<storage, read> b: array<Right>;

fn a_at(row: u32, k: u32) -> f32 {
    let picture = k / (ANSWER_Y * ANSWER_X);
    let position = k % (ANSWER_Y * ANSWER_X);
    return f32(a[(picture * sizes.rows + row) * (ANSWER_Y * ANSWER_X) + position]);
}

fn b_at(k: u32, column: u32) -> f32 {
    let picture = k / (ANSWER_Y * ANSWER_X);
    let position = k % (ANSWER_Y * ANSWER_X);
    let channel = column / (KERNEL_Y * KERNEL_X);
    let tap = column % (KERNEL_Y * KERNEL_X);
    // Pixels left of or above the picture wrap around to huge numbers.
    let y = position / ANSWER_X * STRIDE_Y + tap / KERNEL_X - PADDING_Y;
    let x = position % ANSWER_X * STRIDE_X + tap % KERNEL_X - PADDING_X;
    if y >= SOURCE_Y || x >= SOURCE_X {
        return 0.0;
    }
    return f32(b[((picture * CHANNELS + channel) * SOURCE_Y + y) * SOURCE_X + x]);
}
