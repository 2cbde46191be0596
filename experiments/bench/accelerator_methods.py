"""The last three steps of `accelerator.py`: the race with PyTorch, the other methods, and processes of their own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from accelerator_bench import Bench, Row, failures_as, median_seconds
from overhead import bare_passes, gradcam_rows, timed_method
from peer import Peer
from peers import Config as PeersConfig, Subject
from scipy.stats import spearmanr
from training_step import TrainingStep

HERE = Path(__file__).parent
VARIANTS = ("eager", "channels_last", "autocast", "compile")


def race(bench: Bench) -> Iterator[Row]:
    """The study's RISE of an r3d_18 of full width: ours and PyTorch's variants, and how their maps correlate."""
    if bench.torch_python is None:
        yield dict(variant="torch", left_out="no --torch-python was given")
        return
    masks = bench.block // 4
    config = PeersConfig(bench.torch_python, (bench.shape[0], *bench.shape[1:] * 2), chunk_size=bench.chunk_size)
    subject = Subject(config)
    exact, maps = subject.classifier, dict[str, np.ndarray]()
    for precision, own in {"float32": exact, "bfloat16": exact.with_precision("bfloat16")}.items():
        subject.classifier = own
        maps[precision] = np.asarray(subject.rise(masks))
        yield dict(variant=f"jaxsal {precision}", masks=masks, seconds=median_seconds(partial(subject.rise, masks), 2))
    with tempfile.TemporaryDirectory() as folder, Peer(bench.torch_python, HERE / "torch_study.py") as peer:
        subject.save(Path(folder), masks)
        versions = peer.ask("load", folder=folder, threads=os.cpu_count(), exact=False)
        for variant in VARIANTS:
            row = dict(variant=f"torch {variant}", masks=masks, device=versions["device"], torch=versions["torch"])
            try:
                peer.ask("rise", variant=variant, num_masks=masks, output=f"{folder}/map.npy")
                theirs = np.load(f"{folder}/map.npy")
                row["spearman_with_jaxsal"] = float(spearmanr(theirs, maps["float32"], axis=None)[0])
                row["seconds"] = median_seconds(partial(peer.ask, "rise", variant=variant, num_masks=masks), 2)
            except RuntimeError as error:  # a variant that this machine cannot run
                row["refused"] = str(error)[:120]
            yield row


def winner(rows: Sequence[Row]) -> list[str]:
    """The fastest of ours over the fastest of theirs."""
    seconds = {row["variant"]: row["seconds"] for row in rows if "seconds" in row}
    ours, theirs = (
        sorted((own, name) for name, own in seconds.items() if name.startswith(side)) for side in ("jaxsal", "torch")
    )
    if not ours or not theirs:
        return []
    return [f"{ours[0][1]} is {theirs[0][0] / ours[0][0]:.2f} times as fast as the fastest of PyTorch, {theirs[0][1]}."]


def others(bench: Bench) -> Iterator[Row]:
    """Grad-CAM, deletion and insertion over their bare passes, and a training step over Grad-CAM of as many clips."""
    classifier, clip = bench.subject()
    device_clip, steps, clips = jnp.asarray(clip), 2 * bench.chunk_size, 2
    found = gradcam_rows(classifier, device_clip, rounds=1)[0]
    yield dict(what="Grad-CAM", seconds=found["seconds"], over_bare_passes=found["ratio"])
    for name in ("deletion", "insertion"):
        timed = timed_method(name, classifier, device_clip, steps, bench.chunk_size)
        seconds = median_seconds(timed.run, 2)
        bare = median_seconds(bare_passes(timed, classifier, device_clip, bench.chunk_size), 2)
        yield dict(what=f"{name}, {steps} steps", seconds=seconds, over_bare_passes=seconds / bare)
    with failures_as(dict(what=f"training step, {clips} clips")) as row:
        batch = jnp.broadcast_to(device_clip, (clips, *device_clip.shape))
        step = TrainingStep(classifier.spec.model(), classifier.params, batch, rate=0.01, momentum=0.9)
        row["seconds"] = median_seconds(step.run)
        row["over_gradcam"] = row["seconds"] / (clips * found["seconds"])
    yield row


def ratios(rows: Sequence[Row]) -> list[str]:
    """Each method over its bare passes."""
    over = {name: f"{name.replace('_', ' ')}" for name in ("over_bare_passes", "over_gradcam")}
    return [f"{row['what']}: {row[name]:.2f} {text}." for row in rows for name, text in over.items() if name in row]


def processes(bench: Bench) -> Iterator[Row]:
    """RISE in processes of their own, with a cache of programs that is empty at first; their time and peak memory."""
    few, many = (16, 64) if bench.quick else (1_000, 30_000)
    with tempfile.TemporaryDirectory() as cache:
        for start, masks in (("cold", few), ("warm", few), ("warm", many)):
            began = time.perf_counter()
            found = rise_alone(bench, masks, cache)
            seconds = time.perf_counter() - began
            yield dict(start=start, masks=masks, seconds=seconds, peak_mb=found["peak_mb"], loop_mb=found["program_mb"])


def rise_alone(bench: Bench, masks: int, cache: str) -> dict[str, Any]:
    """What `memory.py` measures of a narrow network in a process of its own."""
    size = ["--num-frames", str(bench.shape[0]), "--crop", str(bench.shape[1]), "--chunk-size", str(bench.chunk_size)]
    command = [sys.executable, str(HERE / "memory.py"), "--width", "8", *size, "--measure", str(masks)]
    filled = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    printed = subprocess.run(command, env=os.environ | filled, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(printed.splitlines()[-1])


def growth(rows: Sequence[Row]) -> list[str]:
    """What the cache of programs saves, and how memory grows with the number of masks."""
    found = []
    if len(rows) > 1:
        saved = rows[0]["seconds"] - rows[1]["seconds"]
        found.append(f"The cache of programs saves {saved:.1f} s of a start of {rows[0]['seconds']:.1f} s.")
    if len(rows) > 2:
        ratio = rows[2]["peak_mb"] / rows[1]["peak_mb"]
        found.append(f"The peak of {rows[2]['masks']} masks is {ratio:.2f} times that of {rows[1]['masks']}.")
    return found
