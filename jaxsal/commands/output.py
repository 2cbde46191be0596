"""What a verb gives back: text for people, data for machines."""

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


def explained(explanations: Iterable[Any], classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Explanations as data: name, spectrum, label, explained class, probabilities, and every method's measures.

    Args:
      explanations: Of `jaxsal.explanation.Explanation`.
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
