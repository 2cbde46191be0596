"""Command lines, each with one option whose value cannot mean anything.

An option's kind follows from its name or annotation, as in `bad_calls`; a kind has words that are wrong for it.
"""

import dataclasses
from collections.abc import Iterator
from typing import ClassVar, NamedTuple, get_args, get_origin, get_type_hints

from bad_calls import kind_of

LARGE = "9" * 30
WORDS: dict[str, tuple[str, ...]] = dict(
    count=("0", "-1", "1.5", "ten", "", "1e3", "nan", "True", LARGE),
    number=("ten", "", "nan", "1,5"),
    fraction=("ten", "", "nan", "inf", "-1", "1.5"),
    positive=("ten", "", "nan", "inf", "0", "-1"),
    seed=("-1", "1.5", "", "ten", str(2**32), LARGE),
    shape=("2", "1 2", "1 2 3 4", "0 2 2", "1 x 2", "1 2.0 2", "1000000000 1 1", f"1 1 {LARGE}"),
    name=("nothing", "", "3", "rise sidu"),
    names=("nothing", "", "3", "all nothing"),
    text=("",),
    path=("",),
    flag=("3", "maybe"),
    target=("-1", "7", "1.5", "nothing", ""),
    mean=("ten", "", "nan nan nan", "2 2 2", "0.5 0.5"),
    range=("all", "3", "2 1", "0 nan", "0 inf", "1 2 3", ""),
    moment=("-1", "1.5", "soon", "99", "99s", "", "nans"),
    length=("-1", "0", "1.5", "soon", "0s", "99", "", "nans"),
    rates=("0", "-1", "nan", "inf", "ten", "25 25"),
    stream=("-1", "1.5", "ten", "0 0", LARGE),
    offset=("ten", "nan", "inf", "3"),
    given=("missing/file", ""),
    shard=("3", "1/1", "2/1", "-1/2", "a/b", "0/0", "", "0/1/2"),
)
"""By kind, what may not be typed; several words are several values."""

NAMED = dict(
    positive="max_megabytes",
    mean="mean std",
    range="value_range",
    moment="start stop",
    length="window hop",
    rates="fps",
    stream="stream",
    offset="infrared_offset",
    given="clip checkpoint source folder config infrared manual_dir classes_file init start_network",
    target="target against",
    shard="shard",
    number="threshold",
    names="method controls only recipe spectra",
)
KIND_OF = {name: kind for kind, names in NAMED.items() for name in names.split()}


class Line(NamedTuple):
    """A command line: its words, and which option is wrong."""

    words: tuple[str, ...]
    option: str

    def __str__(self) -> str:
        return " ".join(word or "''" for word in self.words)


def options_of(verb: type) -> Iterator[tuple[str, object]]:
    """The fields of a verb and of the options in it, with their annotations."""
    for name, hint in get_type_hints(verb).items():
        nested = [part for part in (hint, *get_args(hint)) if dataclasses.is_dataclass(part)]
        if nested and name != "switches":
            yield from options_of(nested[0])
        elif name not in ("switches", "command") and get_origin(hint) is not ClassVar:
            yield name, hint


def lines_of(verb: type, base: dict[str, str], name: str, allowed: dict[str, tuple[str, ...]]) -> Iterator[Line]:
    """Command lines of a verb.

    Args:
      verb: Its class.
      base: By option, words that are right; those in capitals are positional.
      name: What is typed for the verb.
      allowed: By option, wrong words of its kind that mean something there.
    """
    for field, hint in options_of(verb):
        kind = KIND_OF.get(field) or kind_of(field, hint)
        option = field.upper() if field.upper() in base else "--" + field.replace("_", "-")
        for value in WORDS.get(kind or "", ()):
            if value not in allowed.get(field, ()):
                yield Line((name, *_typed({**base, option: value})), option)


def _typed(values: dict[str, str]) -> Iterator[str]:
    """Words of options and values; a single value goes behind =, so that it may begin with a minus or be empty."""
    yield from (value for option, value in values.items() if not option.startswith("--"))
    for option, value in values.items():
        if option.startswith("--") and len(value.split()) > 1:
            yield from (option, *value.split())
        elif option.startswith("--"):
            yield option if value == "yes" else f"{option}={value}"
