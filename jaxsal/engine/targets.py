"""What is to be explained, a class or a function of the logits: checks of what users ask for."""

from collections.abc import Sequence
from typing import Literal, cast

import jax
import jax.numpy as jnp
import numpy as np

from jaxsal.core.checks import check_choice
from jaxsal.core.types import Contrast, OneTarget, Target
from jaxsal.engine.class_scores import class_names, num_targets


def check_target(
    target: Target, num_logits: int, *, classes: Sequence[str] = (), all_classes: bool = True, name: str = "target"
) -> OneTarget | Literal["all"] | None:
    """The target as a number, two numbers, a function, "all" or None, after checking it.

    Args:
      target: A class by number or name, one against another, a function of the logits, None for the predicted class,
        or "all".
      num_logits: K; one logit tells two classes apart, 0 and 1.
      classes: Names of the classes, as far as they are known.
      all_classes: Whether "all" is allowed.
      name: What messages call it.

    Raises:
      TypeError: If it is of another kind.
      ValueError: If it is no class of the classifier, the message has the closest name; or a function that gives more
        than one number.
    """
    if target is None or isinstance(target, jax.core.Tracer):
        return target
    if isinstance(target, Contrast):
        return _contrast(target, num_logits, classes)
    if isinstance(target, str):
        return _named_target(name, target, class_names(classes, num_logits), all_classes)
    if callable(target):
        value = jax.eval_shape(target, jax.ShapeDtypeStruct((num_logits,), jnp.float32))
        if getattr(value, "shape", None) != ():
            found = getattr(value, "shape", type(value).__name__)
            raise ValueError(f"`{name}` must map logits ({num_logits},) to one number; got {found}.")
        return target
    num_classes = num_targets(num_logits)
    array = np.asarray(target)
    if array.ndim or array.dtype.kind not in "iu":
        raise TypeError(
            f"`{name}` must be a class by number or name, a function of the logits, or None; got {target!r}."
        )
    if not 0 <= int(array) < num_classes:
        raise ValueError(f"`{name}` must be a class from 0 to {num_classes - 1}; got {int(array)}.")
    return int(array)


def _contrast(target: Contrast, num_logits: int, classes: Sequence[str]) -> Contrast:
    numbers = [check_target(part, num_logits, classes=classes, all_classes=False) for part in target]
    if not all(isinstance(number, int) for number in numbers):
        raise TypeError(f"`target` must be of two classes, by number or name; got {target!r}.")
    if numbers[0] == numbers[1]:
        raise ValueError(f"`target` must be of two different classes; got {target!r}.")
    return Contrast(*cast(list[int], numbers))


def _named_target(name: str, target: str, classes: Sequence[str], all_classes: bool) -> int | Literal["all"]:
    if target in classes:
        return tuple(classes).index(target)
    if target == "all" and all_classes:
        return "all"
    if classes:
        check_choice(name, target, tuple(classes))
    allowed = "a number, None or 'all'" if all_classes else "a number or None"
    raise ValueError(f"`{name}` must be {allowed} where the classes have no names; got {target!r}.")
