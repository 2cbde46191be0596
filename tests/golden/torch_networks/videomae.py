"""Writes ../videomae.npz: small VideoMAEs of Hugging Face's transformers. Needs torch, which the tests do not.

python tests/golden/torch_networks/videomae.py
"""

import json
from pathlib import Path

import numpy as np
import torch
import transformers

CONFIG = dict(
    image_size=16,
    patch_size=8,
    num_frames=4,
    tubelet_size=2,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    num_labels=5,
)
FORMS = {"mean": dict(use_mean_pooling=True), "first": dict(use_mean_pooling=False, qkv_bias=False, qv_bias=False)}


def main():
    clips = np.random.default_rng(0).standard_normal((2, 4, 16, 16, 3)).astype(np.float32)
    arrays, meta, deviation = {"clips": clips}, {}, {}
    for seed, (form, options) in enumerate(FORMS.items()):
        config = transformers.VideoMAEConfig(**CONFIG, **options)
        torch.manual_seed(seed)
        model = transformers.VideoMAEForVideoClassification(config).eval()
        for parameter in model.parameters():  # norms and biases start at 1 and 0, which would hide a mistake
            torch.nn.init.normal_(parameter, 0.2, 0.5)
        found = []
        for dtype in (torch.float32, torch.float64):
            inputs = torch.as_tensor(clips, dtype=dtype).permute(0, 1, 4, 2, 3)
            model = model.to(dtype)
            model.videomae.embeddings.position_embeddings = model.videomae.embeddings.position_embeddings.to(dtype)
            with torch.no_grad():
                result = model(inputs, output_hidden_states=True)
            found.append([*(part.double().numpy() for part in result.hidden_states), result.logits.double().numpy()])
        names = [f"{form}.{name}" for name in ("embeddings", "layer_0", "layer_1", "logits")]
        for name, value, exact in zip(names, *found, strict=True):
            arrays[name] = value.astype(np.float32)
            deviation[name] = float(np.abs(value - exact).max())
        for name, tensor in model.float().state_dict().items():
            arrays[f"{form}.w.{name}"] = tensor.numpy()
        meta[form] = config.to_dict()
    meta |= {"versions": dict(torch=torch.__version__, transformers=transformers.__version__), "deviation": deviation}
    folder = Path(__file__).parents[1]
    np.savez_compressed(folder / "videomae.npz", meta=json.dumps(meta, default=str), **arrays)
    tolerances = json.loads((folder / "tolerances.json").read_text())
    for name, value in deviation.items():
        atol = max(1e-5 * float(np.abs(arrays[name]).max()), 20 * value)
        tolerances["files"].setdefault("videomae", {})[name] = dict(rtol=1e-4, atol=atol)
    (folder / "tolerances.json").write_text(json.dumps(tolerances, indent=0) + "\n")


main()
