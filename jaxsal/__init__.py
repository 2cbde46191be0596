"""Saliency maps for multispectral video classifiers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxsal import models
    from jaxsal.classifier import Classifier
    from jaxsal.engine.masked import score_masks
    from jaxsal.metrics.curves import Curve, deletion, insertion
    from jaxsal.report.view import view
    from jaxsal.saliency.gradcam import gradcam
    from jaxsal.saliency.ledger import RiseLedger
    from jaxsal.saliency.rise import rise, rise_ledger
    from jaxsal.saliency.sidu import sidu

_HOMES = {
    "Classifier": "jaxsal.classifier",
    "Curve": "jaxsal.metrics.curves",
    "RiseLedger": "jaxsal.saliency.ledger",
    "deletion": "jaxsal.metrics.curves",
    "gradcam": "jaxsal.saliency.gradcam",
    "insertion": "jaxsal.metrics.curves",
    "models": "jaxsal.models",
    "rise": "jaxsal.saliency.rise",
    "rise_ledger": "jaxsal.saliency.rise",
    "score_masks": "jaxsal.engine.masked",
    "sidu": "jaxsal.saliency.sidu",
    "view": "jaxsal.report.view",
}
"""Where each public name lives; imported when it is first asked for, so that the command line starts without JAX."""

__all__ = [
    "Classifier",
    "Curve",
    "RiseLedger",
    "deletion",
    "gradcam",
    "insertion",
    "models",
    "rise",
    "rise_ledger",
    "score_masks",
    "sidu",
    "view",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxsal' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    value = home if name == "models" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
