"""The same numbers on one and eight devices, of a training on one and four; a process takes some of its eight away."""

import numpy as np
import pytest

import processes

SCRIPT = """
import numpy as np
import runs, toys
from jaxsal import deletion, rise, rise_ledger, score_masks, sidu
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.training.train import train

clip = jax.random.uniform(jax.random.key(1), (4, 6, 9, 3))
classifier = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
masks = jax.random.uniform(jax.random.key(2), (20, 4, 6, 9))
devices = jax.devices()

def numbers(count):
    jax.devices = jax.local_devices = lambda *_, **__: devices[:count]
    if count == 4:  # as clips in a batch
        trained = train(runs.SPEC, runs.OPTIONS, runs.loaded(), {folder!r} + "/run")
        return dict(bias=trained.variables["params"]["fc"]["bias"])
    options = dict(num_masks=37, grid_shape=(2, 3, 3), keep_prob=0.4)
    maps = dict(
        rise=rise(jax.random.key(0), classifier, clip, **options),
        sidu=sidu(classifier, clip, 1),
        batches=score_masks(classifier.with_normalization("minmax"), clip, masks, batch_size=6),
    )
    for chunk_size in (7, 64):
        ledger = rise_ledger(jax.random.key(0), classifier, clip, chunk_size=chunk_size, **options)
        maps["logits" + str(chunk_size)] = ledger.logits
    # the host runs ahead
    maps["many"] = score_masks(classifier, clip, masks, ids=np.arange(20_000) % 20, chunk_size=16)
    cases = [Case(str(n), "IR", -1, lambda n=n: np.roll(clip, n, axis=1)) for n in range(3)]
    options = ExplainOptions(method=("gradcam", "sidu"), controls=("random",), num_steps=5)
    explained = explain_all(classifier, cases, options)
    maps["explained"] = np.stack([list(found.maps.values()) for found in explained])
    maps["measured"] = np.stack([[curve.scores for curve in found.curves["random"]] for found in explained])
    maps["curve"] = deletion(classifier, clip, maps["rise"], num_steps=11).scores
    return maps

for count in (1, 4, 8):
    np.savez({folder!r} + f"/{{count}}.npz", **numbers(count))
"""

COMPARED = ["rise", "sidu", "batches", "curve", "logits7", "logits64", "many", "explained", "measured"]

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def by_device_count(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    processes.finish(processes.start(SCRIPT.format(folder=str(folder)), devices=8), timeout=1_500)
    return {count: np.load(folder / f"{count}.npz") for count in (1, 4, 8)}


def test_device_count_changes_nothing(by_device_count):
    for name in COMPARED:
        one, several = by_device_count[1][name], by_device_count[8][name]
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(several, one, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("count", [1, 8])
def test_chunk_size_changes_nothing(by_device_count, count):
    found = by_device_count[count]
    np.testing.assert_allclose(found["logits7"], found["logits64"], rtol=1e-6)


def test_device_count_changes_no_training(by_device_count, trained_run):
    one, four = trained_run[1].variables["params"]["fc"]["bias"], by_device_count[4]["bias"]
    assert np.abs(one).max() > 0
    np.testing.assert_allclose(four, one, rtol=1e-3, atol=1e-4)
