"""What a verb gives back: text for people, data for machines."""

import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple


class Output(NamedTuple):
    """The result of a verb; the command line prints one of the two.

    Attributes:
      text: A table or a few lines.
      data: The same and more, of kinds that JSON has.
    """

    text: str
    data: dict[str, Any]

    @property
    def json(self) -> str:
        """The data as one JSON object; a number that is not finite, which JSON has no word for, is null."""
        return json.dumps(_finite(self.data), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def explained(explanations: Iterable[Any], classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Explanations as data: name, spectrum, label, explained class, probabilities, and every method's measures.

    Args:
      explanations: Of `jaxsal.evaluation.explanation.Explanation`.
      classes: Names of the classes.
    """
    return [
        dict(
            name=e.name,
            spectrum=e.spectrum,
            label=classes[e.label] if e.label >= 0 else None,
            target=classes[e.target],
            probabilities=dict(zip(classes, map(float, e.probabilities), strict=True)),
            methods={row.method: dict(deletion=row.deletion, insertion=row.insertion) for row in e.results()},
        )
        for e in explanations
    ]
