"""A run's folder without a network: explanations of two scenes in both spectra, by a classifier of pooled cells."""

import base64
import dataclasses
import json
import re
import zlib

import jax
import numpy as np

import toys
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all, explain_cases
from jaxsal.evaluation.options import ExplainOptions

CLASSES = ("walk", "sit", "bend", "<wave>")
CLIP = np.asarray(jax.random.uniform(jax.random.key(1), (4, 6, 9, 3)))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
OPTIONS = ExplainOptions(controls=("random",), num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.5, num_steps=9)


def cases():
    """Two scenes in both spectra."""
    return [
        Case(f"{name}-{spectrum}", spectrum, shift, lambda shift=shift: np.roll(CLIP, shift, axis=1))
        for shift, name in enumerate(("first", "second"))
        for spectrum in ("IR", "TV")
    ]


def explanations():
    return explain_all(CLASSIFIER, cases(), OPTIONS)


def write_run(folder, chosen, options=OPTIONS):
    """Explains clips into a folder and says so in its run.json."""
    explained = explain_cases(CLASSIFIER, chosen, options, folder / "results", classes=CLASSES)
    made_by = {
        "command": "jaxsal evaluate --seed 3",
        "network": {"classes": CLASSES},
        "weights": "c0ffee",
        "step": None,
        "options": dataclasses.asdict(options),
        "results": [place._asdict() for place in explained.places],
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
