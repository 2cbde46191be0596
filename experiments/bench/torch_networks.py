"""The networks of the benchmarks in PyTorch, as a user has them: torchvision's r3d_18 and resnet50, and PAN.

PAN-Lite is written after its authors' description, with their names of weights: segments to images, a shared
ResNet-50 with temporal shifts, pooling over timescales.
"""

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import torch
from peer import resident_peak_mb
from safetensors.torch import load_file
from torch import nn

try:
    import torchvision
except RuntimeError:  # a wheel without compiled operators, which nothing here needs; where they are, two are an error
    _library = torch.library.Library("torchvision", "DEF")
    for _operator in ("nms", "qnms"):
        _library.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.backends.cudnn.allow_tf32 = False  # as torch's own default for products, and as the other side's float32


class Shift(nn.Module):
    """An eighth of the channels from the next segment and an eighth from the previous one, then `net`."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:  # noqa: D102
        segments = images.reshape(-1, 8, *images.shape[1:])
        fold = images.shape[1] // 8
        shifted = torch.zeros_like(segments)
        shifted[:, :-1, :fold] = segments[:, 1:, :fold]
        shifted[:, 1:, fold : 2 * fold] = segments[:, :-1, fold : 2 * fold]
        shifted[:, :, 2 * fold :] = segments[:, :, 2 * fold :]
        return self.net(shifted.reshape(images.shape))


class Persistence(nn.Module):
    """PA: how the responses of a 7x7 convolution differ between the frames of a segment."""

    def __init__(self):
        super().__init__()
        self.shallow_conv = nn.Conv2d(3, 8, 7, padding=3)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:  # noqa: D102
        responses = self.shallow_conv(frames)
        responses = responses.reshape(-1, 4, *responses.shape[1:])
        return torch.linalg.vector_norm(responses[:, :-1] - responses[:, 1:] + 1e-6, dim=2)


class TimescaleHead(nn.Module):
    """VAP: the softmax-weighted sum of the maxima over segments 1, 2 and 4 apart, then linear."""

    def __init__(self, num_classes: int):
        super().__init__()
        self.TES = nn.Sequential(nn.Linear(7, 28, bias=False), nn.ReLU(), nn.Linear(28, 7, bias=False))
        self.pred = nn.Linear(2048, num_classes)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:  # noqa: D102
        vectors = torch.cat([pooled.reshape(-1, 8 // q, q, 2048).amax(1) for q in (1, 2, 4)], 1)
        weights = torch.softmax(self.TES(vectors.mean(-1)), -1)
        return self.pred((weights[..., None] * vectors).sum(1))


class PAN(nn.Module):
    """PAN-Lite of clips (B, C, 32, H, W), without dropout."""

    def __init__(self, num_classes: int):
        super().__init__()
        self.PA = Persistence()
        self.base_model = torchvision.models.resnet50()
        self.base_model.conv1 = nn.Conv2d(6, 64, 7, 2, 3, bias=False)
        self.base_model.fc = TimescaleHead(num_classes)
        for block in (module for module in self.modules() if hasattr(module, "conv3")):
            block.conv1 = Shift(block.conv1)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:  # noqa: D102
        frames = clips.transpose(1, 2).reshape(-1, 3, *clips.shape[3:])
        return self.base_model(torch.cat([frames[::4], self.PA(frames)], 1))


NETWORKS = {"resnet3d18": torchvision.models.video.r3d_18, "resnet50": torchvision.models.resnet50, "pan": PAN}
LAST_LINEAR = {"resnet3d18": "fc", "resnet50": "fc", "pan": "base_model.fc.pred"}
FIRST_CONV = {"resnet3d18": "stem.0", "resnet50": "conv1", "pan": "base_model.conv1"}


def load_network(arch: str, weights: str, *, last: bool = False) -> nn.Module:
    """A network with the other side's weights, a .safetensors file; `last`: in memory channels last."""
    tensors = load_file(weights)
    network = NETWORKS[arch](num_classes=len(tensors[f"{LAST_LINEAR[arch]}.weight"])).to(DEVICE)
    missing = network.load_state_dict(tensors, strict=False)
    if missing.unexpected_keys or any(not name.endswith("num_batches_tracked") for name in missing.missing_keys):
        raise ValueError(f"The weights are not those of {arch}: {missing}")
    return network.to(memory_format=_format(arch)) if last else network


def load_batch(arch: str, path: str, *, last: bool = False) -> torch.Tensor:
    """The other side's inputs, (B, ..., C) as .npy, channels first; `last`: in memory channels last."""
    batch = load_array(path, lambda array: np.moveaxis(array, -1, 1).copy())
    return batch.contiguous(memory_format=_format(arch)) if last and arch != "pan" else batch


def load_array(path: str, change: Callable[[np.ndarray], np.ndarray] = lambda array: array) -> torch.Tensor:
    """An array of a .npy file, changed by NumPy, on the device."""
    return torch.from_numpy(change(np.load(path))).to(DEVICE)


def finish(output: str | None, result: torch.Tensor | None) -> None:
    """Waits for the device; writes a result to `output` if given."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    if output and result is not None:
        np.save(output, result.detach().cpu().numpy())


def peak_mb() -> float:
    """The most memory that this process has had, of the device where that is not the processor."""
    if DEVICE.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resident_peak_mb()


def versions(*others: str) -> dict[str, str]:
    """What this side runs on; of further packages, too, where they are installed."""
    packages = ("torch", "torchvision", *(name for name in others if find_spec(name)))
    device = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "cpu"
    return {name: version(name) for name in packages} | {"device": device}


def _format(arch: str) -> torch.memory_format:
    return torch.channels_last_3d if arch == "resnet3d18" else torch.channels_last
