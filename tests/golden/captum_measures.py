"""Writes captum's part of measures.json: infidelity and sensitivity_max of a small network, and what they are of.

Needs torch and captum: python tests/golden/captum_measures.py
"""

import json
from pathlib import Path

import captum
import numpy as np
import torch
from captum.metrics import infidelity, sensitivity_max

RNG = np.random.default_rng(0)


def drawn(values):
    return torch.tensor(values, dtype=torch.float32)


FIRST, LAST = drawn(RNG.normal(size=(6, 12))), drawn(RNG.normal(size=(3, 6)))
CLIP, ATTRIBUTION = drawn(RNG.random((1, 3, 4))), drawn(RNG.normal(size=(1, 3, 4)))
MASKS = torch.tensor(RNG.random((16, 3, 4)) < 0.3)
NOISE = drawn(RNG.uniform(-0.02, 0.02, size=(5, 3, 4)))
TARGET = 1


def network(clips):
    return torch.tanh(clips.reshape(len(clips), -1) @ FIRST.T) @ LAST.T


def remove(clips):
    """The removed voxels, which take the place of the perturbation over the input, and the clips without them."""
    masks = MASKS[: len(clips)]
    return masks.float(), torch.where(masks, torch.zeros_like(clips), clips)


def explain(clips, **options):
    """Gradient times input."""
    clips = (clips[0] if isinstance(clips, tuple) else clips).detach().clone().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(network(clips)[:, TARGET].sum(), clips)
    return ((gradient * clips).detach(),)


def main():
    shared = dict(target=TARGET, n_perturb_samples=16, max_examples_per_batch=16)
    plain, scaled = (
        infidelity(network, remove, CLIP, ATTRIBUTION, normalize=n, **shared).item() for n in (False, True)
    )
    moved = sensitivity_max(
        explain, CLIP, lambda clips, radius: (clips[0] + NOISE,), n_perturb_samples=5, max_examples_per_batch=5
    )
    removed = torch.where(MASKS, torch.zeros_like(CLIP), CLIP)
    values = dict(
        source=f"captum {captum.__version__}",
        credits=(ATTRIBUTION * MASKS).sum(dim=(1, 2)).tolist(),
        drops=(network(CLIP)[:, TARGET] - network(removed)[:, TARGET]).tolist(),
        maps=[explain(CLIP)[0][0].tolist(), explain(CLIP + NOISE)[0].tolist()],
        infidelity_plain=plain,
        infidelity_scaled=scaled,
        sensitivity=moved.item(),
    )
    path = Path(__file__).parent / "measures.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | dict(captum=values)))


if __name__ == "__main__":
    main()
