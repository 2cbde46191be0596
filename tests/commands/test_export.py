"""`jaxsal export`: the program of a network, in a process that has JAX and not jaxsal."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import jax
import jax.export
import numpy as np
import pytest

import runs
from jaxsal.commands.export import Export
from jaxsal.core.sealed import read_json
from jaxsal.models import init_variables
from jaxsal.training.checkpoint import Checkpoint, open_checkpoint
from jaxsal.training.export import scoring_program

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
sys.modules["jaxsal"] = None  # an import of it fails, even where it is installed
from loader import load_exported
import numpy as np

exported, given = load_exported(sys.argv[1]), np.load(sys.argv[2])
one = exported.score(given["clip"], given["masks"][:1], 0.0)
three = exported.score(given["clip"], given["masks"], given["baseline"])
assert sys.modules["jaxsal"] is None and not [name for name in sys.modules if name.startswith("jaxsal.")]
np.savez(sys.argv[3], one=one, three=three)
"""


@pytest.mark.process
def test_a_process_without_jaxsal_scores_masks_as_the_classifier_does(run_folder, tmp_path):
    output = Export(run_folder, output=tmp_path / "out").run()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "loader.py",
        "network.json",
        "scores.stablehlo",
    ]
    rng = np.random.default_rng(0)
    clip, baseline = rng.random((2, *runs.SPEC.clip_shape), np.float32)
    masks = rng.random((3, 2, *runs.SPEC.clip_shape[1:3]), np.float32)  # one mask frame for two of the clip
    np.savez(tmp_path / "given.npz", clip=clip, baseline=baseline, masks=masks)

    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"JAX_PLATFORMS": "cpu"}
    files = [tmp_path / "out", tmp_path / "given.npz", tmp_path / "scores.npz"]
    subprocess.run([sys.executable, "-I", "-c", SCRIPT, *map(str, files)], env=environment, check=True)

    checkpoint = open_checkpoint(run_folder)
    classifier = jax.jit(jax.vmap(checkpoint.spec.classifier(checkpoint.variables)))
    kept = np.repeat(masks, 2, axis=1)[..., None]
    scores = np.load(tmp_path / "scores.npz")
    np.testing.assert_allclose(scores["one"], classifier(clip * kept[:1]), atol=1e-5)
    np.testing.assert_allclose(scores["three"], classifier(clip * kept + baseline * (1 - kept)), atol=1e-5)
    assert np.ptp(scores["three"], axis=0).min() > 1e-4  # masks matter

    network = read_json(tmp_path / "out" / "network.json", "Export again.")
    assert network == json.loads(json.dumps(output.data["network"]))
    assert (network["clip"], network["classes"]) == (list(runs.SPEC.clip_shape), list(runs.CLASSES))


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_accelerators_have_convolutions_of_clips_and_a_cpu_those_of_frames(run_folder, platform):
    module = scoring_program(open_checkpoint(run_folder), (platform,)).mlir_module()
    axes = [len(found.split(",")) - 2 for found in re.findall(r"dim_numbers = \[(b, [\d, ]+, f)\]x", module)]
    if platform == "cpu":
        assert set(axes) == {2}
    else:
        assert axes == [3, 3]


def test_the_program_takes_scenes_of_both_spectra():
    spec = dataclasses.replace(runs.SPEC, spectra="FUSED", mean=(0.5,) * 4, std=(0.2,) * 4)
    variables = init_variables(spec.model(), jax.random.key(0), spec.batch_shape)
    program = scoring_program(Checkpoint(spec, variables, 0, None, {}))
    size = 2, *spec.clip_shape[:3]
    scenes = {name: np.full((*size, count), 0.3, np.float32) for name, count in spec.channels.items()}
    expected = jax.vmap(spec.classifier(variables))(scenes)
    np.testing.assert_allclose(program.call(scenes), expected, atol=1e-5)


def test_a_program_of_sixteen_bits(run_folder):
    checkpoint = open_checkpoint(run_folder)
    program = scoring_program(checkpoint, ("cpu",), "bfloat16")
    clips = np.random.default_rng(0).random((2, *runs.SPEC.clip_shape), np.float32)
    rounded = jax.vmap(checkpoint.spec.classifier(checkpoint.variables).with_precision("bfloat16"))
    assert "xbf16>" in program.mlir_module()
    np.testing.assert_allclose(program.call(clips), rounded(clips), atol=0.02)
