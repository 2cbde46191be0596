"""A missing package is named with the extra that brings it, where it is needed; the core needs none of them."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from jaxsal.core.extras import EXTRAS, MissingPackageError, check_installed
from jaxsal.datasets.clips import read_frames
from jaxsal.datasets.pipeline import in_order
from jaxsal.datasets.prepared import open_builder
from jaxsal.drawing.pictures import save_animation
from jaxsal.drawing.plots import draw_curves
from jaxsal.report.table_figure import draw_table

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
OPTIONAL = sorted({module for brought in EXTRAS.values() for module in brought})


def test_extras_are_those_of_the_project():
    extras = PROJECT["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        required = " ".join(extras[extra]).replace("-", "_")
        assert all(module in required for module in modules), extra
        assert extra in extras["all"][0]


def test_the_command_that_helps(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    check_installed("matplotlib", "grain")
    for module in OPTIONAL:
        monkeypatch.setitem(sys.modules, module, None)
    for modules, message in (
        (["av"], r"The package av is not installed. Run: pip install 'jaxsal\[video\]'"),
        (["grain", "matplotlib", "av"], r"The packages grain, .* av are .* 'jaxsal\[video,train,data,report\]'"),
        (["grain", "tensorflow_datasets"], r"'jaxsal\[data\]'"),
    ):
        with pytest.raises(MissingPackageError, match=message):
            check_installed(*modules)


@pytest.mark.parametrize(
    ("use", "extra"),
    [
        (lambda folder: read_frames(folder / "clip.mp4"), "video"),
        (lambda folder: save_animation(folder / "clip.gif", {"clip": np.zeros((2, 4, 4, 3), np.uint8)}), "video"),
        (lambda folder: next(in_order(len, ["a"])), "train"),
        (lambda folder: open_builder(folder), "data"),
        (lambda folder: draw_curves({}), "report"),
        (lambda folder: draw_table([]), "report"),
    ],
)
def test_the_extra_is_named_where_it_is_needed(monkeypatch, use, extra, tmp_path):
    for module in OPTIONAL:
        monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(MissingPackageError, match=rf"'jaxsal\[{extra}\]'"):
        use(tmp_path)


CORE = """
import sys
sys.modules |= dict.fromkeys(sys.argv[1:])
import jax, jaxsal
import jaxsal.datasets.catalog, jaxsal.drawing.pictures, jaxsal.drawing.plots
from jaxsal.commands import cli
key = jax.random.key(0)
params = jax.random.normal(key, (3, 4))
own = jaxsal.Classifier.from_functions(lambda params, clip: clip, lambda params, a: a.mean((0, 1, 2)) @ params, params)
clip = jax.random.uniform(key, (2, 4, 4, 3))
maps = dict(gradcam=jaxsal.gradcam(own, clip), sidu=jaxsal.sidu(own, clip))
maps["rise"] = jaxsal.rise(key, own, clip, num_masks=4, grid_shape=(1, 2, 2))
curve = jaxsal.deletion(own, clip, maps["rise"], num_steps=2)
print(len(jaxsal.view(clip, maps, score_fn=own)._repr_html_()) > 1000)
cli.main(["demo"])
"""


@pytest.mark.process
def test_the_core_explains_a_model_of_ones_own_without_any(tmp_path):
    """And `jaxsal demo` says what it lacks before it starts."""
    command, started = [sys.executable, "-c", CORE, *OPTIONAL], os.environ | dict(JAX_NUM_CPU_DEVICES="1")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=started)
    assert done.stdout == "True\n", done.stderr
    assert done.returncode == 1
    assert "The packages grain, matplotlib, av are not installed. Run: pip install" in done.stderr
    assert not list(tmp_path.iterdir())
