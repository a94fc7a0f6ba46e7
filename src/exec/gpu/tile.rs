//! Which tile a product of matrices is computed with, and into how many parts its terms are cut.

/// Workgroups that keep a large device busy: two for each of some 130 processors.
const WANTED: usize = 264;

/// The same for a device that is a program on a few cores.
const WANTED_SOFTWARE: usize = 16;

/// The fewest terms worth a part of their own.
const LEAST_TERMS: usize = 256;

/// Parts are multiples of what a workgroup copies at a time: `DEPTH` in `kernels/gemm.wgsl`, `SLAB` in
/// `kernels/gemm_cores.wgsl`.
pub(super) const DEPTH: usize = 32;

/// Threads and registers of a workgroup of `kernels/gemm.wgsl`, or in place of threads subgroups of
/// `kernels/gemm_cores.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    /// Threads along the rows.
    pub high: u32,
    /// Threads along the columns.
    pub wide: u32,
    /// A thread's rows, in fours.
    pub a4: u32,
    /// A thread's columns, in fours.
    pub b4: u32,
}

/// Which kernel computes a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// `kernels/gemm.wgsl` on a graphics processor.
    Hardware,
    /// `kernels/gemm.wgsl` on a program that stands for one.
    Software,
    /// `kernels/gemm_cores.wgsl`, where the product is large enough.
    Cores,
    /// The same without tensor cores, for tests: `kernels/cores_emulated.wgsl` stands for them.
    EmulatedCores,
}

impl Engine {
    /// Whether large products are cut for tensor cores.
    pub(super) fn has_cores(self) -> bool {
        matches!(self, Self::Cores | Self::EmulatedCores)
    }
}

/// How a product is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub tile: Tile,
    /// Whether the tile is one of `kernels/gemm_cores.wgsl`.
    pub cores: bool,
    /// Parts of the terms.
    pub parts: usize,
    /// Terms of each, a multiple of [`DEPTH`].
    pub part_terms: usize,
}

const fn tile(high: u32, wide: u32, a4: u32, b4: u32) -> Tile {
    Tile { high, wide, a4, b4 }
}

/// Tiles for graphics processors, and roughly the share of its speed that each reaches when it is full: what a tile
/// loads grows with its edges, what it computes with its area.
const TILES: [(Tile, f64); 5] = [
    (tile(16, 16, 2, 2), 1.0), // 128 x 128
    (tile(16, 16, 1, 1), 0.7), // 64 x 64
    (tile(8, 8, 1, 1), 0.45),  // 32 x 32
    (tile(4, 32, 1, 2), 0.5),  // 16 x 256, for few rows
    (tile(32, 4, 2, 1), 0.5),  // 256 x 16, for few columns
];

/// Tiles for tensor cores: subgroups of 64 rows and 32 columns each.
const CORE_TILES: [(Tile, f64); 3] = [
    (tile(2, 4, 16, 8), 1.0), // 128 x 128
    (tile(2, 2, 16, 8), 0.8), // 128 x 64
    (tile(1, 2, 16, 8), 0.6), // 64 x 64
];

/// Products with fewer rows, columns or terms waste more of tensor cores than these save.
const LEAST_FOR_CORES: usize = 32;

/// Tiles for software: eight threads, one register's worth on the devices we know, where waiting for each other is what
/// costs.
const SOFTWARE_TILES: [(Tile, f64); 2] = [
    (tile(1, 8, 2, 1), 1.0), // 8 x 32
    (tile(8, 1, 1, 1), 0.6), // 32 x 4, for few columns
];

impl Tile {
    /// Rows of the result that a workgroup computes.
    pub fn rows(self) -> usize {
        (self.high * self.a4 * 4) as usize
    }

    /// Columns of the result that a workgroup computes.
    pub fn columns(self) -> usize {
        (self.wide * self.b4 * 4) as usize
    }

    /// Tiles along the rows and along the columns.
    pub fn count(self, rows: usize, columns: usize) -> [usize; 2] {
        [rows.div_ceil(self.rows()), columns.div_ceil(self.columns())]
    }
}

/// The cut of `[rows, terms] x [terms, columns]` that should take least time: the work with its padding, by the tile's
/// rate, by the share of the device that has something to do.
pub(super) fn cut(rows: usize, columns: usize, terms: usize, engine: Engine) -> Cut {
    let cores = engine.has_cores() && rows.min(columns).min(terms) >= LEAST_FOR_CORES;
    let (tiles, wanted): (&[(Tile, f64)], usize) = match engine {
        Engine::Software => (&SOFTWARE_TILES, WANTED_SOFTWARE),
        _ if cores => (&CORE_TILES, WANTED),
        _ => (&TILES, WANTED),
    };
    let mut best: Option<(Cut, f64)> = None;
    for &(tile, rate) in tiles {
        let [down, across] = tile.count(rows, columns);
        let tiles = (down * across).max(1);
        let most = (terms / LEAST_TERMS).max(1);
        let parts = (wanted / tiles).clamp(1, most);
        let part_terms = terms.div_ceil(parts).next_multiple_of(DEPTH).max(DEPTH);
        let parts = terms.div_ceil(part_terms).max(1);
        let busy = ((tiles * parts) as f64 / wanted as f64).min(1.0);
        let time = (tiles * tile.rows() * tile.columns()) as f64 / (busy * rate);
        let cut = Cut {
            tile,
            cores,
            parts,
            part_terms,
        };
        if best.is_none_or(|(_, least)| time < least) {
            best = Some((cut, time));
        }
    }
    best.expect("there are tiles").0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_terms_once() {
        for (rows, columns, terms) in [
            (3, 131_072, 6400),
            (128, 1, 4096),
            (512, 6400, 8192),
            (128, 128, 128),
            (1, 1, 1),
            (5, 7, 0),
        ] {
            for engine in [Engine::Hardware, Engine::Software, Engine::Cores] {
                let cut = cut(rows, columns, terms, engine);
                assert!(cut.parts * cut.part_terms >= terms, "{cut:?}");
                assert!((cut.parts - 1) * cut.part_terms < terms.max(1), "{cut:?}");
                assert!(cut.part_terms.is_multiple_of(DEPTH), "{cut:?}");
            }
        }
    }

    #[test]
    fn tensor_cores_take_what_is_large_enough() {
        assert!(cut(128, 128, 128, Engine::Cores).cores);
        assert!(!cut(3, 4096, 4096, Engine::Cores).cores);
        assert!(!cut(128, 128, 128, Engine::Hardware).cores);
    }

    #[test]
    fn tiles_follow_the_shape() {
        let size = |rows, columns, terms| {
            let tile = cut(rows, columns, terms, Engine::Hardware).tile;
            [tile.rows(), tile.columns()]
        };
        assert_eq!(size(1024, 131_072, 1024), [128, 128]);
        assert_eq!(size(3, 131_072, 6400), [16, 256]);
        assert_eq!(size(131_072, 3, 64), [256, 16]);
        assert_eq!(size(128, 128, 128), [32, 32]);
    }
}
