"""The same numbers from one process and from two that JAX joins."""

import numpy as np
import pytest

import processes

SCRIPT = """
import numpy as np
import toys
from jaxsal import deletion, rise_ledger
from jaxsal.devices import this_process_alone
from jaxsal.processes import from_first

def fail():
    raise OSError("the disk is full")

assert from_first(lambda: dict(process=jax.process_index(), names=["x"] * 1000)) == dict(process=0, names=["x"] * 1000)
try:
    from_first(fail)
except (OSError, ValueError) as error:
    assert str(error) == "the disk is full"
else:
    raise AssertionError("an error of the first process is one in all")
assert jax.device_count() == {all_devices}
clip = jax.random.uniform(jax.random.key(1), (4, 6, 9, 3))
classifier = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))

def score():
    options = dict(num_masks=37, grid_shape=(2, 3, 3), keep_prob=0.4, chunk_size=7)
    return rise_ledger(jax.random.key(0), classifier, clip, **options)

together = score()
with this_process_alone():
    alone = score() if jax.process_index() == 0 else None
curve = deletion(classifier, clip, together.map(1), num_steps=11).scores
output = {folder!r} + "/" + str(jax.process_count()) + "-" + str(jax.process_index()) + ".npz"
np.savez(output, together=together.logits, alone=(alone or together).logits, curve=curve)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    for count in (1, 2):
        script = SCRIPT.format(all_devices=2 * count, folder=str(folder))
        processes.finish(processes.start(script, count=count, devices=2))
    return {name: np.load(folder / f"{name}.npz") for name in ("1-0", "2-0", "2-1")}


@pytest.mark.parametrize("name", ["together", "alone", "curve"])
@pytest.mark.parametrize("process", ["2-0", "2-1"])
def test_every_process_has_the_numbers_of_one(found, process, name):
    assert np.abs(found["1-0"][name]).max() > 0
    np.testing.assert_allclose(found[process][name], found["1-0"][name], rtol=1e-6, atol=1e-7)
