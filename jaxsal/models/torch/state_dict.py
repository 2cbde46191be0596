"""The state dict of a network out of whatever a checkpoint wraps it in: keys, prefixes, averages, other heads."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxsal.core.checks import check_choice
from jaxsal.models.torch.files import NUM_SHOWN, Tensors, mappings_of_tensors
from jaxsal.models.torch.layouts import LAYOUTS, TorchLayout, layout_of
from jaxsal.models.torch.names import common_name

COUNTERS = ("num_batches_tracked", "n_averaged", "total_ops", "total_params")  # that no forward pass needs
AVERAGES = {"ema", "swa", "averaged"}  # words of an entry that holds a moving average of the weights
ENOUGH = 0.5  # the share of a network's names that tells it


class StateDict(NamedTuple):
    """The tensors of one network.

    Attributes:
      arch: What network their names tell; None if they are of none.
      tensors: By the names of the network's layout.
      entry: Where in the checkpoint they are: keys and prefix, joined by dots; empty if they are all of it.
      share: Names in common with the network, as a share of all names of both.
      notes: What was taken off or left out, as sentences.
    """

    arch: str | None
    tensors: dict[str, np.ndarray]
    entry: str
    share: float
    notes: tuple[str, ...]


def bare_state_dict(saved: Mapping[str, Any], arch: str | None = None, entry: str | None = None) -> StateDict:
    """Finds the one network in a checkpoint.

    A network is a mapping of tensors, or the part of one whose names share a prefix, with more than half of the names
    of a known architecture. Of a network and its moving average, the average is taken.

    Args:
      saved: A state dict, or a mapping that holds one at any depth.
      arch: The network to look for, a key of `LAYOUTS`; any if None.
      entry: Where it is, such as "state_dict_ema" or "state_dict.teacher", where a checkpoint holds several.

    Returns:
      The network; without one, the mapping that is most like a network, so that its names can be reported.

    Raises:
      TypeError: If `saved` is no mapping.
      ValueError: If it holds several networks, or none at `entry`; the message names them.
    """
    if not isinstance(saved, Mapping):
        raise TypeError(f"`state_dict` must map names to arrays; got {type(saved).__name__}.")
    archs = LAYOUTS if arch is None else (arch,)
    found = [
        part for keys, held in mappings_of_tensors(saved).items() for one in archs for part in _parts(one, keys, held)
    ]
    networks = [part for part in found if part.share > ENOUGH]
    if entry is not None:
        entries = tuple(dict.fromkeys(part.entry for part in networks))
        check_choice("entry", entry, entries)
        networks = [part for part in networks if part.entry == entry]
    best = max(networks or found, key=_likeness, default=StateDict(None, {}, "", 0, ()))
    return _one_of([part for part in networks if part.arch == best.arch]) if networks else best._replace(arch=None)


def _likeness(part: StateDict) -> tuple[float, bool, int]:
    fits = part.arch is not None and LAYOUTS[part.arch].fits(part.tensors)
    return part.share, fits, len(part.tensors)


def _one_of(networks: list[StateDict]) -> StateDict:
    """The only network of several, or the only average among them."""
    averages = [part for part in networks if AVERAGES & set(re.split(r"[._]", part.entry.lower()))]
    chosen = averages if len(networks) > 1 and averages else networks
    if len(chosen) > 1:
        names = ", ".join(part.entry or "." for part in chosen)
        raise ValueError(
            f"`entry` must name one of the {len(chosen)} networks that the checkpoint holds; got none of {names}."
        )
    (part,) = chosen
    others = ", ".join(other.entry or "." for other in networks if other is not part)
    notes = (f"The weights are the moving average in {part.entry}, not {others}.",) if others else ()
    return part._replace(notes=(*notes, *part.notes))


def _parts(arch: str, keys: tuple[str, ...], held: Tensors) -> list[StateDict]:
    """A mapping as a network, once for each prefix that makes it one; with the prefix that comes closest if none."""
    named = {common_name(name): value for name, value in held.items()}
    named = {name: value for name, value in named.items() if name.rpartition(".")[2] not in COUNTERS}
    layout = layout_of(arch, named)
    counts = _prefixes(named, layout)
    closest = [prefix for prefix, _ in counts.most_common(1)] or [""]
    prefixes = [prefix for prefix, count in counts.items() if count > ENOUGH * len(layout.paths)] or closest
    return [_part(arch, layout, keys, prefix, named) for prefix in prefixes]


def _prefixes(named: Tensors, layout: TorchLayout) -> Counter[str]:
    """What stands before the names of a network, with the number of its names that follow."""
    counts: Counter[str] = Counter()
    for name in named:
        words = name.split(".")
        for start in range(len(words)):
            if ".".join(words[start:]) in layout.paths:
                counts["".join(f"{word}." for word in words[:start])] += 1
    return counts


def _part(arch: str, layout: TorchLayout, keys: tuple[str, ...], prefix: str, named: Tensors) -> StateDict:
    inside = {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}
    outside = {name: value for name, value in named.items() if not name.startswith(prefix)}
    notes = [f"The weights are those of {'.'.join(keys)}."] if keys else []
    notes += [f"The prefix {prefix} was taken off."] if prefix else []
    head = _other_head(layout, inside | outside)
    if head is not None:
        for tensors in (inside, outside):
            for kind in ("weight", "bias"):
                if f"{head}.{kind}" in tensors:
                    inside[f"{layout.head}.{kind}"] = tensors.pop(f"{head}.{kind}")
        notes.append(f"The head {layout.head} is {head}.")
    if outside:
        names = list(outside)
        more = f" and {len(names) - NUM_SHOWN} more" if len(names) > NUM_SHOWN else ""
        notes.append(f"Left out: {', '.join(names[:NUM_SHOWN])}{more}.")
    share = len(inside.keys() & layout.paths.keys()) / len(inside.keys() | layout.paths.keys())
    entry = ".".join([*keys, prefix]).removesuffix(".")
    return StateDict(arch, inside, entry, share, tuple(notes))


def _other_head(layout: TorchLayout, tensors: Tensors) -> str | None:
    """The only linear layer that a network does not know, where its own head is missing; without "weight"."""
    if f"{layout.head}.weight" in tensors:
        return None
    unknown = {name: value for name, value in tensors.items() if name not in layout.paths}
    linear = [
        name.removesuffix(".weight")
        for name, value in unknown.items()
        if name.endswith(".weight") and value.ndim in (2, 5) and name.removesuffix("weight") + "bias" in unknown
    ]
    return linear[0] if len(linear) == 1 else None
