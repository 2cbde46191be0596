"""The same numbers from one process and from two that JAX joins."""

import numpy as np
import pytest

import processes

SCRIPT = """
import numpy as np
import toys
from jaxsal import deletion, rise_ledger, sidu
from jaxsal.devices import this_process_alone

assert jax.device_count() == {all_devices}
clip = jax.random.uniform(jax.random.key(1), (4, 6, 9, 3))
classifier = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))

def score():
    options = dict(num_masks=37, grid_shape=(2, 3, 3), keep_prob=0.4, chunk_size=7)
    return rise_ledger(jax.random.key(0), classifier, clip, **options)

together = score()
with this_process_alone():
    alone = score() if jax.process_index() == 0 else None
saliency = sidu(classifier, clip, 1)
curve = deletion(classifier, clip, together.map(1), num_steps=11).scores
if jax.process_index() == {number}:
    np.savez({output!r}, together=together.logits, alone=(alone or together).logits, sidu=saliency, curve=curve)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    results = {}
    for name, count, number in (("one", 1, 0), ("first", 2, 0), ("second", 2, 1)):
        output = str(folder / f"{name}.npz")
        script = SCRIPT.format(all_devices=2 * count, number=number, output=output)
        processes.finish(processes.start(script, count=count, devices=2))
        results[name] = np.load(output)
    return results


@pytest.mark.parametrize("name", ["together", "alone", "sidu", "curve"])
@pytest.mark.parametrize("process", ["first", "second"])
def test_every_process_has_the_numbers_of_one(found, process, name):
    assert np.abs(found["one"][name]).max() > 0
    np.testing.assert_allclose(found[process][name], found["one"][name], rtol=1e-6, atol=1e-7)
