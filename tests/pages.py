"""A run's folder without a network: explanations of two scenes in both spectra, by a classifier of pooled cells."""

import base64
import json
import re
import zlib

import jax
import numpy as np

import toys
from jaxsal.evaluation.explain import Subject, explain
from jaxsal.evaluation.explanation import save_explanation
from jaxsal.options import ExplainOptions

CLASSES = ("walk", "sit", "bend", "<wave>")
CLIP = np.asarray(jax.random.uniform(jax.random.key(1), (4, 6, 9, 3)))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
OPTIONS = ExplainOptions(num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.5, num_steps=9)


def explanations():
    subjects = [
        Subject(f"{name}-{spectrum}", spectrum, np.roll(CLIP, shift, axis=1), label=shift)
        for shift, name in enumerate(("first", "second"))
        for spectrum in ("IR", "TV")
    ]
    return explain(CLASSIFIER, OPTIONS, subjects)


def write_run(folder, found):
    for explanation in found:
        save_explanation(folder / "explanations" / f"{explanation.name}.npz", explanation, {})
    made_by = {
        "command": "jaxsal evaluate --seed 3",
        "network": {"classes": CLASSES},
        "weights": "c0ffee",
        "step": None,
    }
    (folder / "run.json").write_text(json.dumps(made_by))
    return folder


def page_data(page):
    return json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])


def decode_volume(encoded):
    """The numbers of an encoded map or order, as the page reads them."""
    raw = zlib.decompress(base64.b64decode(encoded["data"]))
    volume = np.frombuffer(raw, "<u2" if encoded["bytes"] == 2 else np.uint8).reshape(encoded["shape"])
    for axis in range(3):
        volume = volume.cumsum(axis, dtype=volume.dtype)
    return volume
