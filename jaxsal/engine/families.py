"""Mask families of one kind as one: a leading axis on the arrays that they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
from jaxtyping import Array, Int

from jaxsal.engine.masks import MaskFamily


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Families:
    """F families that differ in their arrays alone; `families[f]` is one of them, where f may be traced.

    Attributes:
      leaves: The arrays of a family in the order of its pytree, each with a leading axis F.
      structure: The pytree of one family.
    """

    leaves: list[Any]
    structure: Any = field(metadata=dict(static=True))

    @classmethod
    def like(cls, family: MaskFamily, leaves: Sequence[Any]) -> "Families":
        """Families of the kind of `family`, made of these arrays."""
        return cls(list(leaves), jax.tree.structure(family))

    def __getitem__(self, number: Int[Array, ""]) -> MaskFamily:
        """The family of that number."""
        return jax.tree.unflatten(self.structure, [leaf[number] for leaf in self.leaves])
