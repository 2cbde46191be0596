"""Calls of public functions and dataclasses, each with one argument that cannot mean anything, and what came of them.

An argument's kind follows from its name or annotation; a kind has values that are wrong for all arguments of it.
"""

import inspect
import re
import traceback
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin

import jax
import numpy as np

CLIP = np.full((2, 4, 4, 3), 0.5, np.float32)
MAP = np.arange(32, dtype=np.float32).reshape(2, 4, 4)
OTHERS = ({1, 2}, 1j, np.array([1, 2]), object(), np.ma.masked_array([1, 2]))

CLIPS = (CLIP[0], CLIP[:0], CLIP * np.nan, CLIP + np.inf, CLIP.astype(complex), CLIP.astype(object))
MAPS = (MAP[0], MAP[:0], MAP[:, :2], MAP * np.nan, MAP + np.inf, MAP.astype(complex), MAP.astype(object))
ACTOR = MAP > 3
ACTORS = (MAP, ACTOR.astype(object), ACTOR[0], ACTOR[:, :2], ACTOR[:0], np.ma.masked_array(ACTOR))
SHARES = MAP[None] / 32
MASKS = (MAP, SHARES[:, :0], SHARES[:, :, :2], SHARES + 7, SHARES * np.nan, SHARES.astype(complex))
SCENES = ({"IR": 3}, {"IR": CLIP, "TV": CLIP[:1]})
BASELINES = (CLIP[:, :2], CLIP * np.nan, CLIP + 7, CLIP * 1j, CLIP.astype(object), np.ma.masked_array(CLIP))
COLOURS = ([0.5], [float("nan")] * 3, [float("inf")] * 3, [[0.5] * 3], {"IR": 0.5}, {1}, [1j] * 3, ["a"] * 3)

VALUES: dict[str, tuple[object, ...]] = dict(
    count=(0, -1, 1.5, 2.0, True, "3", [], 10**30, float("nan"), float("inf"), *OTHERS),
    number=("0.5", [], True, float("nan"), *OTHERS),
    fraction=("0.5", [], True, float("nan"), float("inf"), -1, 1.5, *OTHERS),
    positive=("0.5", [], True, float("nan"), float("inf"), 0, -1, *OTHERS),
    seed=(-1, 1.5, True, "0", 2**32, 10**30, float("nan"), *OTHERS),
    shape=(2, "abc", (1, 2), (1, 2, 3, 4), (0, 2, 2), (1, 2.0, 2), (True, 2, 2), (10**9, 1, 1), np.ones(3), *OTHERS),
    name=("nothing", "", 3, 1.5, [], ("mean",), b"mean", *OTHERS),
    names=("nothing", 3, ("nothing",), (3,), ("",), (None,), *OTHERS),
    text=(3, 1.5, [], b"name", *OTHERS),
    texts=("name", 3, 1.5, (3,), ("a", "a"), b"name", *OTHERS),
    flag=(1, 0.0, "no", [], *OTHERS),
    path=("", 3, 1.5, [], b"", "a\0b", *OTHERS),
    clip=(3, "clip", [], CLIP.tolist(), CLIP.astype(int), np.ma.masked_array(CLIP), {}, *CLIPS, *SCENES),
    map=(3, "map", [], MAP.tolist(), np.ma.masked_array(MAP), np.stack([MAP[0]] * 3), {}, *MAPS),
    masks=(3, "masks", [], {}, SHARES.astype(object), np.ma.masked_array(SHARES), {"IR": SHARES}, *MASKS),
    mask=(3, "mask", [], {}, *ACTORS),
    target=(-1, 7, 1.5, True, "nothing", [], {1}, 1j, float("nan"), np.array([0, 1]), object(), lambda logits: logits),
    baseline=("nothing", "", 3, {1}, [], object(), True, {"IR": CLIP}, *BASELINES),
    function=(3, "model", [], object(), lambda: 3, lambda clip: clip, lambda clip: 3, lambda clip: "a"),
    called=(3, "model", [], object()),
    key=(0, -1, "key", [], np.zeros(2), jax.random.split(jax.random.key(0)), jax.random.key(0, impl="rbg"), object()),
    ids=(3, "ids", [1.5], [-1], [10**9], [10**30], [[0]], [True], [], [None], {1}, object(), np.zeros(0)),
    progress=(3, "yes", [], object()),
    colour=("abc", True, object(), *COLOURS),
    range=("all", 3, (1,), (2, 1), (0, float("nan")), (0, float("inf")), (1, 2, 3), (1j, 2), [], *OTHERS),
    moment=(-1, 1.5, True, "soon", [], 99, "99s", *OTHERS),
    length=(0, -1, 1.5, True, "soon", "0s", [], *OTHERS),
    options=(3, "a", {"nothing": [1]}, {"num_masks": 3}, {"num_masks": []}, {"num_masks": [0]}, {3: [1]}, *OTHERS),
)
"""By kind, values that are wrong for arguments of that kind; None is wrong where the annotation lacks it."""

NAMED = dict(
    count="num_masks num_steps chunk_size step_size blur_factor batch_size rise_batch sidu_batch clips_per_batch "
    "num_frames size crop width stride save_every num_epochs per_spectrum masks_per_commit num_workers height "
    "num_classes clips_per_spectrum trainings count curve_steps",
    number="threshold infrared_offset",
    fraction="keep_prob flip_prob drop_spectrum",
    positive="kernel_width tolerance learning_rate weight_decay fps",
    seed="seed",
    shape="grid_shape grid",
    path="path checkpoint store data output",
    names="methods method controls spectra curve_baselines",
    texts="classes checkpoints",
    clip="clip",
    map="saliency",
    masks="masks",
    mask="mask",
    target="target label",
    baseline="baseline",
    function="score_fn classifier",
    called="features head function",
    key="key",
    ids="ids",
    progress="progress",
    colour="mean std",
    range="value_range",
    moment="start stop",
    length="window hop",
    options="options",
)
KIND_OF = {name: kind for kind, names in NAMED.items() for name in names.split()}


class Call(NamedTuple):
    """One call: of what, which argument is wrong, and its value."""

    function: str
    argument: str
    value: object

    def __str__(self) -> str:
        return f"{self.function}({self.argument}={_short(self.value)})"


def _short(value: object) -> str:
    if isinstance(value, np.ndarray) and value.size > 4:
        return f"{type(value).__name__} {value.dtype} {value.shape} from {value.flat[0]}"
    return repr(value)[:80]


def kind_of(name: str, annotation: object) -> str | None:
    """The kind of an argument; None where its values are its own."""
    if name in KIND_OF:
        return KIND_OF[name]
    parts = [part for part in (annotation, *get_args(annotation)) if part is not NoneType]
    if any(get_origin(part) is Literal for part in parts):
        return "name"
    kinds = {bool: "flag", int: "count", float: "number", Path: "path", str: "text"}
    return next((kind for of, kind in kinds.items() if of in parts), None)


def calls_of(function: str, called: Callable[..., Any], allowed: Mapping[str, Any]) -> Iterator[Call]:
    """Calls of a function with one wrong argument each.

    Args:
      function: What to call it.
      called: The function or class; its annotations say what an argument may be.
      allowed: By argument, texts of values out of `VALUES` that it does take.
    """
    hints = typing.get_type_hints(called.__init__ if inspect.isclass(called) else called, localns={"Figure": object})
    for name in inspect.signature(called).parameters:
        hint = hints.get(name)
        kind = kind_of(name, hint)
        parts = get_args(hint) if get_origin(hint) in (typing.Union, UnionType) else (hint,)
        none = [] if NoneType in parts or kind == "target" else [None]
        for value in [*VALUES[kind], *none] if kind else []:
            if _short(value) not in allowed.get(name, ()):
                yield Call(function, name, value)


def outcome(call: Call, run: Callable[[], object]) -> str | None:
    """What is wrong with what came of a call; None where it was refused in the words that a user knows."""
    try:
        run()
    except (TypeError, ValueError, OSError) as error:
        text = str(error)
        if isinstance(error, OSError) and call.argument in ("path", "checkpoint", "store", "config"):
            return None
        if not re.search(rf"`[\w.\[\]]*{call.argument}[\w.\[\]]*`", text):
            return f"{call}: unclear {type(error).__name__}: {text[:200]}"
        return None
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{call}: {type(error).__name__} in {Path(place.filename).name}: {str(error)[:160]}"
    return f"{call}: accepted"
