"""Values that cannot mean anything: an error that names the argument, before anything is computed.

Each argument of each public function gets values of every wrong kind.
"""

import dataclasses
import inspect
import warnings
from functools import partial, wraps

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsal
import runs
import toys
from bad_calls import CLIP, MAP, calls_of, outcome
from jaxsal.core.fingerprints import fingerprint
from jaxsal.datasets.catalog import open_clips
from jaxsal.evaluation.config import ClipChoice, MethodGrid, SweepConfig
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.metrics.localization import energy_inside, localize, pointing_game
from jaxsal.paper.config import PRESETS, Study
from jaxsal.recipes import CurveOptions, GradCamOptions, RiseOptions, SiduOptions
from jaxsal.recipes.further import KernelShapOptions, OcclusionOptions, ScoreCamOptions
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.options import TrainOptions

KEY = jax.random.key(0)
MASKS = dict(num_masks=4, grid_shape=(1, 2, 2))


def features(params, clip):
    return clip * params


def head(params, activations):
    return activations.mean((0, 1, 2))


def brightness(scene):
    return jnp.stack([scene["IR"].mean(), scene["TV"].mean()])


@wraps(ExplainOptions)
def explain_options(**options):
    ExplainOptions(**options).check()


def opened(spectra):
    """A classifier as of `jaxsal.load`, with weights of zero, which take no time."""
    spec = dataclasses.replace(runs.SPEC, spectra=spectra, mean=(0.5,) * 4, std=(0.2,) * 4)
    spec = spec if spectra == "FUSED" else runs.SPEC
    return spec.classifier(runs.of_zeros(spec).variables)


COLOURS = jaxsal.Classifier.from_functions(features, head, np.ones(3, np.float32))
NETWORK = nn.Sequential([nn.Conv(4, (3, 3, 3)), nn.relu, lambda activations: activations.mean((1, 2, 3)), nn.Dense(3)])
LEDGER = jaxsal.RiseLedger(
    key_data=np.zeros(2, np.uint32),
    shape=(2, 4, 4),
    options=RiseOptions(**MASKS),
    clip_fingerprint=fingerprint(CLIP),
    clip_logits=np.zeros(3, np.float32),
    ids=np.arange(4, dtype=np.int32),
    logits=np.zeros((4, 3), np.float32),
)
FLAX = jaxsal.Classifier.from_model(NETWORK, toys.drawn(NETWORK, CLIP.shape))
SCORED, PARTED = dict(score_fn=COLOURS, clip=CLIP), dict(classifier=COLOURS, clip=CLIP)
SETTLED = dict(num_masks="settled", most_masks=8, grid_shape=(1, 2, 2))
SCENE = {"IR": CLIP[..., :1], "TV": CLIP}
SWEPT = dict(store="store", checkpoints=("run",), methods=(MethodGrid("rise"),))

FUNCTIONS = {
    "rise": (jaxsal.rise, dict(key=KEY) | SCORED | MASKS),
    "rise_ledger": (jaxsal.rise_ledger, dict(key=KEY) | SCORED | MASKS),
    "settled rise": (jaxsal.rise, dict(key=KEY) | SCORED | SETTLED),
    "spectrum_shares": (jaxsal.spectrum_shares, dict(score_fn=brightness, scene=SCENE, grid_shape=(1, 1, 1))),
    "gradcam": (jaxsal.gradcam, PARTED),
    "sidu": (jaxsal.sidu, PARTED),
    "deletion": (jaxsal.deletion, SCORED | dict(saliency=MAP, num_steps=3)),
    "insertion": (jaxsal.insertion, SCORED | dict(saliency=MAP, num_steps=3)),
    "score_masks": (jaxsal.score_masks, SCORED | dict(masks=MAP[None] / 32)),
    "saliency_map": (jaxsal.saliency_map, PARTED | dict(method="gradcam")),
    "explain": (jaxsal.explain, PARTED | MASKS | dict(methods=("gradcam",), controls=(), num_steps=3)),
    "load": (jaxsal.load, dict(checkpoint="run")),
    "open_results": (jaxsal.open_results, {}),
    "read_clip": (jaxsal.read_clip, dict(path="walk.npy", num_frames=4, size=4)),
    "read_windows": (jaxsal.read_windows, dict(path="walk.npy", classifier=opened("IRTV"))),
    "read_scene": (jaxsal.read_scene, dict(paths=dict.fromkeys(("IR", "TV"), "walk.npy"), classifier=opened("FUSED"))),
    "view": (jaxsal.view, dict(clip=CLIP, saliency=MAP)),
    "from_functions": (
        jaxsal.Classifier.from_functions,
        dict(features=features, head=head, params=np.ones(3, np.float32)),
    ),
    "from_tokens": (jaxsal.Classifier.from_tokens, dict(features=features, head=head, params=(), grid=(1, 2, 2))),
    "from_model": (jaxsal.Classifier.from_model, dict(model=NETWORK, variables={})),
    "from_callback": (jaxsal.Classifier.from_callback, dict(function=features, num_classes=3)),
    "with_precision": (COLOURS.with_precision, {}),
    "with_normalization": (COLOURS.with_normalization, {}),
    "at": (FLAX.at, dict(layer="layers_0")),
    "layers": (FLAX.layers, {}),
    "map": (LEDGER.map, {}),
    "stderr": (LEDGER.stderr, {}),
    "first": (LEDGER.first, {}),
    "extend": (LEDGER.extend, SCORED | dict(num_masks=6)),
    "save": (LEDGER.save, {}),
    "RiseLedger.load": (jaxsal.RiseLedger.load, {}),
    "localize": (localize, dict(saliency=MAP, mask=MAP > 3)),
    "pointing_game": (pointing_game, dict(saliency=MAP, mask=MAP > 3)),
    "energy_inside": (energy_inside, dict(saliency=MAP, mask=MAP > 3)),
    "load_torch": (jaxsal.models.load_torch, dict(arch="resnet3d18", path="network.pth")),
    "open_clips": (open_clips, dict(data="synthetic", height=32)),
    "RiseOptions": (RiseOptions, {}),
    "OcclusionOptions": (OcclusionOptions, {}),
    "ScoreCamOptions": (ScoreCamOptions, {}),
    "KernelShapOptions": (KernelShapOptions, {}),
    "SiduOptions": (SiduOptions, {}),
    "CurveOptions": (CurveOptions, {}),
    "GradCamOptions": (GradCamOptions, {}),
    "ExplainOptions": (explain_options, {}),
    "TrainOptions": (TrainOptions, {}),
    "NetworkSpec": (NetworkSpec, dict(classes=("a", "b"))),
    "ClipChoice": (ClipChoice, {}),
    "MethodGrid": (MethodGrid, dict(method="rise")),
    "SweepConfig": (SweepConfig, SWEPT),
    "Study": (Study, {field.name: getattr(PRESETS["small"], field.name) for field in dataclasses.fields(Study)}),
}
"""By name, functions and dataclasses, and arguments that they take."""

ALLOWED = dict(
    **dict.fromkeys(("classes", "controls", "measure", "measures", "curve_baselines", "frames_per_mask"), ("[]",)),
    **dict.fromkeys(("mask_counts", "keep_probs", "thresholds", "baselines"), ("[]",)),
    **dict.fromkeys(("start", "stream", "skip", "curve_steps", "weight_decay"), ("0",)),
    kernel_width=("inf",),
    tolerance=("inf", "0"),
    checkpoints=("('a', 'a')",),
)
"""By argument, values that mean something there."""
LATER = {
    "load": dict(classes=("('a', 'a')",)),  # a file shows whether it lacks them
    "view": dict(target=("7",)),  # how many classes there are is not known
    "read_clip": dict(stream=("0", str(10**30))),  # an array file has no streams
    "read_windows": dict(stream=("0", str(10**30))),
    # a clip shows how many tokens there are
    "from_tokens": dict(grid=("(1000000000, 1, 1)",), skip=("0", str(10**30))),
    "at": dict(grid=("(1000000000, 1, 1)",)),
    "MethodGrid": dict(target=("-1", "7", "'nothing'"), options=("{'num_masks': [0]}",)),
    "Study": dict(baselines=("[]", "('mean',)")),
}
ARRAYS_LATER = (
    "RiseOptions",
    "SiduOptions",
    "CurveOptions",
    "OcclusionOptions",
    "ScoreCamOptions",
    "KernelShapOptions",
)  # a clip shows which arrays fit


def all_calls():
    """Each with the function, whose other arguments are right."""
    for name, (function, right) in FUNCTIONS.items():
        for call in calls_of(name, function, ALLOWED | LATER.get(name, {})):
            is_array = call.argument == "baseline" and isinstance(call.value, int | dict | np.ndarray)
            if not (is_array and name in ARRAYS_LATER):
                yield call, partial(function, **{**right, call.argument: call.value})


@pytest.fixture
def recording(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("walk.npy", np.zeros((6, 8, 8), np.uint8))


@pytest.mark.usefixtures("no_shape_checks", "recording")
def test_arguments_are_refused_by_name():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [outcome(call, run) for call, run in all_calls()]
    assert len(found) > 4000
    wrong = list(filter(None, found))
    assert not wrong, "\n".join(wrong)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_misspelt_argument_gets_the_closest_name(name):
    function, right = FUNCTIONS[name]
    argument = max(inspect.signature(function).parameters, key=len)
    with pytest.raises(TypeError, match=f"`{argument}s` must be an argument .* Did you mean '{argument}'"):
        function(**{**right, f"{argument}s": 3})


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("rise", dict(clip=np.ma.masked_array(CLIP)), "`clip` must be an array without a mask"),
        ("rise", dict(baseline=np.full(3, 0.5j)), "`baseline` must hold numbers"),
        ("rise", dict(sampling="sobol", grid_shape=(2, 200, 200)), "`grid_shape` must have at most 21,198 cells"),
        ("deletion", dict(saliency=MAP + np.inf), "`saliency` must be finite; got values from inf to inf"),
        ("deletion", dict(saliency=None), "`saliency` must be an array of floats"),
        ("deletion", dict(num_steps=10**30), "`num_steps` must be below"),
    ],
)
def test_arrays_are_refused_by_name(name, changes, message):
    function, right = FUNCTIONS[name]
    with pytest.raises((TypeError, ValueError), match=message):
        function(**{**right, **changes})
