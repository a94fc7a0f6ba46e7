"""Opens a run's newest checkpoint with the safetensors package and checks it against the run's own samples.

  python check_checkpoint.py RUN [SAMPLE]

The generator of a mixture run is evaluated in NumPy exactly as PyTorch's nn.Sequential(Linear, ELU, Linear, ELU,
Linear) would be, from tensors with PyTorch's names and layouts, at latents written here; `sample --latents` must
agree. With torch installed, the same is done with load_state_dict. A run on pictures needs torch: the equal
modules are built here, load both networks, and must draw the same pictures. SAMPLE is the sample program, if
`cargo run` is not to build it.
"""
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import numpy as np
from safetensors import safe_open

run = pathlib.Path(sys.argv[1])
newest = run / "checkpoints" / (run / "checkpoints" / "latest").read_text().strip()
with safe_open(newest, "np") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    facts = file.metadata()
assert {"format", "preset", "seed", "step"} <= set(facts), facts
averaged = any(name.startswith("average.") for name in tensors)


def part(prefix):
    """The tensors of a network, without its prefix."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def sample(z):
    """What the sample program makes of latents."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        np.save(folder / "z.npy", z)
        program = sys.argv[2:] or ["cargo", "run", "--release", "--quiet", "--bin", "sample", "--"]
        command = [*program, "--run", str(run), "--latents", str(folder / "z.npy"), "--out", str(folder / "x.npy")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return np.load(folder / "x.npy")


def latents(count, z_dim):
    return np.random.default_rng(0).standard_normal((count, z_dim)).astype(np.float32)


def check_mixture(state):
    width, z_dim = state["0.weight"].shape
    shapes = {n: t.shape for n, t in state.items()}
    assert shapes == {
        "0.weight": (width, z_dim), "0.bias": (width,),
        "2.weight": (width, width), "2.bias": (width,),
        "4.weight": (2, width), "4.bias": (2,),
    }, shapes
    for name in state:
        assert tensors[f"adam.g.m.{name}"].shape == state[name].shape
    z = latents(500, z_dim)
    h = z.astype(np.float64)
    for layer in "024":
        h = h @ state[f"{layer}.weight"].T.astype(np.float64) + state[f"{layer}.bias"]
        if layer != "4":
            h = np.where(h > 0, h, np.expm1(np.minimum(h, 0)))
    x = sample(z)
    error = np.abs(x - h).max()
    assert x.shape == (500, 2) and error < 1e-3, error
    print(f"{newest.name}: {len(tensors)} tensors, samples agree with NumPy to {error:.1e}")
    try:
        import torch
    except ImportError:
        print("torch is not installed: load_state_dict was not tried")
        return
    nn = torch.nn
    g = nn.Sequential(
        nn.Linear(z_dim, width), nn.ELU(), nn.Linear(width, width), nn.ELU(), nn.Linear(width, 2))
    g.load_state_dict({n: torch.from_numpy(t) for n, t in state.items()})
    with torch.no_grad():
        error = np.abs(g(torch.from_numpy(z)).numpy() - x).max()
    assert error < 1e-3, error
    print(f"samples agree with PyTorch to {error:.1e}")


def check_pictures(state, facts):
    import torch
    from torch import nn

    side, normed = facts["side"], facts["norm"] == "batch"
    relu = facts["activation"] == "relu"
    running = facts["bn_sampling"] == "running"
    width, z_dim = state["project.weight"].shape[0] // 16, state["project.weight"].shape[1]

    def norm(channels, tracks):
        return [nn.BatchNorm2d(channels, track_running_stats=tracks)] if normed else []

    def activation_g():
        return nn.ReLU() if relu else nn.ELU()

    def activation_d():
        return nn.LeakyReLU(0.2) if relu else nn.ELU()

    class LeCunTanh(nn.Module):
        def forward(self, x):
            return 1.7159 * torch.tanh(x * 2 / 3)

    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            self.project = nn.Linear(z_dim, 16 * width, bias=not normed)
            self.project_norm = nn.Sequential() if not normed else norm(width, running)[0]
            self.activation = activation_g()
            channels, size, layers = width, 4, []
            while size < side // 2:
                layers += [nn.ConvTranspose2d(channels, channels // 2, 5, 2, 2, 1, bias=not normed)]
                layers += [*norm(channels // 2, running), activation_g()]
                channels, size = channels // 2, size * 2
            layers += [nn.ConvTranspose2d(channels, 3, 5, 2, 2, 1)]
            layers += [LeCunTanh() if facts["output"] == "lecun" else nn.Tanh()]
            self.layers = nn.Sequential(*layers)

        def forward(self, z):
            h = self.project(z).view(-1, width, 4, 4)
            return self.layers(self.activation(self.project_norm(h)))

    class Discriminator(nn.Module):
        def __init__(self):
            super().__init__()
            channels, outputs, size, layers = 3, max(width // 8, 8), side, []
            while size > 4:
                first = size == side
                layers += [nn.Conv2d(channels, outputs, 5, 2, 2, bias=first or not normed)]
                layers += [*([] if first else norm(outputs, False)), activation_d()]
                channels, outputs, size = outputs, outputs * 2, size // 2
            self.layers = nn.Sequential(*layers)
            self.score = nn.Linear(16 * channels, 1)

    g, d = Generator(), Discriminator()
    for network, values in [(g, state), (d, part("discriminator."))]:
        # Strict: no name may be missing or left over (PyTorch fills in num_batches_tracked itself).
        network.load_state_dict({n: torch.from_numpy(t) for n, t in values.items()})
    for name, parameter in g.named_parameters():
        assert tensors[f"adam.g.m.{name}"].shape == tuple(parameter.shape), name
    z = latents(20, z_dim)
    x = sample(z)
    assert x.shape == (20, 3, side, side) and np.isfinite(x).all(), x.shape
    if normed and not running:
        print(f"{newest.name}: {len(tensors)} tensors load; samples depend on their batch and were not compared")
        return
    with torch.no_grad():
        error = np.abs(g.eval()(torch.from_numpy(z)).numpy() - x).max()
    assert error < 1e-4, error
    print(f"{newest.name}: {len(tensors)} tensors, pictures agree with PyTorch to {error:.1e}")


config = tomllib.loads((run / "config.toml").read_text())
generator = part("average.generator." if averaged else "generator.")
if "pictures" in config:
    check_pictures(generator, config["pictures"])
else:
    check_mixture(generator)
