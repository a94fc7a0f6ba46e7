"""Writes ../fixtures/metrics.json: what NumPy and SciPy say of small sets of features, for src/metrics/goldens.rs.

  python make_metrics.py

Nothing here knows how the Rust code computes: distances are differences squared, kernels are whole matrices, the
Frechet distance comes from SciPy's matrix root and, where covariances have no full rank, from singular values of the
centred features themselves. Inputs are multiples of 1/256 made by a formula that the test repeats, so only results are
stored. It also writes statistics as pytorch-fid and others do, `metrics-*.npz`, which the test reads.
"""
import json
import pathlib

import numpy as np
from scipy import linalg, stats

folder = pathlib.Path(__file__).parent.parent / "fixtures"


def numbers(name, *shape):
    """Multiples of 1/64 between -1 and 1: a linear congruential sequence, started by the name's bytes."""
    state, out = sum(name.encode()), []
    for _ in range(int(np.prod(shape))):
        state = (state * 1103515245 + 12345) % 2**31
        out.append((state // 65536 % 129 - 64) / 64)
    return np.array(out).reshape(shape)


def sets(n, m, width):
    """Real features, and generated ones: narrower, correlated, and moved."""
    x = numbers("generated", m, width)
    return numbers("real", n, width), (2 * x + np.roll(x, -1, axis=1)) / 4 + 0.25


def statistics(x):
    return x.mean(axis=0), np.cov(x, rowvar=False)


def frechet(x, y):
    (mu1, s1), (mu2, s2) = statistics(x), statistics(y)
    a, b = [(z - z.mean(axis=0)) / np.sqrt(len(z) - 1) for z in (x, y)]
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    if min(len(x), len(y)) > x.shape[1]:
        scipy = linalg.sqrtm(s1 @ s2)
        assert np.abs(np.imag(scipy)).max() < 1e-9
        assert abs(np.trace(scipy).real / root - 1) < 1e-10, (np.trace(scipy), root)
    return float(np.sum((mu1 - mu2) ** 2) + np.trace(s1) + np.trace(s2) - 2 * root)


def mmd2(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def own(z):
        k, n = kernel(z, z), len(z)
        return (k.sum() - np.trace(k)) / (n * (n - 1))

    return float(own(x) + own(y) - 2 * kernel(x, y).mean())


def squared(a, b):
    return np.stack([((row - b) ** 2).sum(axis=1) for row in a])


def radius(x, k):
    """Squared distance to the k-th nearest other row."""
    return np.sort(squared(x, x), axis=1)[:, k]


def overlap(real, generated, three, five):
    d = squared(real, generated)
    precision = (d <= radius(real, three)[:, None]).any(axis=0).mean()
    recall = (d <= radius(generated, three)[None, :]).any(axis=1).mean()
    inside = d < radius(real, five)[:, None]
    return [float(v) for v in (precision, recall, inside.sum(axis=0).mean() / five, inside.any(axis=1).mean())]


def neighbours(real, generated):
    """Distances of the first generated rows to their three nearest real ones, and of the five most similar pairs."""
    nearest = np.sqrt(np.sort(squared(generated[:20], real), axis=1)[:, :3])
    d = squared(generated, generated)[np.triu_indices(len(generated), 1)]
    return nearest.tolist(), np.sqrt(np.sort(d)[:5]).tolist()


def birthday(x, size, threshold):
    """Duplicates, batches that have one, and the interval of the support."""
    count = [np.count_nonzero(squared(b, b)[np.triu_indices(size, 1)] <= threshold**2)
             for b in (x[i : i + size] for i in range(0, len(x) - size + 1, size))]
    c, pairs = int(np.sum(count)), len(count) * size * (size - 1) // 2
    most = stats.chi2.ppf(0.975, 2 * c + 2) / 2
    fewest = stats.chi2.ppf(0.025, 2 * c) / 2 if c else 0
    return {"size": size, "threshold": threshold, "duplicates": c, "with_duplicate": int(np.count_nonzero(count)),
            "interval": [pairs / most, pairs / fewest if c else None]}


cases = []
for n, m, width in [(300, 280, 12), (700, 520, 40), (90, 60, 130), (40, 600, 300)]:
    real, generated = sets(n, m, width)
    nearest, pairs = neighbours(real, generated)
    few = float(f"{np.quantile(squared(generated, generated)[np.triu_indices(m, 1)], 1e-3) ** 0.5:.3g}")
    many = float(f"{np.quantile(squared(generated, generated)[np.triu_indices(m, 1)], 0.05) ** 0.5:.3g}")
    cases.append({
        "rows": [n, m], "width": width, "frechet": frechet(real, generated), "mmd2": mmd2(real, generated),
        "overlap": overlap(real, generated, 3, 5), "wider": overlap(real, generated, 5, 8),
        "nearest": nearest, "pairs": pairs,
        "birthday": [birthday(generated, size, t) for size in (20, m // 2, m) for t in (few, many)],
    })
mu, sigma = statistics(sets(300, 280, 12)[1])
np.savez(folder / "metrics-f64.npz", mu=mu, sigma=sigma)
np.savez_compressed(folder / "metrics-f32-columns.npz", mu=mu.astype("f4"), sigma=np.asfortranarray(sigma, "f4"))
(folder / "metrics.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
