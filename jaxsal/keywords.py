"""The options of a recipe as keywords of the public functions."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from jaxsal.core.checks import check_choice
from jaxsal.recipes import RECIPES


def resolve_options(method: str, recipe: str, overrides: dict[str, Any]) -> Any:
    """The options of a method under a recipe, with single ones replaced.

    Raises:
      TypeError: If an override is no option of the method; the message lists the options.
      ValueError: If the recipe is unknown or an option's value is not allowed.
    """
    check_choice("recipe", recipe, tuple(RECIPES))
    options = getattr(RECIPES[recipe], method)
    known = [field.name for field in dataclasses.fields(options)]
    unknown = [name for name in overrides if name not in known]
    if unknown:
        raise TypeError(f"`options` must be out of {known} for {method}; got {unknown[0]!r}.")
    if "num_steps" in overrides and getattr(options, "step_size", None) is not None:
        overrides = {"step_size": None} | overrides  # a number of steps takes the place of the recipe's step size
    return dataclasses.replace(options, **overrides)


def takes_options(method: str) -> Callable[[Callable], Callable]:
    """Shows a method's options, with their defaults, in the signature of a function that takes `**options`."""
    defaults = getattr(RECIPES["default"], method)

    def decorate(function: Callable) -> Callable:
        signature = inspect.signature(function)
        fixed = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        keywords = [
            inspect.Parameter(
                f.name, inspect.Parameter.KEYWORD_ONLY, default=getattr(defaults, f.name), annotation=f.type
            )
            for f in dataclasses.fields(defaults)
        ]
        function.__signature__ = signature.replace(parameters=[*fixed, *keywords])  # type: ignore[attr-defined]
        return function

    return decorate
