import numpy as np

import runs
from jaxsal import Classifier
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all
from jaxsal.evaluation.grid import Network
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.precision import LEAST_AGREEMENT, rank_agreement

CLIP = np.random.default_rng(0).random((2, 4, 6, 3), np.float32)


def classifier_with_offset(offset):
    """Its weights stand on an offset that is subtracted again; bfloat16 keeps eight bits of the sum."""
    weights = np.linspace(-1, 1, 9, dtype=np.float32).reshape(3, 3)
    return Classifier.from_functions(
        lambda params, clip: clip @ (params - offset),
        lambda params, activations: 9 * activations[:, 1:3, 2:4].mean(axis=(0, 1, 2)),
        offset + weights,
    )


def test_a_network_agrees_with_itself_rounded_unless_the_differences_are_lost():
    exact, lost = classifier_with_offset(0.0), classifier_with_offset(1000.0)
    assert rank_agreement(exact, exact, CLIP) == 1.0
    assert rank_agreement(exact, exact.with_precision("bfloat16"), CLIP) > LEAST_AGREEMENT
    assert abs(rank_agreement(lost, lost.with_precision("bfloat16"), CLIP)) < 0.5


def test_a_run_says_once_that_ranks_differ(capsys):
    """At 1000, the numbers that bfloat16 has are 4 apart, so that nothing is left of the weights."""
    cases = [Case(name, "TV", 0, lambda: CLIP) for name in ("one", "two", "three")]
    options = ExplainOptions(method=("gradcam",), controls=(), num_steps=2, precision="bfloat16", clips_per_batch=1)
    explain_all(classifier_with_offset(1000.0), cases, options)
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "bfloat16" in line]
    assert "on one, RISE maps of 64 masks have a rank correlation of" in said
    assert "below 0.999" in said


def test_a_sweep_knows_what_its_networks_were_rounded_from():
    network = Network("runs/toy", runs.SPEC, classifier_with_offset(0.0))
    rounded = network.with_precision("bfloat16")
    assert rounded.classifier.precision == "bfloat16"
    assert rounded.exact is network.classifier
    assert network.with_precision("float32").classifier is network.classifier
