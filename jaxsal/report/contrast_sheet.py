"""The table of methods against controls: how far each is from each, its p-value, and which differences are real."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxsal.metrics.contrasts import SIGNIFICANT, Contrast
from jaxsal.metrics.summary import Measure
from jaxsal.report.sheet import PValue, Sheet, Value, WeakPValue

_NOTE = (
    "Difference: the method's mean minus the control's on the same clips, with its 95 % interval. p: two-sided "
    "sign-flip test. Holm: p after Holm's correction over all cells of this table against the same control."
)


class Compared(NamedTuple):
    """One method of the table.

    Attributes:
      labels: What its leading columns say.
      num_clips: Behind each of its numbers.
      contrasts: By measure and control.
    """

    labels: tuple[str, ...]
    num_clips: int
    contrasts: Mapping[str, Mapping[str, Contrast]]


def contrast_sheet(
    compared: Sequence[Compared],
    columns: Sequence[str],
    good: Mapping[str, int],
    *,
    name: str = "contrasts",
    title: str = "Methods against controls",
) -> Sheet | None:
    """One line for each method and control; a dagger marks a difference that is not real or has the wrong sign.

    Args:
      compared: The methods.
      columns: Names of the leading columns, one for each label.
      good: By measure, the sign of a good difference, -1 or 1.
      name: Of the sheet's files.
      title: Its heading.

    Returns:
      The sheet; None where nothing was compared.
    """
    lines: list[tuple[Value, ...]] = []
    for labels, num_clips, contrasts in compared:
        for control in dict.fromkeys(control for own in contrasts.values() for control in own):
            found = [
                part for measure, sign in good.items() for part in _cells(contrasts.get(measure, {}), control, sign)
            ]
            lines.append((*labels, control, num_clips, *found))
    if not lines:
        return None
    parts = [
        f"{measure} {'↑' if sign > 0 else '↓'} {part}".strip()
        for measure, sign in good.items()
        for part in ("difference [95 %]", "p", "Holm")
    ]
    return Sheet(name, title, _NOTE, (*columns, "against", "n", *parts), tuple(lines), verdict(compared, good))


def _cells(contrasts: Mapping[str, Contrast], control: str, sign: int) -> tuple[Value, ...]:
    if (found := contrasts.get(control)) is None:
        return None, None, None
    difference = Measure(found.difference, None, found.low, found.high)
    return difference, PValue(found.p_value), (PValue if found.better(sign) else WeakPValue)(found.p_holm)


def verdict(compared: Sequence[Compared], good: Mapping[str, int]) -> str:
    """What the table says, in sentences: in how many cells a method beats every control, and where it does not."""
    lacking, count = [], 0
    for labels, _, contrasts in compared:
        for measure, sign in good.items():
            if found := contrasts.get(measure):
                count += 1
                weak = [control for control, contrast in found.items() if not contrast.better(sign)]
                lacking += [f"{' '.join(labels)} {measure} ({', '.join(weak)})"] if weak else []
    share = f"{count - len(lacking)} of {count} cells"
    text = f"A method is better than every control in {share} (p ≤ {SIGNIFICANT} after Holm's correction)."
    return f"{text} † Not shown to be better: {'; '.join(lacking)}." if lacking else text
