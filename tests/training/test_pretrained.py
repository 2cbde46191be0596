"""The networks that come with the package: the demo's own, which know actors that they have never seen."""

import pytest

from jaxsal.commands.demo import PRESETS
from jaxsal.datasets.pipeline import load_clips
from jaxsal.datasets.synthetic import ACTIONS, synthetic_actions
from jaxsal.training.accuracy import accuracy_by_spectrum
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.options import EMBEDDED
from jaxsal.training.pretrained import EMBEDDED_WEIGHTS, open_pretrained


@pytest.mark.parametrize("arch", PRESETS)
def test_the_demo_goes_on_from_it(arch):
    assert open_pretrained(EMBEDDED[arch]).spec == NetworkSpec(ACTIONS, "IRTV", **PRESETS[arch].network)


@pytest.mark.parametrize("name", EMBEDDED_WEIGHTS)
def test_it_knows_actions_of_actors_it_has_not_seen(name):
    """Of 8 clips a spectrum of an actor of another seed, whose accuracy by chance is 1/8."""
    spec, variables, *_ = open_pretrained(name)
    clip_set = synthetic_actions(seed=5, num_frames=spec.num_frames, height=spec.size, actors=(40,))
    clips = load_clips(clip_set, size=spec.size, sampler=spec.sampler, antialias=spec.antialias)

    found = accuracy_by_spectrum(spec, variables, clips, batch_size=16)

    assert min(share for share, _ in found.values()) > 0.6
