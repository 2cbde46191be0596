"""Steps three to five of `accelerator.py`: speed by chunk size, beside bare passes, and by form of the network."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from accelerator_bench import Bench, Loop, Row, failures_as, gflop, median_seconds, network
from overhead import bare_passes, timed_method
from timing import peak_mb, times_in_turns

from jaxsal import Classifier
from jaxsal.models import conv

PEAKS = {
    "NVIDIA H200": {"default": 494.5e12, "bfloat16": 989e12},
    "TPU v5 lite": {"default": 197e12, "bfloat16": 197e12},
}
"""Dense FLOPs a second by `device_kind`; sources in `roofline.py`."""


def chunks(bench: Bench) -> Iterator[Row]:
    """Masks per second, share of the peak, and memory beside the compiler's estimate.

    Chunks grow, for the peak so far to be that of the row; the smallest, which hardly is the fastest, comes last.
    """
    peaks = PEAKS.get(jax.devices()[0].device_kind, {})
    for size in (bench.chunk_size,) if bench.quick else (16, 64, 256, 4):
        for crop in (bench.shape[1],) if bench.quick else (112, 224):
            classifier, clip = network(bench.networks[0], bench.width, bench.shape[0], crop)
            for precision in ("default", "bfloat16"):
                own = classifier.with_precision("bfloat16") if precision == "bfloat16" else classifier
                with failures_as(dict(crop=crop, chunk=size, precision=precision)) as row:
                    loop = Loop(own, clip, size)
                    compiled = loop.lowered.compile()
                    row["masks_per_second"] = 1 / loop.seconds_per_mask(compiled)
                    row["gflop"] = gflop(own, clip)
                    if precision in peaks:
                        row["share_of_peak"] = row["masks_per_second"] * row["gflop"] * 1e9 / peaks[precision]
                    row["estimated_mb"] = compiled.memory_analysis().temp_size_in_bytes / 2**20
                    row["peak_so_far_mb"] = peak_mb()
                yield row


def best_chunk(rows: Sequence[Row]) -> list[str]:
    """The fastest of each size of clips."""
    timed = [row for row in rows if "masks_per_second" in row]
    best = [max((row for row in timed if row["crop"] == crop), key=_speed) for crop in {row["crop"] for row in timed}]
    return [
        f"At {row['crop']} pixels chunks of {row['chunk']} in {row['precision']} are fastest: "
        f"{row['masks_per_second']:.4g} masks/s."
        for row in best
    ]


def _speed(row: Row) -> float:
    return row["masks_per_second"]


def overhead(bench: Bench) -> Iterator[Row]:
    """RISE and bare passes in turns; the loop with a network that takes no time; command buffers on and off."""
    classifier, clip = bench.subject()
    timed = timed_method("RISE", classifier, jnp.asarray(clip), bench.block, bench.chunk_size)
    variants = {"RISE": timed.run, "bare passes": bare_passes(timed, classifier, jnp.asarray(clip), bench.chunk_size)}
    for what, seconds in times_in_turns(variants, rounds=3).items():
        yield dict(what=what, masks=bench.block, seconds=float(sorted(seconds)[1]))
    none = Classifier.from_functions(lambda _, clip: clip, lambda _, a: a.mean(axis=(0, 1, 2)), jnp.zeros(()))
    kinds: dict[str, tuple[Classifier, dict[str, bool | str]]] = {
        "masking alone": (none, {}),
        "the loop, command buffers on": (classifier, {}),
        "the loop, command buffers off": (classifier, {"xla_gpu_enable_command_buffer": ""}),
    }
    for what, (scored, options) in kinds.items():
        loop = Loop(scored, clip, bench.chunk_size)
        with failures_as(dict(what=what, masks=bench.block)) as row:
            row["seconds"] = bench.block * loop.seconds_per_mask(loop.lowered.compile(compiler_options=options))
        yield row


def shares(rows: Sequence[Row]) -> list[str]:
    """RISE over its bare passes, and the share of masking."""
    seconds = _seconds(rows, "what")
    found = []
    if "bare passes" in seconds:
        ratio = seconds["RISE"] / seconds["bare passes"]
        found.append(f"RISE of {rows[0]['masks']} masks takes {ratio:.3f} of its bare passes (goal 1.03).")
    if "masking alone" in seconds:
        found.append(f"Making and applying masks takes {seconds['masking alone'] / seconds['RISE']:.3f} of RISE.")
    if "the loop, command buffers off" in seconds:
        gain = seconds["the loop, command buffers off"] / seconds["the loop, command buffers on"]
        found.append(f"With command buffers the loop is {gain:.2f} times as fast as without.")
    return found


def forms(bench: Bench) -> Iterator[Row]:
    """A batch of passes as it is, with batch norm folded, and with the convolutions that the other platforms have."""
    classifier, clip = bench.subject()
    batch = jnp.broadcast_to(clip, (bench.chunk_size, *clip.shape))
    variants: dict[str, Callable[[], Any]] = {
        "as it is": nullcontext,
        "batch norm folded": lambda: nn.intercept_methods(folded),
        "other convolutions": other_convolutions,
    }
    for form, within in variants.items():
        with failures_as(dict(form=form)) as row, traced_anew(), within():
            forward = jax.jit(lambda classifier, clips: jax.vmap(classifier)(clips))
            lowered = forward.lower(classifier, batch)
            row["gflop"] = (lowered.cost_analysis() or {}).get("flops", 0.0) / 1e9
            compiled = lowered.compile()
            row["seconds"] = median_seconds(lambda compiled=compiled: compiled(classifier, batch))
        yield row


@contextmanager
def traced_anew() -> Iterator[None]:
    """Within it, nothing is known of networks that were traced before, nor later of those that are traced in it."""
    jax.clear_caches()
    try:
        yield
    finally:
        jax.clear_caches()


def folded(following: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
    """What is left of batch norm when its factor is in the kernel before it: a sum with one number for each channel."""
    if not isinstance(context.module, nn.BatchNorm):
        return following(*args, **kwargs)
    return args[0] + context.module.variables["params"]["bias"].astype(args[0].dtype)


@contextmanager
def other_convolutions() -> Iterator[None]:
    """Within it, programs for accelerators have the 2-D forms of a CPU, and those for a CPU 3-D convolutions."""
    forms = conv.fast_convolution, conv.plain_convolution
    try:
        conv.plain_convolution, conv.fast_convolution = forms  # type: ignore[assignment]
        yield
    finally:
        conv.fast_convolution, conv.plain_convolution = forms


def best_form(rows: Sequence[Row]) -> list[str]:
    """The speed of each form over that of the network as it is."""
    seconds = _seconds(rows, "form")
    return [
        f"With {form} a pass is {seconds['as it is'] / own:.2f} times as fast."
        for form, own in seconds.items()
        if form != "as it is" and "as it is" in seconds
    ]


def _seconds(rows: Sequence[Row], name: str) -> dict[str, float]:
    return {row[name]: row["seconds"] for row in rows if "seconds" in row}
