"""Opens a run's newest checkpoint with the safetensors package and checks it against the run's own samples.

  python check_checkpoint.py RUN

The generator is evaluated in NumPy exactly as PyTorch's nn.Sequential(Linear, ELU, Linear, ELU, Linear) would
be, from tensors with PyTorch's names and layouts, at latents written here; `sample --latents` must agree.
With torch installed, the same is done with load_state_dict.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open

run = pathlib.Path(sys.argv[1])
newest = run / "checkpoints" / (run / "checkpoints" / "latest").read_text().strip()
with safe_open(newest, "np") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    facts = file.metadata()
assert set(facts) == {"format", "preset", "seed", "step"}, facts
prefix = "average.generator." if "average.generator.0.weight" in tensors else "generator."
state = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
width, z_dim = state["0.weight"].shape
shapes = {n: t.shape for n, t in state.items()}
assert shapes == {
    "0.weight": (width, z_dim), "0.bias": (width,),
    "2.weight": (width, width), "2.bias": (width,),
    "4.weight": (2, width), "4.bias": (2,),
}, shapes
for name in state:
    assert tensors[f"adam.g.m.{name}"].shape == state[name].shape

z = np.random.default_rng(0).standard_normal((500, z_dim)).astype(np.float32)
h = z.astype(np.float64)
for layer in "024":
    h = h @ state[f"{layer}.weight"].T.astype(np.float64) + state[f"{layer}.bias"]
    if layer != "4":
        h = np.where(h > 0, h, np.expm1(np.minimum(h, 0)))

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    np.save(folder / "z.npy", z)
    command = ["cargo", "run", "--release", "--quiet", "--bin", "sample", "--", "--run", str(run)]
    command += ["--latents", str(folder / "z.npy"), "--out", str(folder / "x.npy")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    x = np.load(folder / "x.npy")
error = np.abs(x - h).max()
assert x.shape == (500, 2) and error < 1e-3, error
print(f"{newest.name}: {len(tensors)} tensors, samples agree with NumPy to {error:.1e}")

try:
    import torch
except ImportError:
    print("torch is not installed: load_state_dict was not tried")
else:
    nn = torch.nn
    g = nn.Sequential(
        nn.Linear(z_dim, width), nn.ELU(), nn.Linear(width, width), nn.ELU(), nn.Linear(width, 2))
    g.load_state_dict({n: torch.from_numpy(t) for n, t in state.items()})
    with torch.no_grad():
        error = np.abs(g(torch.from_numpy(z)).numpy() - x).max()
    assert error < 1e-3, error
    print(f"samples agree with PyTorch to {error:.1e}")
