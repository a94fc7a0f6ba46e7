// Where `by` is largest in window [i, j] of a plane: the first place of equals; padding is never chosen. Part of
// pool_pick.wgsl and pool_spread.wgsl.
//
// sizes          elements of the result, planes, and height and width of pictures, answers, windows, strides, padding
// by             [planes, height, width]

struct Sizes {
    count: u32, planes: u32,
    height: u32, width: u32,
    down: u32, across: u32,
    kernel_y: u32, kernel_x: u32,
    stride_y: u32, stride_x: u32,
    padding_y: u32, padding_x: u32,
}
var<immediate> sizes: Sizes;

@group(0) @binding(0) var<storage, read> by: array<f32>;

// The largest place of window [i, j] of the plane that starts at `plane`.
fn largest(plane: u32, i: u32, j: u32) -> u32 {
    let top = i * sizes.stride_y;
    let left = j * sizes.stride_x;
    // The first pixels that are no padding, and the ends.
    let first_y = max(top, sizes.padding_y) - sizes.padding_y;
    let first_x = max(left, sizes.padding_x) - sizes.padding_x;
    let end_y = min(top + sizes.kernel_y - sizes.padding_y, sizes.height);
    let end_x = min(left + sizes.kernel_x - sizes.padding_x, sizes.width);
    var best = plane + first_y * sizes.width + first_x;
    var most = by[best];
    for (var h = first_y; h < end_y; h++) {
        for (var w = first_x; w < end_x; w++) {
            let at = plane + h * sizes.width + w;
            if by[at] > most {
                best = at;
                most = by[at];
            }
        }
    }
    return best;
}
