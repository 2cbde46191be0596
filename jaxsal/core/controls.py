"""The names of controls, which options, tables and pictures share; `jaxsal.saliency.controls` makes their maps."""

from collections.abc import Iterable
from typing import Literal, get_args

Control = Literal["random", "smooth", "other", "centre", "motion", "constant"]
ControlChoice = Literal[Control, "all"]

CONTROLS: tuple[str, ...] = get_args(Control)
"""Maps to compare with, measured beside the methods."""
_OF_ANOTHER = " of another clip"


def control_names(controls: Iterable[str], methods: Iterable[str]) -> list[str]:
    """Controls as `jaxsal.saliency.methods.METHODS` names them: "all" is every one, "other" is one for each method.

    Args:
      controls: Names out of `CONTROLS`, or "all".
      methods: Names of the methods beside which they are measured.
    """
    chosen, methods = list(controls), list(methods)
    chosen = list(CONTROLS) if "all" in chosen else chosen
    names = [[other_name(method) for method in methods] if name == "other" else [name] for name in chosen]
    return list(dict.fromkeys(name for some in names for name in some))


def other_name(method: str) -> str:
    """The control `other` of a method, as the registry of methods names it."""
    return f"other-{method}"


def control_title(control: str, method: str) -> str:
    """A control in tables and pictures, beside the method of a title."""
    return method + _OF_ANOTHER if control == "other" else control


def is_control(title: str) -> bool:
    """Whether a title of tables and pictures is a control's."""
    return title in CONTROLS or title.endswith(_OF_ANOTHER)


def control_order(title: str) -> int:
    """Where tables have a row: methods at 0, then the controls in their order."""
    if not is_control(title):
        return 0
    return 1 + CONTROLS.index("other" if title.endswith(_OF_ANOTHER) else title)
