"""Every distinct convolution of the networks by each of its exact forms, forward and with its gradient.

    python experiments/bench/convolutions.py
    python experiments/bench/convolutions.py --networks resnet3d18 --what forward
    python experiments/bench/convolutions.py --networks resnet3d18 pan --width 8
    python experiments/bench/convolutions.py --quick

The layers are found by tracing the networks, with how often each occurs. Forms of a 3-D layer: "lax", XLA's own;
"matmul" of a single tap, "joined", "split" and "winograd" as in `jaxsal.models.cpu.convolution`, "rows", frames whose
rows share products too, and with few outputs "blocked", the chosen of these by blocks of pixels; of a 2-D one: "lax",
"matmul", "tiles", "rows" and "taps" as there, and "blocked". A star marks the form that runs on CPU, forward or in a
gradient. These figures are behind the thresholds of `convolution` and `blocks` in `jaxsal.models.cpu`.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import tyro
from timing import compare, times_in_turns, write_json

from jaxsal.models import PAN, ResNet3D18, ResNet50
from jaxsal.models.conv import plain_convolution, same
from jaxsal.models.cpu.axes import convolve_by, count_outputs, xla_convolution
from jaxsal.models.cpu.blocks import block_shape, convolve_by_blocks
from jaxsal.models.cpu.convolution import (
    FRAME_FORMS,
    IN_GRADIENTS,
    OF_FRAMES,
    PLANE_FORMS,
    convolve_images,
    fast_convolution,
    frame_form,
    plane_form,
)
from jaxsal.models.cpu.winograd import MOST_POINTS, best_tile, winograd
from jaxsal.models.layers import Conv
from jaxsal.models.persistence import CHANNELS, TAPS, ResponseNorms

NETWORKS = {
    "resnet3d18": (ResNet3D18, (1, 16, 112, 112, 3)),
    "resnet50": (ResNet50, (8, 224, 224, 3)),
    "pan": (PAN, (1, 32, 224, 224, 3)),
}
LARGEST_BY_TAPS = 14 * 14  # outputs of an image; gradients of more take minutes
QUICK = {"resnet3d18": (ResNet3D18, (1, 4, 16, 16, 3))}


class Layer(NamedTuple):
    """A convolution: shapes (B, ..., C) and (..., C, D), and its options."""

    inputs: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        numbers = ("x".join(map(str, part)) for part in (self.inputs, self.kernel, self.strides))
        return " * ".join(numbers)


@dataclass(frozen=True)
class Config:
    """What is timed."""

    networks: tuple[Literal["resnet3d18", "resnet50", "pan"], ...] = ("resnet3d18", "resnet50", "pan")
    """The networks whose layers are taken, each distinct layer once."""
    what: tuple[Literal["forward", "gradient"], ...] = ("forward", "gradient")
    """"gradient" is by inputs and kernel, of the sum of squares."""
    width: int = 64
    """Channels of the networks' first layers."""
    rounds: int = 7
    quick: bool = False
    """A narrow 3D-ResNet18 on a small clip."""
    output: Path = Path("runs/bench/convolutions.json")


def main(config: Config) -> None:
    """Times all forms of all layers and prints a table."""
    chosen = QUICK if config.quick else {name: NETWORKS[name] for name in config.networks}
    layers: Counter[Layer] = Counter()
    for make, shape in chosen.values():
        layers |= layers_of(make(width=8 if config.quick else config.width), shape)
    rows: list[dict[str, Any]] = []
    print("| layer (inputs * kernel * strides) | times | what | form, ms (speed over lax); * is chosen |")
    print("|---|--:|---|---|")
    for layer, count in layers.items():
        for what in config.what:
            row = dict(layer=layer._asdict(), count=count, what=what, chosen=choice(layer, what))
            row["forms"] = time_layer(layer, what, config.rounds)
            rows.append(row)
            print(f"| {layer} | {count} | {what} | {forms_text(row)} |", flush=True)
            write_json(config.output, dict(rounds=config.rounds, rows=rows))


def layers_of(model: nn.Module, shape: tuple[int, ...]) -> Counter[Layer]:
    """The convolutions that a network runs on inputs of a shape, with how often it does."""
    found: Counter[Layer] = Counter()

    def watch(call, arguments, keywords, context):
        module, inputs = context.module, arguments[0] if arguments else None
        if isinstance(module, Conv | ResponseNorms):
            size, features = (module.size, module.features) if isinstance(module, Conv) else (TAPS, CHANNELS)
            strides = getattr(module, "strides", None) or (1,) * len(size)
            padding = tuple((taps // 2, taps // 2) for taps in size)
            found[Layer(inputs.shape, (*size, inputs.shape[-1], features), strides, padding)] += 1
        return call(*arguments, **keywords)

    with nn.intercept_methods(watch):
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(shape))
    return found


def forms(layer: Layer) -> dict[str, Callable[[jax.Array, jax.Array], jax.Array]]:
    """The exact forms of a layer by name."""
    options: dict[str, Any] = dict(strides=layer.strides, padding=layer.padding)
    whole = partial(fast_convolution, **options, pointwise=same)
    found = {"lax": partial(plain_convolution, **options)}
    if math.prod(layer.kernel[:-2]) == 1:
        return found | {"matmul": whole}
    names: list[str] = []
    if len(layer.strides) == 2:
        by_blocks = partial(convolve_by_blocks, xla_convolution, shape=_block(layer), pointwise=same)
        found["blocked"] = partial(by_blocks, **options)
        if math.prod(layer.inputs[1:3]) <= LARGEST_BY_TAPS * math.prod(layer.strides):
            names.append("taps")
        if layer.strides == (1, 1) and max(layer.kernel[:2]) <= MOST_POINTS:
            names += ["rows", "tiles"]
        return found | {name: partial(convolve_by, PLANE_FORMS[name], **options) for name in names}
    if block_shape(*_shapes(layer)) != (1, 1):
        found["blocked"] = whole
    planes = partial(convolve_images, strides=layer.strides[1:], padding=layer.padding[1:], allowed=OF_FRAMES)
    over_time = dict(stride=layer.strides[0], pads=layer.padding[0], convolve=planes)
    found |= {name: partial(FRAME_FORMS[name], **over_time) for name in ("joined", "split")}
    if layer.strides[0] == 1 and _num_frames(layer) > 1 and layer.kernel[0] <= MOST_POINTS:
        found["winograd"] = partial(convolve_by, (winograd,), **options)
        if layer.strides == (1, 1, 1) and layer.kernel[1] > 1:
            found["rows"] = partial(convolve_by, (winograd, winograd), **options)
    return found


def choice(layer: Layer, what: str = "forward") -> str:
    """The form that runs on CPU."""
    if math.prod(layer.kernel[:-2]) == 1:
        return "matmul"
    if block_shape(*_shapes(layer)) != (1, 1):
        return "blocked"
    if len(layer.strides) == 2:
        form = plane_form(*_shapes(layer), layer.strides, layer.padding)
        return form if what == "forward" else IN_GRADIENTS.get(form, form)
    over_time = frame_form(*_shapes(layer), layer.strides, layer.padding)
    if over_time != "winograd" or what == "gradient":
        return over_time
    of_products = plane_form(*_planes(layer), layer.strides[1:], layer.padding[1:], OF_FRAMES)
    return "rows" if of_products == "rows" else over_time


def _planes(layer: Layer) -> list[jax.ShapeDtypeStruct]:
    """The images and the kernel of a product of transformed frames."""
    images, kernel = _shapes(layer)
    num_frames = _num_frames(layer)
    num_tiles = -(-num_frames // best_tile(num_frames, kernel.shape[0]).num_outputs)
    images = jax.ShapeDtypeStruct((images.shape[0] * num_tiles, *images.shape[2:]), images.dtype)
    return [images, jax.ShapeDtypeStruct(kernel.shape[1:], kernel.dtype)]


def _num_frames(layer: Layer) -> int:
    return count_outputs(layer.inputs[1], layer.kernel[0], layer.strides[0], layer.padding[0])


def _block(layer: Layer) -> tuple[int, int]:
    """The pixels of a block, two by two where none would be chosen."""
    chosen = block_shape(*_shapes(layer))
    return (2, 2) if chosen == (1, 1) else chosen


def time_layer(layer: Layer, what: str, rounds: int) -> list[dict[str, Any]]:
    """Rows of `compare`, one a form."""
    generator = np.random.default_rng(0)
    arrays = [jnp.asarray(generator.standard_normal(shape), jnp.float32) for shape in (layer.inputs, layer.kernel)]
    runs = {}
    for name, form in forms(layer).items():
        program = jax.jit(form if what == "forward" else jax.grad(partial(_energy, form), (0, 1)))
        runs[name] = partial(program, *arrays)
    return compare(times_in_turns(runs, rounds=rounds), against="lax")


def forms_text(row: dict[str, Any]) -> str:
    """Milliseconds and speed of each form; the chosen one has a star."""
    return ", ".join(
        f"{form['variant']}{'*' if form['variant'] == row['chosen'] else ''} "
        f"{1e3 * form['seconds']:.3g} ({form['speed']:.2g})"
        for form in row["forms"]
    )


def _shapes(layer: Layer) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (layer.inputs, layer.kernel)]


def _energy(form, inputs, kernel):
    return (form(inputs, kernel) ** 2).sum()


if __name__ == "__main__":
    main(tyro.cli(Config))
