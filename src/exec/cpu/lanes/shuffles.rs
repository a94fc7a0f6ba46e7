//! What takes as many registers as one has lanes: transposes and sums, by shuffles of pairs of registers.

use std::arch::x86_64::*;

/// Pairs of numbers, then of pairs, then of quarter registers change places.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose512(rows: [__m512; 16]) -> [__m512; 16] {
    let mut quads = [_mm512_setzero_pd(); 16];
    for i in (0..16).step_by(4) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|j| rows[i + j]);
        let pairs = [
            _mm512_unpacklo_ps(a, b),
            _mm512_unpackhi_ps(a, b),
            _mm512_unpacklo_ps(c, d),
            _mm512_unpackhi_ps(c, d),
        ];
        let [a, b, c, d] = pairs.map(|pair| _mm512_castps_pd(pair));
        quads[i] = _mm512_unpacklo_pd(a, c);
        quads[i + 1] = _mm512_unpackhi_pd(a, c);
        quads[i + 2] = _mm512_unpacklo_pd(b, d);
        quads[i + 3] = _mm512_unpackhi_pd(b, d);
    }
    let mut columns = rows;
    for j in 0..4 {
        let [a, b, c, d] = [0, 4, 8, 12].map(|i| _mm512_castpd_ps(quads[i + j]));
        let (ab, cd) = (
            _mm512_shuffle_f32x4::<0x44>(a, b),
            _mm512_shuffle_f32x4::<0x44>(c, d),
        );
        columns[j] = _mm512_shuffle_f32x4::<0x88>(ab, cd);
        columns[j + 4] = _mm512_shuffle_f32x4::<0xdd>(ab, cd);
        let (ab, cd) = (
            _mm512_shuffle_f32x4::<0xee>(a, b),
            _mm512_shuffle_f32x4::<0xee>(c, d),
        );
        columns[j + 8] = _mm512_shuffle_f32x4::<0x88>(ab, cd);
        columns[j + 12] = _mm512_shuffle_f32x4::<0xdd>(ab, cd);
    }
    columns
}

/// As [`transpose512`], with halves of registers at the end.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn transpose256(rows: [__m256; 8]) -> [__m256; 8] {
    let mut quads = [_mm256_setzero_ps(); 8];
    for i in [0, 4] {
        let [a, b, c, d] = [0, 1, 2, 3].map(|j| rows[i + j]);
        let pairs = [
            _mm256_unpacklo_ps(a, b),
            _mm256_unpackhi_ps(a, b),
            _mm256_unpacklo_ps(c, d),
            _mm256_unpackhi_ps(c, d),
        ];
        quads[i] = _mm256_shuffle_ps::<0x44>(pairs[0], pairs[2]);
        quads[i + 1] = _mm256_shuffle_ps::<0xee>(pairs[0], pairs[2]);
        quads[i + 2] = _mm256_shuffle_ps::<0x44>(pairs[1], pairs[3]);
        quads[i + 3] = _mm256_shuffle_ps::<0xee>(pairs[1], pairs[3]);
    }
    let mut columns = rows;
    for j in 0..4 {
        columns[j] = _mm256_permute2f128_ps::<0x20>(quads[j], quads[j + 4]);
        columns[j + 4] = _mm256_permute2f128_ps::<0x31>(quads[j], quads[j + 4]);
    }
    columns
}

/// Halves of registers are added, then quarters, and so on, as `Lanes::sum` does; after each addition a register
/// holds what is left of twice as many.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn sums512(x: [__m512; 16]) -> __m512 {
    let mut halves = [_mm512_setzero_ps(); 8];
    for (i, half) in halves.iter_mut().enumerate() {
        let first = i + i / 4 * 4;
        let (a, b) = (x[first], x[first + 4]);
        let low = _mm512_shuffle_f32x4::<0x44>(a, b);
        *half = _mm512_add_ps(low, _mm512_shuffle_f32x4::<0xee>(a, b));
    }
    let mut quarters = [_mm512_setzero_ps(); 4];
    for (i, quarter) in quarters.iter_mut().enumerate() {
        let (a, b) = (halves[i], halves[i + 4]);
        let even = _mm512_shuffle_f32x4::<0x88>(a, b);
        *quarter = _mm512_add_ps(even, _mm512_shuffle_f32x4::<0xdd>(a, b));
    }
    let mut pairs = [_mm512_setzero_ps(); 2];
    for (i, pair) in pairs.iter_mut().enumerate() {
        let (a, b) = (quarters[i], quarters[i + 2]);
        *pair = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    }
    let [a, b] = pairs;
    _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b))
}

/// As [`sums512`].
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sums256(x: [__m256; 8]) -> __m256 {
    let mut halves = [_mm256_setzero_ps(); 4];
    for (i, half) in halves.iter_mut().enumerate() {
        let (a, b) = (x[i], x[i + 4]);
        let low = _mm256_permute2f128_ps::<0x20>(a, b);
        *half = _mm256_add_ps(low, _mm256_permute2f128_ps::<0x31>(a, b));
    }
    let mut pairs = [_mm256_setzero_ps(); 2];
    for (i, pair) in pairs.iter_mut().enumerate() {
        let (a, b) = (halves[i], halves[i + 2]);
        *pair = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    }
    let [a, b] = pairs;
    _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b))
}
