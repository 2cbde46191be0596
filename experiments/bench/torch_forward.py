"""The PyTorch side of `forward.py`: forward passes and training steps, asked by `peer.py`."""

import torch
from peer import serve
from torch_networks import FIRST_CONV, LAST_LINEAR, finish, load_batch, load_network, versions

state: dict = {}
training: dict = {}


def load(arch: str, weights: str, inputs: str, threads: int) -> dict[str, str]:
    """Makes the variants of a network; returns the versions of this side."""
    torch.set_num_threads(threads)
    network, batch = load_network(arch, weights).eval(), load_batch(arch, inputs)
    last, last_batch = load_network(arch, weights, last=True).eval(), load_batch(arch, inputs, last=True)
    with torch.inference_mode():
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, batch)))
    compiled = torch.compile(network)
    state.update(
        eager=lambda: network(batch),
        channels_last=lambda: last(last_batch),
        torchscript=lambda: frozen(batch),
        compile=lambda: compiled(batch),
    )
    return versions()


def forward(variant: str, output: str | None = None) -> None:
    """Runs a variant once; writes the logits to `output` if given."""
    with torch.inference_mode():
        logits = state[variant]()
    finish(output, logits)


def load_training(arch: str, weights: str, inputs: str, threads: int, rate: float, momentum: float) -> dict[str, str]:
    """Makes the variants of a training step; returns the versions of this side."""
    torch.set_num_threads(threads)
    for variant, last in {"eager": False, "channels_last": True}.items():
        network, batch = load_network(arch, weights, last=last).train(), load_batch(arch, inputs, last=last)
        optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=momentum)
        training[variant] = (arch, network, batch, optimizer)
    return versions()


def train(variant: str, output: str | None = None) -> None:
    """One step of SGD on the mean cross-entropy; writes the gradients of the first and last kernel if asked."""
    arch, network, batch, optimizer = training[variant]
    optimizer.zero_grad()
    logits = network(batch)
    labels = torch.arange(len(batch), device=batch.device) % logits.shape[1]
    torch.nn.functional.cross_entropy(logits, labels).backward()
    if output is None:
        optimizer.step()
        finish(None, None)
        return
    gradients = [network.get_submodule(names[arch]).weight.grad for names in (FIRST_CONV, LAST_LINEAR)]
    finish(output, torch.cat([(gradient / gradient.abs().max()).ravel() for gradient in gradients]))


if __name__ == "__main__":
    serve(dict(load=load, forward=forward, load_training=load_training, train=train))
