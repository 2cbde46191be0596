"""The same numbers on one, two, four and eight devices; each count needs a process of its own."""

import numpy as np
import pytest

import processes

SCRIPT = """
import numpy as np
import runs, toys
from jaxsal import deletion, rise, rise_ledger, score_masks, sidu
from jaxsal.evaluation.explain import Subject, explain
from jaxsal.options import ExplainOptions
from jaxsal.training.train import train

assert jax.device_count() == {count}
clip = jax.random.uniform(jax.random.key(1), (4, 6, 9, 3))
classifier = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
masks = jax.random.uniform(jax.random.key(2), (20, 4, 6, 9))
maps = dict(
    rise=rise(jax.random.key(0), classifier, clip, num_masks=37, grid_shape=(2, 3, 3), keep_prob=0.4),
    sidu=sidu(classifier, clip, 1),
    batches=score_masks(classifier.with_normalization("minmax"), clip, masks, batch_size=6),
)
options = dict(num_masks=37, grid_shape=(2, 3, 3), keep_prob=0.4)
for chunk_size in (7, 64):
    ledger = rise_ledger(jax.random.key(0), classifier, clip, chunk_size=chunk_size, **options)
    maps["logits" + str(chunk_size)] = ledger.logits
maps["many"] = score_masks(classifier, clip, masks, ids=np.arange(20_000) % 20, chunk_size=16)  # the host runs ahead
subjects = [Subject(str(n), "IR", np.roll(clip, n, axis=1)) for n in range(3)]
explained = explain(classifier, ExplainOptions(method=("gradcam", "sidu"), num_steps=5), subjects)
maps["explained"] = np.stack([list(found.maps.values()) for found in explained])
maps["measured"] = np.stack([[curve.scores for curve in found.curves["random"]] for found in explained])
curve = deletion(classifier, clip, maps["rise"], num_steps=11).scores
bias = np.ones(1)
if {count} < 8:
    trained = train(runs.SPEC, runs.OPTIONS, runs.loaded(), {folder!r})
    bias = trained.variables["params"]["fc"]["bias"]
np.savez({output!r}, curve=curve, bias=bias, **maps)
"""


COMPARED = ["rise", "sidu", "batches", "curve", "logits7", "logits64", "many", "explained", "measured"]


@pytest.fixture(scope="module")
def by_device_count(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    found = {}
    for count in (1, 2, 4, 8):
        output = folder / f"{count}.npz"
        script = SCRIPT.format(count=count, folder=str(folder / f"run{count}"), output=str(output))
        processes.finish(processes.start(script, devices=count))
        found[count] = np.load(output)
    return found


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("count", [2, 4, 8])
def test_device_count_changes_nothing(by_device_count, count, name):
    one, several = by_device_count[1][name], by_device_count[count][name]
    assert np.abs(one).max() > 0
    np.testing.assert_allclose(several, one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_chunk_size_changes_nothing(by_device_count, count):
    found = by_device_count[count]
    np.testing.assert_allclose(found["logits7"], found["logits64"], rtol=1e-6)


@pytest.mark.parametrize("count", [2, 4])
def test_device_count_changes_no_training(by_device_count, count):
    one, several = by_device_count[1]["bias"], by_device_count[count]["bias"]
    assert np.abs(one).max() > 0
    np.testing.assert_allclose(several, one, rtol=1e-3, atol=1e-4)
