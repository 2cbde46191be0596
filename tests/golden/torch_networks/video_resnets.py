"""Writes ../video_resnets.npz: MC3 and R(2+1)D of width 8 by torchvision. Needs torch, which the tests do not.

PYTHONPATH=tests/golden python tests/golden/torch_networks/video_resnets.py
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import seeded
import torch
import torchvision
from torchvision.models.video import resnet

WIDTH = 8
FORMS = {
    "mc3_18": [resnet.Conv3DSimple] + [resnet.Conv3DNoTemporal] * 3,
    "r2plus1d_18": [resnet.Conv2Plus1D] * 4,
}
PARTS = ("stem", "layer1", "layer2", "layer3", "layer4")


def narrow(name):
    """torchvision's network with an eighth of its channels, 3 classes."""
    stem = resnet.R2Plus1dStem if name == "r2plus1d_18" else resnet.BasicStem
    model = resnet.VideoResNet(resnet.BasicBlock, FORMS[name], [2, 2, 2, 2], stem, num_classes=3)
    between, wide = 45 * WIDTH // 64, {64: WIDTH, 45: 45 * WIDTH // 64, 3: 3}
    for number, layer in enumerate(model.stem):
        if isinstance(layer, torch.nn.Conv3d):
            sizes = wide[layer.in_channels], wide[layer.out_channels]
            model.stem[number] = torch.nn.Conv3d(*sizes, layer.kernel_size, layer.stride, layer.padding, bias=False)
        elif isinstance(layer, torch.nn.BatchNorm3d):
            model.stem[number] = torch.nn.BatchNorm3d(between if layer.num_features == 45 else WIDTH)
    model.inplanes = WIDTH
    for number in range(4):
        layer = model._make_layer(resnet.BasicBlock, FORMS[name][number], WIDTH << number, 2, min(number + 1, 2))
        setattr(model, f"layer{number + 1}", layer)
    model.fc = torch.nn.Linear(8 * WIDTH, 3)
    return model.eval()


def keep(outputs, part, _module, _inputs, output):
    outputs[part] = output


def main():
    clips = np.random.default_rng(0).standard_normal((2, 5, 36, 30, 3)).astype(np.float32)
    arrays, meta, deviation = {"clips": clips}, {}, {}
    for seed, name in enumerate(FORMS):
        model = narrow(name)
        shapes = {key: list(tensor.shape) for key, tensor in model.state_dict().items()}
        state = seeded.seeded_state_dict(shapes, seed)
        model.load_state_dict({key: torch.as_tensor(tensor) for key, tensor in state.items()})
        meta[name] = dict(shapes=shapes, seed=seed, sha256=seeded.fingerprint(state))
        outputs, found = {}, []
        for part in PARTS:
            model.get_submodule(part).register_forward_hook(partial(keep, outputs, part))
        for dtype in (torch.float32, torch.float64):
            inputs = torch.as_tensor(clips, dtype=dtype).permute(0, 4, 1, 2, 3)
            with torch.no_grad():
                outputs["logits"] = model.to(dtype)(inputs)
            found.append({key: value.double().numpy() for key, value in outputs.items()})
        for part, value in found[0].items():
            mean = value.mean(axis=(2, 3, 4)) if value.ndim == 5 and part != "layer4" else value
            arrays[f"{name}.{part}"] = mean.astype(np.float32)
            deviation[f"{name}.{part}"] = float(np.abs(value - found[1][part]).max())
    meta |= {"versions": dict(torch=torch.__version__, torchvision=torchvision.__version__), "deviation": deviation}
    folder = Path(__file__).parents[1]
    np.savez_compressed(folder / "video_resnets.npz", meta=json.dumps(meta), **arrays)
    tolerances = json.loads((folder / "tolerances.json").read_text())
    for key, value in arrays.items():
        if key != "clips":
            atol = max(1e-5 * float(np.abs(value).max()), 20 * deviation[key])
            tolerances["files"].setdefault("video_resnets", {})[key] = dict(rtol=1e-4, atol=atol)
    (folder / "tolerances.json").write_text(json.dumps(tolerances, indent=0) + "\n")


main()
