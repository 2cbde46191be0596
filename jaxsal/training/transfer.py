"""Training that starts from a trained network: what of it is trained, and a head that is fitted to features."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Float, Int, PyTree
from scipy.optimize import minimize

from jaxsal.core.progress import counted
from jaxsal.core.types import AnyArray
from jaxsal.datasets.pipeline import ClipSource
from jaxsal.models.torch.hub import is_hub_folder
from jaxsal.training.checkpoint import Checkpoint, Variables, open_checkpoint
from jaxsal.training.convert import HEAD, checkpoint_from_torch, with_fitting_head
from jaxsal.training.fused import fused_variables
from jaxsal.training.networks import NETWORKS, NetworkSpec
from jaxsal.training.options import Trained
from jaxsal.training.pretrained import PRETRAINED, open_pretrained

HeadInputs = Callable[[Variables, AnyArray], Array]
"""(variables, clip) to the inputs (d,) of the head's linear layer."""


def open_network(source: str | Path, classes: Sequence[str] = ()) -> Checkpoint:
    """A trained network by its name ("i3d"), from a run's folder, a file of PyTorch or a folder of the Hub.

    Args:
      source: Where it is.
      classes: Names of its classes, in the order of the logits; what it says itself if empty.

    Raises:
      FileNotFoundError: If there is nothing, or no checkpoint.
      ValueError: If it is damaged, a file holds another network, or there are not as many names as classes.
      MissingPackageError: If the package with the weights of "i3d" is not installed.
    """
    found = _open(source)
    if not classes:
        return found
    own = found.spec.classes
    if len(classes) != len(own) or len(set(classes)) < len(classes):
        raise ValueError(f"`classes` must be {len(own)} different names, one for each logit; got {tuple(classes)}.")
    return found._replace(spec=dataclasses.replace(found.spec, classes=tuple(classes)))


def _open(source: str | Path) -> Checkpoint:
    if str(source) in PRETRAINED:
        return open_pretrained(str(source))
    path = Path(source)
    return checkpoint_from_torch(path) if path.is_file() or is_hub_folder(path) else open_checkpoint(path)


def transferred(spec: NetworkSpec, start: Checkpoint, *, seed: int = 0) -> Variables:
    """The weights of a trained network for a spec of its kind; its head is drawn anew unless the classes are its own.

    Args:
      spec: What will be trained; a fused network may start from one of a spectrum at a time, see `fused_variables`.
      start: The trained network.
      seed: Of the new head.
    """
    key = jax.random.fold_in(jax.random.key(seed), 0)
    keep = start.spec.classes == spec.classes
    joined = spec.channels and not start.spec.channels
    variables = fused_variables(spec, start) if joined else start.variables
    return with_fitting_head(spec, variables, key, source=start.spec.arch, keep=keep)


def is_trained(params: PyTree, spec: NetworkSpec, trained: Trained) -> PyTree:
    """Which parameters are trained, as a tree of truth values: of the head, of the last stage and the head, or all."""
    parts = {"head": r"fc/", "last": rf"(fc|{last_stage(spec)})", "all": r""}
    pattern, skipped = re.compile(parts[trained]), 1 if spec.channels else 0  # the module of a fused network's part
    return unflatten_dict({path: pattern.match("/".join(path[skipped:])) is not None for path in flatten_dict(params)})


def last_stage(spec: NetworkSpec) -> str:
    """A pattern of the paths of a network's last stage: ResNet's layer4, I3D's Mixed_5, a transformer's last layer."""
    pattern = NETWORKS[spec.arch].last
    return pattern.format(number=getattr(spec.model(), "depth", 0) - 1)


def freeze(params: PyTree, spec: NetworkSpec, trained: Trained) -> PyTree:
    """The parameters, those that are not trained without a gradient."""
    return jax.tree.map(
        lambda leaf, kept: leaf if kept else jax.lax.stop_gradient(leaf), params, is_trained(params, spec, trained)
    )


def fit_head(
    spec: NetworkSpec, variables: Variables, clips: ClipSource, *, weight_decay: float, progress: bool = False
) -> Variables:
    """Fits the head to clips, on features that are computed once, for each clip and its mirror image.

    With z the inputs of the head's linear layer, less their mean over the clips and divided by their root mean square
    distance from it, it minimises

        mean_n -log softmax(W z_n + b)[label_n] + weight_decay |W|^2 / 2

    to its only minimum by L-BFGS, and brings mean and distance into kernel and bias.

    Args:
      spec: The network.
      variables: Its weights; those of the head are replaced.
      clips: What on; the frames for testing of each, its centre.
      weight_decay: Of the kernel, in units of the loss; at least 0.
      progress: Whether to show on standard error how far the features are.

    Returns:
      The variables with the new head.

    Raises:
      ValueError: If the network has no single linear layer "fc" at its end.
    """
    features = head_inputs(spec, variables, clips, progress=progress)
    labels = np.repeat([record.label for record in clips.clip_set.records], 2)
    kernel, bias = logistic_regression(features, labels, len(spec.classes), weight_decay=weight_decay)
    old = variables["params"][HEAD[1]]
    new = {"kernel": jnp.asarray(kernel.reshape(old["kernel"].shape)), "bias": jnp.asarray(bias)}
    return variables | {"params": variables["params"] | {HEAD[1]: new}}


def head_inputs(
    spec: NetworkSpec, variables: Variables, clips: ClipSource, *, progress: bool = False
) -> Float[np.ndarray, "N2 d"]:
    """What enters the head's linear layer, of every clip and its mirror image in turn; arguments as of `fit_head`."""
    if HEAD[1] not in variables["params"]:
        raise ValueError(f"`trained` must be all for networks without one linear head; got head for {spec.model()}.")
    numbers = range(len(clips.clip_set.records))
    inputs = map(partial(_inputs_of, _inputs_program(spec), spec, variables, clips), numbers)
    return np.concatenate(list(counted(inputs, len(numbers), "features", "clips", show=progress)))


def _inputs_of(
    program: HeadInputs, spec: NetworkSpec, variables: Variables, clips: ClipSource, number: int
) -> np.ndarray:
    first = (spec.size - spec.crop) // 2
    cut = slice(first, first + spec.crop)
    clip = spec.in_channels(clips.clip(number)[:, cut, cut].astype(np.float32) / 255)
    return np.stack([program(variables, view) for view in (clip, clip[:, :, ::-1])])


def _inputs_program(spec: NetworkSpec) -> HeadInputs:
    """The compiled program: the inputs of the head's linear layer are the gradient of a logit by its kernel."""
    model = spec.model()

    @jax.jit
    def inputs(variables: Variables, clip: Float[Array, "T H W C"]) -> Float[Array, " d"]:
        activations = model.apply(variables, spec.normalize(clip)[None], method="features")
        head = variables["params"][HEAD[1]]

        def logit(kernel: Array) -> Array:
            changed = variables | {"params": variables["params"] | {HEAD[1]: head | {"kernel": kernel}}}
            return jnp.asarray(model.apply(changed, activations, method="head"))[0, 0]

        return jax.grad(logit)(head["kernel"])[..., 0].reshape(-1)

    return inputs


def logistic_regression(
    features: Float[np.ndarray, "N d"], labels: Int[np.ndarray, " N"], num_classes: int, *, weight_decay: float
) -> tuple[Float[np.ndarray, "d K"], Float[np.ndarray, " K"]]:
    """Kernel and bias of the minimum that `fit_head` describes, for features as they are."""
    mean = features.mean(axis=0)
    length = float(np.sqrt(((features - mean) ** 2).sum(axis=1).mean())) or 1.0
    scaled, hits = ((features - mean) / length).astype(np.float64), np.eye(num_classes)[labels]
    size = scaled.shape[1] * num_classes

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = values[:size].reshape(-1, num_classes), values[size:]
        logits = scaled @ kernel + bias
        logits -= logits.max(axis=1, keepdims=True)
        log_shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        errors = (np.exp(log_shares) - hits) / len(hits)
        gradient = np.concatenate([(scaled.T @ errors + weight_decay * kernel).ravel(), errors.sum(axis=0)])
        return float(-(hits * log_shares).sum() / len(hits) + weight_decay * (kernel**2).sum() / 2), gradient

    found = minimize(loss, np.zeros(size + num_classes), jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
    kernel = found[:size].reshape(-1, num_classes) / length
    return kernel.astype(np.float32), (found[size:] - mean @ kernel).astype(np.float32)
