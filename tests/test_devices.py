"""The same numbers on one, two and four devices; each count needs a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = """
import sys
import jax, numpy as np
sys.path.insert(0, {tests!r})
import runs, toys
from jaxsal import deletion, rise, sidu
from jaxsal.train import train

assert jax.device_count() == {count}
clip = jax.random.uniform(jax.random.key(1), (4, 6, 9, 3))
classifier = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
maps = dict(
    rise=rise(jax.random.key(0), classifier, clip, num_masks=37, grid_shape=(2, 3, 3), keep_prob=0.4),
    sidu=sidu(classifier, clip, 1),
)
curve = deletion(classifier, clip, maps["rise"], num_steps=11).scores
trained = train(runs.SPEC, runs.OPTIONS, runs.loaded(), {folder!r})
bias = trained.variables["params"]["fc"]["bias"]
np.savez({output!r}, curve=curve, bias=bias, **maps)
"""


@pytest.fixture(scope="module")
def by_device_count(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    found = {}
    for count in (1, 2, 4):
        output = folder / f"{count}.npz"
        tests = str(Path(__file__).parent)
        script = SCRIPT.format(tests=tests, count=count, folder=str(folder / f"run{count}"), output=str(output))
        flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}", "JAX_PLATFORMS": "cpu"}
        subprocess.run([sys.executable, "-c", script], env=os.environ | flags, check=True, capture_output=True)
        found[count] = np.load(output)
    return found


@pytest.mark.parametrize("name", ["rise", "sidu", "curve", "bias"])
@pytest.mark.parametrize("count", [2, 4])
def test_device_count_changes_nothing(by_device_count, count, name):
    one, several = by_device_count[1][name], by_device_count[count][name]
    assert np.abs(one).max() > 0
    np.testing.assert_allclose(
        several, one, rtol=1e-3 if name == "bias" else 1e-5, atol=1e-4 if name == "bias" else 1e-6
    )
