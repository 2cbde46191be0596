"""The later steps of `accelerator.py`: speed and memory, by chunk size."""

from functools import partial
from typing import Any

import jax
from accelerator_numbers import Bench, Table, median_seconds, network, scoring
from timing import peak_mb

PEAKS = {"NVIDIA H200": {"TF32": 494.5e12, "bfloat16": 989e12}, "TPU v5 lite": {"TF32": 197e12, "bfloat16": 197e12}}
"""Dense FLOPs a second by `device_kind`; sources in `roofline.py`."""


def chunks(bench: Bench) -> Table:
    """Masks per second, share of the peak, and memory against the compiler's estimate."""
    rows: list[dict[str, Any]] = []
    peaks = PEAKS.get(jax.devices()[0].device_kind, {})
    for crop in (bench.shape[1],) if bench.quick else (112, 224):
        classifier, clip = network("resnet3d18", bench.width, bench.shape[0], crop)
        for size in (2, 4) if bench.quick else (4, 16, 64, 256):
            for precision in ("TF32", "bfloat16"):
                if bench.left() < (5 if bench.quick else 60):
                    return Table(rows, ["Not all sizes were timed: the time was over."])
                own = classifier.with_precision("bfloat16") if precision == "bfloat16" else classifier
                lowered, arguments = scoring(bench, own, clip, size)
                compiled = lowered.compile()
                per_second = size / median_seconds(partial(compiled, *arguments))
                flops = (compiled.cost_analysis() or {}).get("flops", 0.0) / size
                estimate = compiled.memory_analysis().temp_size_in_bytes / 2**20
                row = dict(crop=crop, chunk=size, precision=precision, masks_per_second=per_second)
                row |= dict(gflop=flops / 1e9, estimated_mb=estimate, peak_mb=peak_mb())
                if precision in peaks:
                    row["share_of_peak"] = per_second * flops / peaks[precision]
                rows.append(row)
    best = max(rows, key=lambda row: row["masks_per_second"])
    return Table(rows, [f"The fastest: chunks of {best['chunk']} in {best['precision']} at {best['crop']} pixels."])
