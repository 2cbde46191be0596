"""Saliency maps for multispectral video classifiers."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxsal import models
    from jaxsal.classifier import Classifier
    from jaxsal.core.types import Contrast
    from jaxsal.engine.masked import score_masks
    from jaxsal.evaluation.explanation import Explanation
    from jaxsal.evaluation.one_clip import explain
    from jaxsal.evaluation.results import open_results
    from jaxsal.metrics.curve import Curve
    from jaxsal.metrics.curves import deletion, insertion
    from jaxsal.report.view import view
    from jaxsal.saliency.gradcam import gradcam
    from jaxsal.saliency.ledger import RiseLedger
    from jaxsal.saliency.one_map import saliency_map
    from jaxsal.saliency.rise import rise
    from jaxsal.saliency.rise_ledger import rise_ledger
    from jaxsal.saliency.shares import spectrum_shares
    from jaxsal.saliency.sidu import sidu
    from jaxsal.saliency.spectrum_shares import SpectrumShares
    from jaxsal.training.load import load
    from jaxsal.training.recorded import read_clip, read_scene, read_windows

_HOMES = {
    "Classifier": "jaxsal.classifier",
    "Contrast": "jaxsal.core.types",
    "Curve": "jaxsal.metrics.curve",
    "Explanation": "jaxsal.evaluation.explanation",
    "RiseLedger": "jaxsal.saliency.ledger",
    "SpectrumShares": "jaxsal.saliency.spectrum_shares",
    "deletion": "jaxsal.metrics.curves",
    "explain": "jaxsal.evaluation.one_clip",
    "gradcam": "jaxsal.saliency.gradcam",
    "insertion": "jaxsal.metrics.curves",
    "load": "jaxsal.training.load",
    "models": "jaxsal.models",
    "open_results": "jaxsal.evaluation.results",
    "read_clip": "jaxsal.training.recorded",
    "read_scene": "jaxsal.training.recorded",
    "read_windows": "jaxsal.training.recorded",
    "rise": "jaxsal.saliency.rise",
    "rise_ledger": "jaxsal.saliency.rise_ledger",
    "saliency_map": "jaxsal.saliency.one_map",
    "score_masks": "jaxsal.engine.masked",
    "sidu": "jaxsal.saliency.sidu",
    "spectrum_shares": "jaxsal.saliency.shares",
    "view": "jaxsal.report.view",
}
"""Where each public name lives; imported when it is first asked for, so that the command line starts without JAX."""

__all__ = [
    "Classifier",
    "Contrast",
    "Curve",
    "Explanation",
    "RiseLedger",
    "SpectrumShares",
    "deletion",
    "explain",
    "gradcam",
    "insertion",
    "load",
    "models",
    "open_results",
    "read_clip",
    "read_scene",
    "read_windows",
    "rise",
    "rise_ledger",
    "saliency_map",
    "score_masks",
    "sidu",
    "spectrum_shares",
    "view",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("jaxsal")
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxsal' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    value = home if name == "models" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
