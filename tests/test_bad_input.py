"""Values that cannot mean anything: an error that names the option, before anything is computed.

Each option gets values of every wrong kind; JAXSAL_CALLS sets how many of the calls are tried.
"""

import os
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsal
from jaxsal.recipes import CurveOptions, RiseOptions, SiduOptions

NUM_CALLS = int(os.environ.get("JAXSAL_CALLS", "200"))
CLIP = np.full((2, 4, 4, 3), 0.5, np.float32)
MAP = np.ones((2, 4, 4), np.float32)

COUNTS = (0, -1, 2.0, True, False, "3", [], {1, 2}, 1j, None, np.array([1, 2]), 10**30, float("nan"))
NUMBERS = ("0.5", [], {0.1}, 1j, True, float("nan"), np.array([0.1, 0.2]), object())
SHAPES = (
    2,
    "abc",
    {1, 2, 3},
    (1, 2),
    (1, 2, 3, 4),
    (0, 2, 2),
    (1, 2.0, 2),
    (True, 2, 2),
    (10**9, 1, 1),
    np.ones(3),
    1j,
)
NAMES = ("nothing", 3, 1.5, [], ("mean",))

RISE = dict(
    num_masks=COUNTS, grid_shape=(*SHAPES, None), keep_prob=(*NUMBERS, 0, -1, 1.5, 1e-45, None), estimator=NAMES
)
RISE |= dict(sampling=NAMES, alignment=NAMES, batch_size=[value for value in COUNTS if value is not None])
SIDU = dict(threshold=(*NUMBERS, None), kernel_width=(*NUMBERS, 0, -1, None), alignment=NAMES)
CURVE = dict(num_steps=(*COUNTS, 1), tolerance=(*NUMBERS, -1, None), blur_factor=COUNTS, ties=NAMES, area=NAMES)
OPTIONS = {RiseOptions: RISE, SiduOptions: SIDU, CurveOptions: CURVE}
CALLS = [(kind, name, value) for kind, named in OPTIONS.items() for name in named for value in named[name]]


@pytest.mark.parametrize("part", range(4))
def test_options_are_refused_by_name(part):
    chosen = random.Random(part).sample(CALLS, min(NUM_CALLS // 4, len(CALLS)))
    wrong = []
    for kind, name, value in chosen:
        try:
            kind(**{name: value})
            wrong.append(f"{kind.__name__}({name}={value!r}) was accepted")
        except (TypeError, ValueError) as error:
            if f"`{name}` must " not in str(error):
                wrong.append(f"{kind.__name__}({name}={value!r}): {error}")
    assert not wrong


def score_fn(clip):
    return jnp.stack([clip[:1].mean(), clip[1:].mean()])


def rise(clip=CLIP, target=None, **options):
    return jaxsal.rise(jax.random.key(0), score_fn, clip, target, **dict(num_masks=4, grid_shape=(1, 2, 2)) | options)


def deletion(saliency=MAP, **options):
    return jaxsal.deletion(score_fn, CLIP, saliency, **dict(num_steps=3) | options)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rise(np.ma.masked_array(CLIP)), "`clip` must be an array without a mask"),
        (lambda: rise(CLIP.astype(complex)), "`clip` must hold floats"),
        (lambda: rise(CLIP.tolist()), "`clip` must be an array"),
        (lambda: rise(None), "`clip` must be an array"),
        (lambda: rise(target=[]), "`target` must be a class"),
        (lambda: rise(target=1.5), "`target` must be a class"),
        (lambda: rise(baseline=np.full(3, 0.5j)), "`baseline` must hold numbers"),
        (lambda: rise(sampling="sobol", grid_shape=(2, 200, 200)), "`grid_shape` must have at most 21,198 cells"),
        (lambda: deletion(np.full_like(MAP, np.inf)), "`saliency` must be finite; got values from inf to inf"),
        (lambda: deletion(np.full_like(MAP, np.nan)), "`saliency` must be free of NaN"),
        (lambda: deletion(MAP.astype(complex)), "`saliency` must be an array of floats"),
        (lambda: deletion(None), "`saliency` must be an array of floats"),
        (lambda: deletion(num_steps=10**30), "`num_steps` must be below"),
    ],
)
def test_arrays_are_refused_by_name(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize("num_masks", [-1, 0, 1.5, True, "8", None, 10**30])
def test_a_ledger_grows_by_whole_counts(num_masks):
    ledger = jaxsal.rise_ledger(jax.random.key(0), score_fn, CLIP, num_masks=4, grid_shape=(1, 2, 2))
    with pytest.raises((TypeError, ValueError), match="`num_masks` must be "):
        ledger.extend(score_fn, CLIP, num_masks)
