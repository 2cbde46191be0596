"""A study of tiny clips and of classifiers without a network, for tests."""

import dataclasses
import sys
from functools import partial
from pathlib import Path

import numpy as np

import runs
import toys
from jaxsal.datasets.records import ClipSet
from jaxsal.evaluation import store
from jaxsal.paper import run
from jaxsal.paper.config import ARCHITECTURES, NetworkConfig, Study
from jaxsal.paper.training import TrainedNetwork

SIZES = dict(width=2, num_frames=4, size=18, crop=16)
STUDY = Study(
    networks=tuple(
        NetworkConfig(arch, spectra, **SIZES, training=runs.OPTIONS)
        for arch in ARCHITECTURES
        for spectra in ("IR", "TV", "IRTV")
    ),
    clips_per_spectrum=2,
    num_masks=6,
    mask_counts=(6, 9),
    grid_shapes=((2, 8, 8), (4, 8, 8)),
    keep_probs=(0.1, 0.5),
    thresholds=(-1.0, -0.5, 0.5),
    num_steps=4,
    baselines=("reverse",),
)


def bar_mask(label):
    """The pixels of the bar of `runs.moving_bar`."""
    return runs.moving_bar(label, 0, True)[..., 0] == 230


def clip_set():
    whole = runs.clip_set()
    return ClipSet(
        whole.classes,
        tuple(dataclasses.replace(record, load_mask=partial(bar_mask, record.label)) for record in whole.records),
    )


def toy_networks(study, open_set, directory, num_workers=None):
    """Every training another classifier."""
    head = np.array([[4.0, -4], [2, 1], [-3, 2]], np.float32)
    return [
        TrainedNetwork(
            config,
            dataclasses.replace(runs.SPEC, spectra=config.spectra),
            open_set(config),
            toys.pooling_classifier(cells=(2, 2, 2), head=head * (number + 1)),
            {spectrum: (0.5, 4) for spectrum in ("IR", "TV") if spectrum in config.spectra},
            steps=6,
            minutes=0.25,
            input_wait=0.01,
        )
        for number, config in enumerate(study.trained_networks)
    ]


KILLED = dataclasses.replace(STUDY, num_masks=4, mask_counts=(4, 60), chunk_size=1, num_steps=3)
KILLED_TABLES = ("rise-masks",)


def patch_run(set_attribute):
    """Gives the study's run these clips and networks; `set_attribute` is like `setattr`."""
    set_attribute(run, "open_clips", lambda *args, **options: clip_set())
    set_attribute(run, "train_networks", toy_networks)


def run_to_be_killed(folder):
    """Runs the study in a process of its own, with several commits."""
    patch_run(setattr)
    sys.stderr = open("/dev/null", "w")  # noqa: SIM115
    store._SECONDS = 0.1
    run.run_study(KILLED, Path(folder), only=KILLED_TABLES)
