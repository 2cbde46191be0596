"""Writes Quantus's randomisation tests of a small network to measures.json, and the weights that it drew.

Needs torch and quantus: python tests/golden/quantus_mprt.py
"""

import json
from importlib.metadata import version
from pathlib import Path
from unittest import mock

import numpy as np
import quantus
import torch
from quantus.helpers.model.pytorch_model import PyTorchModel

SHAPE, TARGET, SAMPLES = (8, 12), 1, 3
SHARED = dict(abs=False, normalise=False, disable_warnings=True, seed=7)


def explain(model, inputs, targets, **options):
    """The gradient of the target's logit."""
    clips = torch.tensor(np.asarray(inputs), dtype=torch.float32, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(clips)[:, TARGET].sum(), clips)
    return gradient.numpy()


def smooth(shared):
    """The smooth test's similarities, and the noisy clips of the map of the whole network and of each layer's."""
    seen = []

    def recording(model, inputs, targets, **options):
        seen.append(np.asarray(inputs)[0, 0].tolist())
        return explain(model, inputs, targets)

    np.random.seed(0)  # noqa: NPY002, Quantus draws from it
    test = quantus.SmoothMPRT(layer_order="top_down", nr_samples=SAMPLES, noise_magnitude=0.2, **SHARED)
    with mock.patch.object(quantus, "explain", recording):  # the smooth test calls this one, not `explain_func`
        found = test(**shared | dict(x_batch=0.4 + 0.2 * shared["x_batch"]))  # noisy clips stay in [0, 1]
    maps = [seen[start : start + SAMPLES] for start in range(0, len(seen), SAMPLES)]
    del maps[1]  # the whole network's map once more
    return dict(similarities=[value[0] for name, value in found.items() if name != "original"], clips=maps)


def weights_of(model):
    return {name: values.tolist() for name, values in model.state_dict().items()}


def main():
    torch.manual_seed(0)
    layers = torch.nn.Linear(96, 2), torch.nn.Tanh(), torch.nn.Linear(2, 3)
    model = torch.nn.Sequential(torch.nn.Flatten(), *layers).eval()
    clip = np.random.default_rng(0).random((1, 1, *SHAPE), dtype=np.float32)
    shared = dict(model=model, x_batch=clip, y_batch=np.array([TARGET]), explain_func=explain, channel_first=True)
    drawn = [
        (name, weights_of(found))
        for name, found in PyTorchModel(model).get_random_layer_generator("top_down", SHARED["seed"])
    ]
    classic = quantus.MPRT(layer_order="top_down", **SHARED)(a_batch=explain(model, clip, None), **shared)
    efficient = quantus.EfficientMPRT(layer_order="top_down", complexity_func_kwargs=dict(n_bins=100), **SHARED)
    values = dict(
        source=f"quantus {version('quantus')}",
        clip=clip[0, 0].tolist(),
        weights=weights_of(model),
        layers=[name for name, _ in drawn],
        randomised=[weights for _, weights in drawn],
        similarities=[classic[name][0] for name, _ in drawn],
        smooth=smooth(shared),
        efficient=float(efficient(**shared)[0]),
    )
    path = Path(__file__).parent / "measures.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | dict(quantus_mprt=values)))


if __name__ == "__main__":
    main()
