import jax
import jax.numpy as jnp
import numpy as np
import pytest
from overhead import TARGETS, bare_passes, gradcam_rows, summary, table, timed_method

from jaxsal import Classifier

CLIP = jax.random.uniform(jax.random.key(0), (4, 6, 9, 3))


def test_ratios_are_taken_turn_by_turn_beside_the_target():
    row = summary("RISE", 17, dict(method=np.array([2.0, 3.0, 8.0]), bare=np.array([1.0, 2.0, 4.0])))
    assert row["ratio"] == 2.0
    assert row["ratio_range"] == [1.5, 2.0]
    assert table([row]).splitlines()[-1] == "| RISE | 17 | 3.000 | 2.000 | 2.000 (1.500 to 2.000) | 1.03 |"


def counting(passes):
    """A classifier that grows `passes` by one entry for every clip that it sees."""

    def features(params, clip):
        jax.debug.callback(lambda _: passes.append(1), clip[0, 0, 0, 0])
        return params["scale"] * clip[:, ::3, ::3]

    def head(params, activations):
        return activations.mean(axis=(0, 1, 2))

    return Classifier.from_functions(features, head, {"scale": jnp.ones(())})


PASSES = {"RISE": (12, 1), "SIDU": (3, 1), "deletion": (12, 0), "insertion": (12, 0)}  # in batches, and alone


@pytest.mark.parametrize("method", PASSES)
def test_bare_passes_are_as_many_as_the_method_takes(method):
    """In whole chunks of 4: of 12 masks or steps, or of SIDU's three channels."""
    passes = []
    classifier = counting(passes)
    timed = timed_method(method, classifier, CLIP, block=12, chunk_size=4)
    assert method in TARGETS
    assert (timed.batched, timed.alone) == PASSES[method]

    def count(run):
        jax.block_until_ready(run())
        jax.effects_barrier()
        passes.clear()
        jax.block_until_ready(run())
        jax.effects_barrier()
        return len(passes)

    assert (
        count(timed.run) == count(bare_passes(timed, classifier, CLIP, 4)) == 4 * -(-timed.batched // 4) + timed.alone
    )


def test_rows_of_gradcam():
    alone, with_gradient = gradcam_rows(counting([]), CLIP, rounds=1)
    assert (alone["method"], alone["forwards"], alone["target"]) == ("Grad-CAM", 1, 1.10)
    assert with_gradient["target"] is None
    assert with_gradient["rounds"] == 3
