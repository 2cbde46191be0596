"""The same numbers on one and eight devices, of a training on one and four; a process takes some of its eight away."""

import numpy as np
import pytest

import processes

SCRIPT = """
import importlib.util
import traceback
import numpy as np
import pytest
import runs, toys
from jaxsal import rise_ledger, score_masks
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.training.train import train

rng = np.random.default_rng(0)
clip, masks = rng.random((4, 6, 9, 3), np.float32), rng.random((20, 4, 6, 9), np.float32)
classifier = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
devices = jax.devices()

def numbers(count):
    jax.devices = jax.local_devices = lambda *_, **__: devices[:count]
    if count == 4:  # as clips in a batch
        trained = train(runs.SPEC, runs.OPTIONS, runs.loaded(), {folder!r} + "/run")
        return dict(bias=trained.variables["params"]["fc"]["bias"])
    options = dict(num_masks=37, grid_shape=(2, 3, 3), keep_prob=0.4)
    maps = dict(batches=score_masks(classifier.with_normalization("minmax"), clip, masks, batch_size=6))
    for chunk_size in (7, 64):
        ledger = rise_ledger(jax.random.key(0), classifier, clip, chunk_size=chunk_size, **options)
        maps["logits" + str(chunk_size)] = ledger.logits
    maps["rise"] = ledger.map()
    # the host runs ahead
    maps["many"] = score_masks(classifier, clip, masks, ids=np.arange(20_000) % 20, chunk_size=16)
    cases = [Case(str(n), "IR", -1, lambda n=n: np.roll(clip, n, axis=1)) for n in range(3)]
    options = ExplainOptions(method=("gradcam", "sidu"), controls=("random",), num_steps=5)
    explained = explain_all(classifier, cases, options)
    maps["explained"] = np.stack([list(found.maps.values()) for found in explained])
    maps["measured"] = np.stack([[curve.scores for curve in found.curves["random"]] for found in explained])
    return maps

for count in (1, 4, 8):
    np.savez({folder!r} + f"/{{count}}.npz", **numbers(count))

spec = importlib.util.spec_from_file_location("test_batch", {batch!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
jax.devices = jax.local_devices = lambda *_, **__: devices[:4]
with pytest.MonkeyPatch.context() as patch:
    try:
        module.check_the_traffic(patch)
    except AssertionError:
        print(traceback.format_exc())
"""

COMPARED = ["rise", "batches", "logits7", "logits64", "many", "explained", "measured"]

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def by_device_count(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    script = SCRIPT.format(folder=str(folder), batch=str(processes.TESTS / "engine" / "test_batch.py"))
    (said,) = processes.finish(processes.start(script, devices=8), timeout=1_500)
    return {count: np.load(folder / f"{count}.npz") for count in (1, 4, 8)} | dict(said=said)


def test_clips_and_weights_are_sent_once_and_only_scores_come_back(by_device_count):
    assert by_device_count["said"] == ""


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
