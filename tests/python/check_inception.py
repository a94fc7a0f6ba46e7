"""Writes a folder for the ignored test `inception::files_of_full_size`: weights, pictures, and the features that others compute.

  python check_inception.py random WEIGHTS.pth    makes weights of the FID's form where nobody has the real ones
  python check_inception.py fid WEIGHTS.pth OUT   pytorch-fid's network with such weights
  python check_inception.py keras NSFWJS OUT      the trained network of npm's nsfwjs 4.3.0, with TF.js' features; NSFWJS has
                                                  its model.json, weights.bin, and a picture with TF.js' answer
  COULOMB_INCEPTION=OUT cargo test --release --locked --test engine -- --ignored --nocapture files_of_full_size

All need torch and safetensors, `fid` also torchvision and pytorch-fid.
"""
import json
import pathlib
import sys
import time

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.append(str(pathlib.Path(__file__).parent.parent / "fixtures"))
from make_inception import features, network

torch.set_default_dtype(torch.float32)


def random_weights(path):
    """A file like the FID's, with numbers of a fixed seed that keep signals alive."""
    g, net = torch.Generator().manual_seed(1), network("fid")
    net.add_module("fc", torch.nn.Linear(2048, 1008))
    for name, value in net.state_dict().items():
        if name.endswith("conv.weight"):
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=g)
        elif name.endswith("bn.weight"):
            value.uniform_(0.8, 1.2, generator=g)
        elif name.endswith("running_var"):
            value.uniform_(0.7, 1.3, generator=g)
        elif value.is_floating_point():
            value.normal_(0, 0.1, generator=g)
    torch.save(net.state_dict(), path)


def fid_weights(path):
    """The weights of a file that pytorch-fid reads, and pytorch-fid's own features of pictures of noise."""
    import pytorch_fid.inception
    state = torch.load(path, map_location="cpu")
    pytorch_fid.inception.load_state_dict_from_url = lambda *a, **k: state
    net = pytorch_fid.inception.InceptionV3([0, 1, 2, 3], resize_input=False, normalize_input=False).eval()
    x = torch.rand(8, 3, 299, 299, generator=torch.Generator().manual_seed(2)) * 2 - 1
    names = ["64", "192", "768", "2048"]
    with torch.no_grad():
        start = time.time()
        found = {name: y.mean((2, 3)) for name, y in zip(names, net(x))}
        print(f"pytorch-fid: {len(x) / (time.time() - start):.2f} pictures/s on {torch.get_num_threads()} threads")
    ours = network("fid")
    assert not ours.load_state_dict(state, strict=False).missing_keys
    ours = features(ours, x)
    for name, value in found.items():
        error = float((ours[name] - value).abs().max() / value.abs().max())
        print(f"the network of make_inception.py against pytorch-fid's at {name}: {error:.1e}")
    return state, {}, x, found


def keras_weights(folder):
    """The trained network of nsfwjs in PyTorch's names, and TF.js' features of one picture."""
    model = json.load(open(folder / "model.json"))
    data, at, weights = open(folder / "weights.bin", "rb").read(), 0, {}
    for group in model["weightsManifest"]:
        for w in group["weights"]:
            q = w["quantization"]
            n = int(np.prod(w["shape"]))
            values = np.frombuffer(data, np.uint8, n, at).astype(np.float32)
            weights[w["name"]] = (values * np.float32(q["scale"]) + np.float32(q["min"])).reshape(w["shape"])
            at += n
    assert at == len(data)
    state, net = {}, network("keras")
    units = [name.removesuffix(".conv") for name, _ in net.named_modules() if name.endswith(".conv")]
    for i, name in enumerate(units, 1):
        state[name + ".conv.weight"] = torch.tensor(weights[f"conv2d_{i}/kernel"].transpose(3, 2, 0, 1).copy())
        for theirs, ours in [("beta", "bias"), ("moving_mean", "running_mean"), ("moving_variance", "running_var")]:
            state[f"{name}.bn.{ours}"] = torch.tensor(weights[f"batch_normalization_{i}/{theirs}"].copy())
    missing = net.load_state_dict(state, strict=False)
    assert all(name.endswith("bn.weight") or "batches" in name for name in missing.missing_keys)
    x = np.fromfile(folder / "golden_input_299x299x3_nhwc_f32.bin", np.float32).reshape(1, 299, 299, 3)
    x = torch.tensor(x).permute(0, 3, 1, 2).contiguous()
    golden = json.load(open(folder / "golden_tfjs.json"))
    found = features(net, x)
    golden = torch.tensor(golden["pool"])[None]
    print("PyTorch against TF.js:", float((found["2048"] - golden).abs().max() / golden.abs().max()))
    return state, {"graph": "keras"}, x, {**found, "2048": golden}


if __name__ == "__main__":
    what, *paths = sys.argv[1:]
    paths = [pathlib.Path(p) for p in paths]
    if what == "random":
        sys.exit(random_weights(*paths))
    state, metadata, x, found = {"fid": fid_weights, "keras": keras_weights}[what](paths[0])
    out = paths[1]
    out.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in state.items()}, out / "weights.safetensors", metadata)
    save_file({"x": x, **{k: v.contiguous() for k, v in found.items()}}, out / "case.safetensors")
