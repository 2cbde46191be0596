"""The study's recipe in PyTorch as a user would run it, for `peers.py`; with captum and torch-cam where they have it.

Masks are all made first, by trilinear stretching with corners aligned, and scored in batches of 24 (RISE) and 64
(SIDU); a curve is one forward per step; the scores of masks are logits. Weights, clip, grids, offsets and the map whose
curves are taken come from the other side as files. Captum and torch-cam are needed by what is named after them alone.
"""

import contextlib
from collections.abc import Callable
from functools import cache

import torch
from peer import serve
from torch_networks import finish, load_array, load_network, peak_mb, versions

MEAN, STD = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
RISE_BATCH, SIDU_BATCH, KEEP_PROB, CELLS, FACTOR = 24, 64, 0.1, 8, 4
state: dict = {}


def load(folder: str, threads: int, exact: bool = True) -> dict[str, str]:
    """Makes the network; returns the versions of this side. `exact`: float32 without TF32 in convolutions."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = not exact
    state.clear()
    variant_of.cache_clear()
    state.update(weights=f"{folder}/weights.safetensors", clip=load_array(f"{folder}/clip.npy"))
    state["clip"] = state["clip"].permute(3, 0, 1, 2)[None].contiguous()
    state.update({name: load_array(f"{folder}/{name}.npy") for name in ("grids", "offsets", "saliency")})
    return versions("captum", "torchcam")


@cache
def variant_of(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """The network as a user may run it, by name; made when it is asked for."""
    last = name in ("channels_last", "autocast")
    network = load_network("resnet3d18", state["weights"], last=last).eval()
    if name == "torchscript":
        batch = normalize(state["clip"].expand(RISE_BATCH, -1, -1, -1, -1))
        return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, batch)))
    if name == "compile":
        return torch.compile(network)
    if not last:
        return network

    def channels_last(batch: torch.Tensor) -> torch.Tensor:
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=name == "autocast"):
            return network(batch.contiguous(memory_format=torch.channels_last_3d)).float()

    return channels_last


def normalize(clips: torch.Tensor) -> torch.Tensor:
    """ImageNet's mean and standard deviation, after masking."""
    mean, std = (clips.new_tensor(values).reshape(1, 3, 1, 1, 1) for values in (MEAN, STD))
    return (clips - mean) / std


def stretch(volumes: torch.Tensor, size) -> torch.Tensor:
    """Trilinear, corners aligned, of (N, C, ...)."""
    return torch.nn.functional.interpolate(volumes, tuple(size), mode="trilinear", align_corners=True)


@torch.no_grad()
def rise(variant: str, num_masks: int, output: str | None = None) -> None:
    """S_c = 1 / (N p) sum_n F_c(nu(M_n x)) M_n for all classes."""
    clip, shape = state["clip"], state["clip"].shape[2:]
    cell = [-(-size // CELLS) for size in shape]
    masks = clip.new_empty(num_masks, 1, *shape)
    for n in range(num_masks):
        up = stretch(state["grids"][n][None, None].float(), [(CELLS + 1) * size for size in cell])[0]
        t, y, x = state["offsets"][n].tolist()
        masks[n] = up[:, t : t + shape[0], y : y + shape[1], x : x + shape[2]]
    scores = [variant_of(variant)(normalize(batch * clip)) for batch in masks.split(RISE_BATCH)]
    weights = torch.cat(scores).T
    maps = (weights @ masks.reshape(num_masks, -1)).reshape(-1, *shape) / (num_masks * KEEP_PROB)
    finish(output, maps)


@torch.no_grad()
def curve(kind: str, variant: str, target: int, num_steps: int, output: str | None = None) -> None:
    """One forward per step: voxels set to black, or put into a clip that lost detail; saves curve and area."""
    clip = state["clip"]
    order = torch.sort(state["saliency"].flatten(), descending=True).indices
    counts = torch.linspace(0, order.numel(), num_steps).int().tolist()
    small = [max(1, size // FACTOR) for size in clip.shape[2:]]
    start = clip if kind == "deletion" else stretch(stretch(clip, small), clip.shape[2:])
    changed, scores = start.clone().reshape(3, -1), []
    for before, count in zip([0, *counts], counts, strict=False):
        voxels = order[before:count]
        changed[:, voxels] = 0 if kind == "deletion" else clip.reshape(3, -1)[:, voxels]
        logits = variant_of(variant)(normalize(changed.reshape(clip.shape)))
        scores.append(torch.softmax(logits, -1)[0, target])
    curve = torch.stack(scores)
    finish(output, torch.cat([curve, torch.trapezoid(curve)[None] / (num_steps - 1)]))


@torch.no_grad()
def sidu(threshold: float, output: str | None = None) -> None:
    """S_c = 1 / (K / 2) sum_k SD_kc U_k M_k for all classes; features are of the clip scaled to [0, 1]."""
    network, clip = variant_of("eager"), state["clip"]
    scaled = (clip - clip.min()) / (clip.max() - clip.min() + 1e-13)
    features = network.layer4(network.layer3(network.layer2(network.layer1(network.stem(scaled)))))
    masks = stretch((features[0] > threshold).float()[:, None], clip.shape[2:])
    scores = torch.cat([network(normalize(batch * clip)) for batch in masks.split(SIDU_BATCH)])
    similarity = torch.exp(-((network(normalize(clip)) - scores) ** 2) / (2 * 0.25**2))
    # above 25 rows torch's default goes by a product of matrices, which loses too many digits to compare
    unique = torch.cdist(scores, scores, compute_mode="donot_use_mm_for_euclid_dist").sum(1)
    unique = (unique - unique.min()) / (unique.max() - unique.min() + 1e-13)
    weights = (similarity * unique[:, None]).T / (0.5 * len(masks))
    finish(output, (weights @ masks.reshape(len(masks), -1)).reshape(-1, *clip.shape[2:]))


def captum_gradcam(target: int, output: str | None = None) -> None:
    """Captum's Grad-CAM of the last layer, stretched to the clip."""
    from captum.attr import LayerAttribution, LayerGradCam

    inputs = normalize(state["clip"])
    network = variant_of("eager")
    maps = LayerGradCam(network, network.layer4).attribute(inputs, target, relu_attributions=True)
    finish(output, LayerAttribution.interpolate(maps, tuple(inputs.shape[2:]), "trilinear")[0, 0].detach())


class _GivenMap:
    """Looks like a CAM extractor of torch-cam and gives the map that it has."""

    def __init__(self, model, saliency):
        self.model, self.saliency = model, saliency

    def __call__(self, *_, **__):
        return [self.saliency[None]]

    def fuse_cams(self, cams):
        return cams[0]

    def _hooks_off(self):
        return contextlib.nullcontext()


@torch.no_grad()
def torchcam_curves(target: int, num_steps: int, output: str | None = None) -> None:
    """The areas of deletion and insertion, both with the mean colour, as torch-cam computes them."""
    from torchcam.metrics import DeletionInsertionMetric

    extractor = _GivenMap(variant_of("eager"), state["saliency"])
    metric = DeletionInsertionMetric(extractor, lambda logits: logits.softmax(-1), steps=num_steps - 1)
    metric.update(normalize(state["clip"]), target)
    areas = metric.summary()
    finish(output, torch.tensor([areas["deletion_auc"], areas["insertion_auc"]]))


if __name__ == "__main__":
    functions = (load, rise, curve, sidu, captum_gradcam, torchcam_curves, peak_mb)
    serve({function.__name__: function for function in functions})
