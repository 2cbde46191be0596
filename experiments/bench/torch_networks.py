"""The PyTorch side of `forward.py`: torchvision's r3d_18 and resnet50 as a user runs them, asked by `peer.py`."""

import numpy as np
import torch
from peer import serve
from safetensors.torch import load_file

_library = torch.library.Library("torchvision", "DEF")  # its own wheel may lack these operators, which nothing needs
for _operator in ("nms", "qnms"):
    _library.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import torchvision  # noqa: E402

NETWORKS = {"resnet3d18": torchvision.models.video.r3d_18, "resnet50": torchvision.models.resnet50}
state: dict = {}


def load(arch: str, weights: str, inputs: str, threads: int) -> None:
    """Makes the variants of a network; inputs (B, ..., C) are those of the other side, as .npy."""
    torch.set_num_threads(threads)
    tensors = load_file(weights)
    make = NETWORKS[arch]
    network = make(num_classes=len(tensors["fc.weight"]))
    network.load_state_dict(tensors, strict=False)
    batch = torch.from_numpy(np.moveaxis(np.load(inputs), -1, 1).copy())
    last = torch.channels_last_3d if batch.ndim == 5 else torch.channels_last
    copy = make(num_classes=len(tensors["fc.weight"]))
    copy.load_state_dict(tensors, strict=False)
    copy = copy.to(memory_format=last).eval()
    state.clear()
    state.update(network=network, batch=batch)
    network.eval()
    state["eager"] = lambda: network(batch)
    state["channels_last"] = lambda: copy(batch.to(memory_format=last))
    with torch.inference_mode():
        traced = torch.jit.trace(network, batch)
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
    state["torchscript"] = lambda: frozen(batch)
    state["compile"] = lambda: state["compiled"](batch)
    state["compiled"] = torch.compile(network)


def forward(variant: str, output: str | None = None) -> None:
    """Runs a variant once; writes the logits to `output` if given."""
    state["network"].eval()
    with torch.inference_mode():
        logits = state[variant]()
    if output:
        np.save(output, logits.numpy())


def train(output: str | None = None) -> None:
    """The gradient of the mean cross-entropy, batch norm in training; writes that of the last kernel."""
    network, batch = state["network"].train(), state["batch"]
    network.zero_grad()
    labels = torch.arange(len(batch)) % network.fc.out_features
    torch.nn.functional.cross_entropy(network(batch), labels).backward()
    if output:
        np.save(output, network.fc.weight.grad.numpy())


if __name__ == "__main__":
    serve(dict(load=load, forward=forward, train=train))
