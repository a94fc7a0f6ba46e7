// A convolution, or one class of a transposed one, as a product of matrices (gemm.wgsl) whose right factor is never
// written down:
//
//   out[n, row, y, x] = sum over channels and taps of filters[row, channel, tap] * source[n, channel, pixel]
//
// where position q and tap u meet pixel ORIGIN + q STEP + u along each axis, pixels outside being 0. Rows are the
// channels of the result, columns the positions of all pictures, terms the taps of all channels of the source.
//
// For answers (conv2d) source is x, and every tap of a filter is used. For pictures (conv2d_input_grad) source is y;
// a pixel meets only every s-th tap, so positions fall into s x s classes, each a dense product with the taps that
// reach it: tap u of the class is tap FIRST_TAP + u TAP_STEP of the filter, position q is pixel FIRST + q OUT_STEP.
//
// a             filters, elements FILTER_ROW per row and FILTER_CHANNEL per channel of the source apart
// b             the source, [N, CHANNELS, SOURCE_Y, SOURCE_X]
// out           the result, [N, rows, OUT_Y, OUT_X]

struct Sizes { rows: u32, columns: u32, terms: u32, part_terms: u32, part_stride: u32, row_tiles: u32, tiles: u32 }
var<immediate> sizes: Sizes;

alias Left = f32;
alias Right = f32;

override CHANNELS: u32 = 1u;
override SOURCE_Y: u32 = 1u;
override SOURCE_X: u32 = 1u;
override ORIGIN_Y: i32 = 0i;
override ORIGIN_X: i32 = 0i;
override STEP_Y: u32 = 1u;
override STEP_X: u32 = 1u;
override TAPS_Y: u32 = 1u;
override TAPS_X: u32 = 1u;
override POSITIONS_Y: u32 = 1u;
override POSITIONS_X: u32 = 1u;
override FILTER_ROW: u32 = 1u;
override FILTER_CHANNEL: u32 = 1u;
override KERNEL_X: u32 = 1u;
override FIRST_TAP_Y: u32 = 0u;
override FIRST_TAP_X: u32 = 0u;
override TAP_STEP_Y: i32 = 1i;
override TAP_STEP_X: i32 = 1i;
override OUT_Y: u32 = 1u;
override OUT_X: u32 = 1u;
override FIRST_Y: u32 = 0u;
override FIRST_X: u32 = 0u;
override OUT_STEP_Y: u32 = 1u;
override OUT_STEP_X: u32 = 1u;

@group(0) @binding(0) var<storage, read> a: array<Left>;
@group(0) @binding(1) var<storage, read> b: array<Right>;

fn a_at(row: u32, k: u32) -> f32 {
    let channel = k / (TAPS_Y * TAPS_X);
    let tap = k % (TAPS_Y * TAPS_X);
    let y = FIRST_TAP_Y + u32(i32(tap / TAPS_X) * TAP_STEP_Y);
    let x = FIRST_TAP_X + u32(i32(tap % TAPS_X) * TAP_STEP_X);
    return f32(a[row * FILTER_ROW + channel * FILTER_CHANNEL + y * KERNEL_X + x]);
}

fn b_at(k: u32, column: u32) -> f32 {
    let channel = k / (TAPS_Y * TAPS_X);
    let tap = k % (TAPS_Y * TAPS_X);
    let picture = column / (POSITIONS_Y * POSITIONS_X);
    let position = column % (POSITIONS_Y * POSITIONS_X);
    // Pixels left of or above the picture wrap around to huge numbers.
    let y = u32(ORIGIN_Y + i32(position / POSITIONS_X * STEP_Y + tap / TAPS_X));
    let x = u32(ORIGIN_X + i32(position % POSITIONS_X * STEP_X + tap % TAPS_X));
    if y >= SOURCE_Y || x >= SOURCE_X {
        return 0.0;
    }
    return f32(b[((picture * CHANNELS + channel) * SOURCE_Y + y) * SOURCE_X + x]);
}

fn place(row: u32, column: u32) -> u32 {
    let picture = column / (POSITIONS_Y * POSITIONS_X);
    let position = column % (POSITIONS_Y * POSITIONS_X);
    let y = FIRST_Y + position / POSITIONS_X * OUT_STEP_Y;
    let x = FIRST_X + position % POSITIONS_X * OUT_STEP_X;
    return ((picture * sizes.rows + row) * OUT_Y + y) * OUT_X + x;
}
