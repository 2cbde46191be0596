"""The first two steps of `accelerator.py`: are the numbers right, and what is the compiled program?"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from accelerator_bench import Bench, Loop, Row, failures_as, network
from scipy.stats import spearmanr

from jaxsal import Classifier, rise_ledger
from jaxsal.engine.batch import prepare

REFERENCE = Path(__file__).with_name("accelerator_reference.npz")
SUBJECTS = {"resnet3d18": (8, 56), "pan": (8, 64), "i3d": (16, 64)}
"""By architecture, the frames and the height and width of the clip whose numbers are compared."""
OTHERS = (4, 16)
WIDTHS = (4, 64)
PRECISIONS = {"exact": "highest", "bfloat16": "highest", "default": None}
"""By name, what JAX is told of products of float32; its default is TF32 on NVIDIA's GPUs, bfloat16 on a TPU.

The formats that have been wrong on some GPUs come first."""
BOUNDS = {"exact": 1e-4, "default": 5e-2, "bfloat16": 5e-2}
"""How far logits may be off, as a share of the largest."""
EVERY = (slice(None, None, 2), slice(None, None, 4), slice(None, None, 4))
"""Of a map, the voxels that the reference holds."""


def results(classifier: Classifier, clip: np.ndarray, *, with_map: bool) -> dict[str, np.ndarray]:
    """The logits of a clip, and voxels of its RISE map of 64 masks, without what depends on the masks alone."""
    if not with_map:
        return dict(logits=np.asarray(prepare(classifier, [clip]).logits[0]))
    ledger = rise_ledger(jax.random.key(1), classifier, clip, num_masks=64, chunk_size=16)
    saliency = np.asarray(ledger.map(0, estimator="centered", scores="logits"))
    return dict(logits=ledger.clip_logits, map=saliency[EVERY])


def subjects(networks: Sequence[str], width: int) -> Iterator[tuple[str, Classifier, np.ndarray, bool]]:
    """The name of each network's numbers, its classifier, its clip, and whether its map is compared: the first's."""
    for arch in networks:
        yield f"{arch} {width}", *network(arch, width, *SUBJECTS.get(arch, OTHERS)), arch == networks[0]


def reference(networks: Sequence[str], widths: Sequence[int] = WIDTHS) -> dict[str, np.ndarray]:
    """The numbers of all networks on this machine."""
    return {
        f"{name} {kind}": values
        for width in widths
        for name, classifier, clip, with_map in subjects(networks, width)
        for kind, values in results(classifier, clip, with_map=with_map).items()
    }


def correctness(bench: Bench) -> Iterator[Row]:
    """Errors against the reference, of every network in one precision after the other."""
    expected = np.load(REFERENCE)
    for precision, products in PRECISIONS.items():
        for name, classifier, clip, with_map in subjects(bench.networks, bench.width):
            own = classifier.with_precision("bfloat16") if precision == "bfloat16" else classifier
            with failures_as(dict(network=name, precision=precision)) as row, jax.default_matmul_precision(products):
                found = results(own, clip, with_map=with_map)
                logits = expected[f"{name} logits"]
                row["error_of_logits"] = float(np.abs(found["logits"] - logits).max() / np.abs(logits).max())
                row["bound"] = BOUNDS[precision]
                row["same_class"] = bool(found["logits"].argmax() == logits.argmax())
                if with_map:
                    row["spearman_of_map"] = float(spearmanr(found["map"], expected[f"{name} map"], axis=None)[0])
            yield row


def what_is_wrong(rows: Sequence[Row]) -> list[str]:
    """Which logits are off, if any."""
    compared = [row for row in rows if "error_of_logits" in row]
    worst = [row for row in compared if not row["error_of_logits"] < row["bound"]]
    wrong = [f"{row['network']}, {row['precision']}: logits are off by {row['error_of_logits']:.1e}." for row in worst]
    return wrong or [f"All {len(compared)} sets of logits are within their bounds of a CPU's."]


FLAGS: dict[str, dict[str, bool | str]] = {
    "default": {},
    "NHWC": {"xla_gpu_force_conv_nhwc": True},
    "NCHW": {"xla_gpu_force_conv_nchw": True},
}
"""By layout, the options of the compiler that force it."""


def program(bench: Bench) -> Iterator[Row]:
    """The compiled loop, its speed with and without flags of layouts; its text goes into the output's folder."""
    classifier, clip = bench.subject()
    loop = Loop(classifier, clip, bench.chunk_size)
    for layout, options in FLAGS.items():
        with failures_as(dict(layout=layout)) as row:
            compiled = loop.lowered.compile(compiler_options=options)
            text = compiled.as_text() or ""
            (bench.output / f"program-{layout}.txt").write_text(text)
            row |= of_hlo(text)
            row["copied_share"] = row["largest_copy_in_loop"] / (bench.chunk_size * clip.size)
            row["masks_per_second"] = 1 / loop.seconds_per_mask(compiled)
        yield row


def best_layout(rows: Sequence[Row]) -> list[str]:
    """The fastest layout, and the largest array that the loop copies."""
    timed = [row for row in rows if "masks_per_second" in row]
    if not timed:
        return []
    first, best = timed[0], max(timed, key=lambda row: row["masks_per_second"])
    gain = best["masks_per_second"] / first["masks_per_second"]
    return [
        f"The fastest layout is {best['layout']}: {gain:.2f} times the masks per second of the compiler's choice.",
        f"The largest copy or transpose in the loop has {first['copied_share']:.2f} of the values of the masked clips.",
    ]


def of_hlo(text: str) -> Row:
    """Of an optimised program: convolutions by layout, library calls, and what its loops copy or transpose."""
    labels = re.findall(r"dim_labels=(\S+?)[,\s]", text)
    calls = re.findall(r'custom_call_target="([^"]+)"', text)
    moved = re.findall(r"= \w+\[([\d,]*)\]\S* (?:copy|transpose)\(", "\n".join(in_loops(text)))
    sizes = [int(np.prod([int(length) for length in shape.split(",") if length])) for shape in moved]
    return dict(
        convolutions=_counts(labels),
        calls=_counts(calls),
        copies_in_loop=len(sizes),
        largest_copy_in_loop=max(sizes, default=0),
    )


def in_loops(text: str) -> list[str]:
    """The computations of a program that its loops call, as text."""
    bodies = dict(re.findall(r"^(?:ENTRY )?%?(\S+) \(.*?\{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL))
    called: dict[str, Any] = {}
    waiting = re.findall(r"body=%?([\w.-]+)", text)
    while waiting:
        name = waiting.pop()
        if name in bodies and name not in called:
            called[name] = bodies[name]
            waiting += re.findall(r"(?:calls|to_apply|body|condition)=%?([\w.-]+)", bodies[name])
    return list(called.values())


def _counts(names: Sequence[str]) -> str:
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
