"""What can be known of an accelerator without one: FLOPs, bytes and roofline times of one mask, by network and method.

    python experiments/bench/roofline.py
    python experiments/bench/roofline.py --networks resnet3d18 --width 4 --crop 32 --num-frames 8

FLOPs are XLA's own count of the lowered program with the convolutions that accelerators have; it leaves out products
with padding, as `count_convolution` does. Bytes are two counts: what the program must move at least (weights, the clip
and its stand-in once a chunk, logits), and what moves if every convolution and product reads its inputs and writes
its outputs once, and everything between is fused. Nothing is compiled or run.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax.extend.core import ClosedJaxpr, Jaxpr
from timing import write_json

from jaxsal.classifier import Classifier
from jaxsal.core.callables import call_each, split_callable
from jaxsal.engine.masks import ActivationMasks, Families, MaskFamily, RankMasks
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import Program, score_chunks
from jaxsal.models.conv import plain_convolutions
from jaxsal.training.networks import NETWORKS, NetworkSpec


class Chip(NamedTuple):
    """The published peaks of an accelerator.

    Attributes:
      name: With the number format.
      flops: Dense FLOPs a second.
      bandwidth: Bytes a second of its memory.
      value_bytes: Of a weight or an activation in that format.
    """

    name: str
    flops: float
    bandwidth: float
    value_bytes: int


CHIPS = (
    Chip("H200 TF32", 494.5e12, 4.8e12, 4),
    Chip("H200 bfloat16", 989e12, 4.8e12, 2),
    Chip("v5e bfloat16", 197e12, 819e9, 2),
)
"""NVIDIA, H200 (SXM), https://www.nvidia.com/en-us/data-center/h200/, whose figures with sparsity are halved; Google,
TPU v5e, https://cloud.google.com/tpu/docs/v5e."""


@dataclass(frozen=True)
class Config:
    """What is counted: networks with weights that take no memory."""

    networks: tuple[str, ...] = tuple(NETWORKS)
    width: int | None = None
    """Channels of the first layer; the published network's if unset."""
    num_frames: int | None = None
    """T; the published network's if unset."""
    crop: int | None = None
    """Height and width; 112 for the 3D-ResNets, else 224."""
    chunk_size: int = 64
    """Masks that share one reading of the weights."""
    output: Path = Path("runs/bench/roofline.json")


def main(config: Config) -> None:
    """Counts, prints both tables and writes JSON."""
    specs = {name: network_spec(name, config) for name in config.networks}
    rows = [network_row(name, spec, config.chunk_size) for name, spec in specs.items()]
    shapes = sorted({spec.clip_shape for spec in specs.values()})
    masks = [row for shape in shapes for row in method_rows(shape, config.chunk_size)]
    print(network_table(rows), "\n\n", method_table(masks), sep="")
    write_json(
        config.output, dict(config=asdict(config), chips=[c._asdict() for c in CHIPS], networks=rows, masks=masks)
    )


def network_spec(name: str, config: Config) -> NetworkSpec:
    """A network of the published size unless the config says otherwise, of eight classes."""
    crop = config.crop or (112 if name in ("resnet3d18", "mc3_18", "r2plus1d_18") else 224)
    width = config.width or (768 if name == "videomae" else 64)
    frames = config.num_frames or NETWORKS[name].num_frames
    return NetworkSpec(tuple("abcdefgh"), arch=name, width=width, num_frames=frames, size=crop, crop=crop)


def network_row(name: str, spec: NetworkSpec, chunk_size: int) -> dict[str, Any]:
    """FLOPs and bytes of one forward pass, and the roofline time on every chip by both counts of bytes."""
    arrays, static = split_callable(spec.untrained())
    weights = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), arrays)
    clips = jax.ShapeDtypeStruct((chunk_size, *spec.clip_shape), jnp.float32)
    with plain_convolutions():
        flops = call_each.lower(weights, clips, static).cost_analysis()["flops"]
        traced = jax.make_jaxpr(lambda weights, clips: call_each(weights, clips, static))(weights, clips)
    products = list(products_of(traced.jaxpr))
    values = sum(leaf.size for leaf in weights) + 2 * math.prod(spec.clip_shape)
    row = dict(
        network=name,
        clip="x".join(map(str, spec.clip_shape[:3])),
        gflop=flops / chunk_size / 1e9,
        outside=1 - sum(product.flops for product in products) / flops,
        least_values=values / chunk_size + len(spec.classes),
        layer_values=sum(product.values for product in products) / chunk_size,
    )
    return row | dict(times={chip.name: roofline(row, chip) for chip in CHIPS})


def roofline(row: dict[str, Any], chip: Chip) -> dict[str, float]:
    """Milliseconds of one mask: by arithmetic, by the least bytes, by the bytes of layers; the longest bounds it."""
    per_byte = chip.value_bytes / chip.bandwidth * 1e3
    return dict(
        arithmetic=row["gflop"] * 1e12 / chip.flops,
        least=row["least_values"] * per_byte,
        layers=row["layer_values"] * per_byte,
    )


class Product(NamedTuple):
    """A convolution or a product of matrices in a program: its FLOPs, and the numbers that it reads and writes."""

    flops: float
    values: float


PROGRAMS = (ClosedJaxpr, Jaxpr)


def products_of(jaxpr: Any) -> Iterator[Product]:
    """The convolutions and products of a program; of a choice by platform, those of accelerators."""
    for equation in jaxpr.eqns:
        kind, shapes = equation.primitive.name, [v.aval.shape for v in (*equation.invars, *equation.outvars)]
        if kind == "conv_general_dilated":
            yield Product(count_convolution(equation), sum(map(math.prod, shapes)))
        elif kind == "dot_general":
            contracted = [shapes[0][axis] for axis in equation.params["dimension_numbers"][0][0]]
            yield Product(2.0 * math.prod(shapes[-1]) * math.prod(contracted), sum(map(math.prod, shapes)))
        elif kind == "cond":
            yield from products_of(equation.params["branches"][-1].jaxpr)
        else:
            for inner in jax.tree.leaves(equation.params, is_leaf=lambda value: isinstance(value, PROGRAMS)):
                if isinstance(inner, PROGRAMS):
                    yield from products_of(getattr(inner, "jaxpr", inner))


def count_convolution(equation: Any) -> float:
    """2 B C D prod_axes (pairs of an output and a tap that meets no padding): the FLOPs of a convolution."""
    numbers = equation.params["dimension_numbers"]
    inputs, kernel, outputs = (v.aval.shape for v in (*equation.invars, *equation.outvars))
    pairs = 1
    for axis, (stride, (before, _)) in enumerate(
        zip(equation.params["window_strides"], equation.params["padding"], strict=True)
    ):
        length, taps = inputs[numbers.lhs_spec[2 + axis]], kernel[numbers.rhs_spec[2 + axis]]
        starts = np.arange(outputs[numbers.out_spec[2 + axis]]) * stride - before
        meets = starts[:, None] + np.arange(taps)
        pairs *= int(((meets >= 0) & (meets < length)).sum())
    channels = outputs[numbers.out_spec[1]] * kernel[numbers.rhs_spec[1]]
    return 2.0 * outputs[numbers.out_spec[0]] * channels * pairs


def method_rows(clip_shape: tuple[int, ...], chunk_size: int) -> list[dict[str, Any]]:
    """FLOPs of making and applying one mask of each method: those of the program with a network that takes none."""
    num_frames, height, width, _ = clip_shape
    none = Classifier.from_functions(lambda _, clip: clip[:1, :1, :1], lambda _, a: a[0, 0, 0], jnp.zeros(()))
    small = np.zeros((max(num_frames // 8, 1), max(height // 16, 1), max(width // 16, 1), 512), np.float32)
    grid = (2, 8, 8) if min(height, width) >= 8 and num_frames > 1 else (1, 1, 1)
    families: dict[str, MaskFamily] = {
        "RISE": RiseMasks.draw(jax.random.key(0), 1, 0.1, clip_shape[:3], grid, "mirror", "own"),
        "SIDU": ActivationMasks(small, 0.0, clip_shape[:3], "mirror"),
        "deletion, insertion": RankMasks(np.zeros(clip_shape[:3], np.int32), np.zeros(2, np.int32), True),
    }
    clips = jax.ShapeDtypeStruct((1, *clip_shape), jnp.float32)
    arrays, static = split_callable(none)
    rows = jax.ShapeDtypeStruct((1, chunk_size, 2), jnp.int32), jax.ShapeDtypeStruct((1, chunk_size), jnp.int32)
    found = []
    for name, family in families.items():
        lowered = score_chunks.lower(arrays, clips, clips, Families.of([family]), *rows, np.int32(1), Program(static))
        shape = "x".join(map(str, clip_shape[:3]))
        found.append(dict(method=name, clip=shape, gflop=lowered.cost_analysis()["flops"] / chunk_size / 1e9))
    return found


def network_table(rows: list[dict[str, Any]]) -> str:
    """Rows of `network_row` as a Markdown table; times of the bytes of layers, of the least bytes in brackets."""
    names = " | ".join(f"{chip.name}, ms" for chip in CHIPS)
    lines = [
        f"| network | clip | GFLOP | outside products | FLOP/byte | MB at least | MB by layers | {names} |",
        "|---|---|" + "--:|" * (5 + len(CHIPS)),
    ]
    for row in rows:
        intensity = row["gflop"] * 1e9 / (4 * row["layer_values"])
        times = [row["times"][chip.name] for chip in CHIPS]
        bounds = " | ".join(
            f"{max(t['arithmetic'], t['layers']):.3f} ({max(t['arithmetic'], t['least']):.3f})" for t in times
        )
        lines.append(
            f"| {row['network']} | {row['clip']} | {row['gflop']:.1f} | {row['outside']:.1%} | {intensity:.0f} | "
            f"{4e-6 * row['least_values']:.1f} | {4e-6 * row['layer_values']:.0f} | {bounds} |"
        )
    return "\n".join(lines)


def method_table(rows: list[dict[str, Any]]) -> str:
    """Rows of `method_rows` as a Markdown table."""
    lines = ["| masks of | clip | GFLOP to make and apply one |", "|---|---|--:|"]
    return "\n".join([*lines, *(f"| {row['method']} | {row['clip']} | {row['gflop']:.4f} |" for row in rows)])


if __name__ == "__main__":
    main(tyro.cli(Config))
