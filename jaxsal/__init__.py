"""Saliency maps for multispectral video classifiers."""

from jaxsal import models
from jaxsal.classifier import Classifier
from jaxsal.ledger import RiseLedger
from jaxsal.metrics.curves import Curve, deletion, insertion
from jaxsal.saliency.gradcam import gradcam
from jaxsal.saliency.rise import rise, rise_ledger
from jaxsal.saliency.sidu import sidu
from jaxsal.scoring import score_masks

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
]
