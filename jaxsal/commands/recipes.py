"""Options that a recipe supplies if they are not set: on the command line, the help says every recipe's value.

The dataclasses of the options know nothing of the command line; their docstrings are the help.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from docstring_parser import parse as parse_docstring
from tyro.constructors import StructConstructorSpec, StructFieldSpec, StructTypeInfo

from jaxsal.commands.verb import unset
from jaxsal.evaluation.options import RECIPE_FIELDS, ExplainOptions
from jaxsal.recipes import METHODS, RECIPES, resolve_options
from jaxsal.training.options import TRAIN_RECIPES, TrainOptions, TrainRecipe, train_options

_TRAIN_RECIPE = """Preset that supplies every option you do not set: "default", or "icpr2022", the study's for PAN."""

_NOTHING = {"against": "no class", "measure": "none"}
"""Options that no recipe supplies, and what holds if they are not set."""


def recipe_options(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Rule of tyro for the options of training and of explaining."""
    if info.type is TrainOptions:
        names = [field.name for field in dataclasses.fields(TrainOptions)]
        trained = {name: {recipe: getattr(o, name) for recipe, o in TRAIN_RECIPES.items()} for name in names}
        fields = _fields(_preset(info, TrainOptions), trained)
        recipe: Any = TrainRecipe
        return _set_alone(train_options, (StructFieldSpec("recipe", recipe, "default", _TRAIN_RECIPE), *fields))
    if info.type is ExplainOptions:
        explained: dict[str, dict[str, Any]] = {}
        for method, set_by in RECIPE_FIELDS.items():
            options = {recipe: resolve_options(method, recipe, {}) for recipe in RECIPES}
            for name, field in set_by.items():  # the study's methods come first, and their values are shown
                explained.setdefault(field, {recipe: getattr(own, name) for recipe, own in options.items()})
        return _set_alone(ExplainOptions, _fields(_preset(info, ExplainOptions), explained))
    return None


def _preset(info: StructTypeInfo, kind: type) -> Any:
    """The options that a verb has if none are set: those of its own, or those of the dataclass."""
    return info.default if isinstance(info.default, kind) else kind()


def _fields(preset: Any, supplied: Mapping[str, Mapping[str, Any]]) -> tuple[StructFieldSpec, ...]:
    """The options of a dataclass; those among `supplied`, values by option and recipe, are None if they are not set.

    Args:
      preset: What holds for the other options if they are not set.
      supplied: By option and recipe, what the recipe sets.
    """
    kind = type(preset)
    described = {option.arg_name: option.description or "" for option in parse_docstring(kind.__doc__ or "").params}
    fields = []
    for field in dataclasses.fields(kind):
        hint: Any = field.type
        default = getattr(preset, field.name)
        if (kind, field.name) == (ExplainOptions, "method"):
            hint = tuple[Literal[tuple(METHODS)], ...]  # type: ignore[misc]  # those that were added, too
        if field.name in _NOTHING and not default:
            hint = Annotated[hint, unset(_NOTHING[field.name])]
        if field.name in supplied:
            hint, default = Annotated[hint | None, unset(values_by_recipe(supplied[field.name]))], None
        helptext = re.sub(r"`(\w+)`", lambda name: f"--{name[1].replace('_', '-')}", described[field.name])
        fields.append(StructFieldSpec(field.name, hint, default, " ".join(helptext.split())))
    return tuple(fields)


def _set_alone(make: Callable[..., Any], fields: tuple[StructFieldSpec, ...]) -> StructConstructorSpec:
    """Makes options of the values that were set."""
    return StructConstructorSpec(lambda **given: make(**{n: v for n, v in given.items() if v is not None}), fields)


def values_by_recipe(values: Mapping[str, Any]) -> str:
    """The default recipe's value, then those of the recipes that differ: "1000; canonical 6000"."""
    texts = {
        recipe: "unset" if value in (None, ()) else " ".join(map(str, value if isinstance(value, tuple) else [value]))
        for recipe, value in values.items()
    }
    others = [f"{recipe} {text}" for recipe, text in texts.items() if text != texts["default"]]
    return "; ".join([texts["default"], *others])
