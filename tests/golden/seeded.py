"""Deterministic stand-in weights for networks whose weights are not stored. numpy only.

    seeded_state_dict(shapes, seed) -> {name: array}

`shapes` maps checkpoint names to torch-layout shapes. Every tensor has its own generator,
np.random.default_rng([seed, zlib.crc32(name.encode())]), so the result does not depend on the
order or the number of the names. Values are drawn in float64 and cast to float32.

Rule, by the last part of the name and by the number of axes:
    num_batches_tracked                  int64 0, shape ()
    running_mean        1-d              N(0, 0.1)
    running_var         1-d              U(0.5, 1.5)
    weight  4-d / 5-d   convolution      N(0, sqrt(2 / fan_in)), fan_in = product of all axes but the first
    weight  2-d         linear           N(0, 1 / sqrt(fan_in)), fan_in = second axis
    weight  1-d         batch norm       U(0.5, 1.5); times RESIDUAL_GAIN for the last one of a residual block
    bias    1-d         any              N(0, 0.1)
The second argument of N is the standard deviation. "Last one of a residual block" is any name that
matches LAST_BN (r3d_18 `layerL.B.conv2.1.weight`, ResNet-50 and PAN `layerL.B.bn3.weight`, with any prefix).
"""

import hashlib
import re
import zlib

import numpy as np

RESIDUAL_GAIN = 0.3
LAST_BN = re.compile(r"layer\d+\.\d+\.(bn3|conv2\.1)\.weight$")


def seeded_tensor(name, shape, seed):
    shape = tuple(int(s) for s in shape)
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_mean":
        value = rng.standard_normal(shape) * 0.1
    elif leaf == "running_var":
        value = rng.uniform(0.5, 1.5, shape)
    elif leaf == "bias":
        value = rng.standard_normal(shape) * 0.1
    elif leaf == "weight" and len(shape) in (4, 5):
        value = rng.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[1:]))
    elif leaf == "weight" and len(shape) == 2:
        value = rng.standard_normal(shape) / np.sqrt(shape[1])
    elif leaf == "weight" and len(shape) == 1:
        value = rng.uniform(0.5, 1.5, shape)
        if LAST_BN.search(name):
            value = value * RESIDUAL_GAIN
    else:
        raise ValueError(f"no rule for {name} with shape {shape}")
    return np.asarray(value, np.float32)


def seeded_state_dict(shapes, seed):
    return {name: seeded_tensor(name, shape, seed) for name, shape in shapes.items()}


def fingerprint(state):
    """sha256 over name, shape, type and bytes of every tensor, in sorted order of the names."""
    h = hashlib.sha256()
    for name in sorted(state):
        a = np.asarray(state[name])
        h.update(f"{name}|{a.shape}|{a.dtype.str}|".encode())
        h.update(np.ascontiguousarray(a).tobytes())
    return h.hexdigest()
