"""A network of both spectra through a run: maps of each, measures over both and over one alone, counts of passes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import runs
from jaxsal import Classifier, deletion, explain, insertion, view
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all, explaining_groups
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.plan import make_plan
from jaxsal.evaluation.scenes import of_each_spectrum
from jaxsal.evaluation.store import Store
from jaxsal.report.panels import panels_of

RNG = np.random.default_rng(0)
SCENE = {"IR": RNG.random((4, 8, 8, 1), np.float32), "TV": RNG.random((4, 8, 8, 3), np.float32)}
WEIGHTS = {"IR": np.float32([3.0]), "TV": np.float32([1.0, -2.0, 1.5])}


def weighted(params, scene):
    return {name: params[name] * scene[name] for name in scene}


def mean_of_all(params, found):
    return 9 * jnp.stack([sum(own.mean() for own in found.values()), jnp.float32(0)])


def classifier(**weights):
    """Activations are the weighted colours of each spectrum, (T, H, W, C); the first logit is their mean, times 9."""
    return Classifier.from_functions(
        weighted,
        mean_of_all,
        {name: jnp.asarray(weights.get(name, WEIGHTS[name])) for name in SCENE},
        mean={"IR": (0.5,), "TV": (0.4, 0.5, 0.6)},
        std={"IR": (1.0,), "TV": (1.0, 1.0, 1.0)},
        classes=("yes", "no"),
    )


OPTIONS = dict(num_masks=16, grid_shape=(2, 2, 2), threshold=0.1, num_steps=5)


@pytest.fixture(scope="module")
def found():
    return explain(classifier(), SCENE, "yes", **OPTIONS)


def test_maps_and_curves_are_those_of_the_functions(found):
    assert found.spectrum == "FUSED"
    for method, maps in found.maps.items():
        assert {name: own.shape for name, own in maps.items()} == dict.fromkeys(SCENE, (4, 8, 8)), method
    for method in ("RISE", "random"):
        maps = found.maps[method]
        both = deletion(classifier(), SCENE, maps, 0, num_steps=5), insertion(classifier(), SCENE, maps, 0, num_steps=5)
        np.testing.assert_allclose([c.auc for c in found.curves[method]], [c.auc for c in both], rtol=1e-5)
        for spectrum in SCENE:
            alone = {spectrum: maps[spectrum]}
            expected = [m(classifier(), SCENE, alone, 0, num_steps=5).auc for m in (deletion, insertion)]
            areas = [found.measures[method][f"{measure}_{spectrum}"] for measure in ("deletion", "insertion")]
            np.testing.assert_allclose(areas, expected, rtol=1e-5)
    np.testing.assert_allclose(found.ledger.map(0)["IR"], found.maps["RISE"]["IR"], rtol=1e-5)


def test_an_explanation_shows_both_spectra(found):
    infrared, visible = of_each_spectrum(found)
    assert (infrared.name, visible.name) == ("clip-IR", "clip-TV")
    np.testing.assert_array_equal(infrared.clip, np.repeat(SCENE["IR"], 3, axis=-1))
    turned = found._replace(clip=dict(reversed(found.clip.items())))  # the visible recording named first
    assert [part.spectrum for part in of_each_spectrum(turned)] == ["IR", "TV"]
    for own, other in zip(panels_of(found, "ab"), panels_of(turned, "ab"), strict=True):
        assert own.caption == other.caption
        jax.tree.map(np.testing.assert_array_equal, own.curves[0].changed_at, other.curves[0].changed_at)
    assert "IR (4, 8, 8, 1), TV (4, 8, 8, 3)" in repr(found)
    data = found.to_xarray()
    assert dict(data.saliency.sizes) == dict(spectrum=2, map=5, time=4, row=8, column=8)
    assert data.spectrum.values.tolist() == ["IR", "TV"]
    page = view(found).page
    assert page.count('"caption": "IR"') + page.count('"caption":"IR"') == 1
    assert len(found.plot(num_frames=2).axes) >= 2 * 4 * 2
    dataset = found.ledger.to_xarray()
    assert dataset.saliency.dims == ("spectrum", "time", "row", "column")


def test_a_spectrum_that_is_not_read_has_flat_maps():
    blind = explain(classifier(TV=np.zeros(3, np.float32)), SCENE, "yes", methods=("gradcam", "sidu"), **OPTIONS)
    assert np.abs(blind.maps["Grad-CAM"]["TV"]).max() == 0
    assert np.abs(blind.maps["SIDU"]["TV"]).max() == 0
    ends = blind.curves["Grad-CAM"][0].scores
    assert abs(ends[0] - ends[-1]) > 0.1
    flat = blind.measures["Grad-CAM"]["deletion_TV"]
    assert flat == pytest.approx(float(ends[0]), rel=1e-4)  # nothing changes as the visible spectrum goes


def test_no_pass_is_made_whose_answer_is_known(tmp_path, passes):
    """The clip, 16 masks, per map three middles of six curves; two replaced clips of both and of each spectrum."""
    options = ExplainOptions(method=("rise",), controls=("random", "centre"), **OPTIONS | dict(threshold=None))
    cases = [Case(f"clip {n}", "FUSED", 0, lambda n=n: jax.tree.map(lambda p: np.roll(p, n, 1), SCENE)) for n in (0, 1)]
    channels = (("IR", 1), ("TV", 3))
    groups = explaining_groups(classifier(), (4, 8, 8, 1), cases, options, channels=channels)
    plan, _ = make_plan(groups, None, keep_clips=True)
    assert plan.passes == 2 * (1 + 16 + 3 * 3 * 6 + 2 * 3)
    explain_all(classifier(), cases, options, tmp_path)
    assert sum(passes) == plan.passes
    again, _ = make_plan(groups, Store(str(tmp_path)), keep_clips=True)
    assert (again.passes, again.results_done) == (0, again.results)


def test_the_control_of_motion_is_of_each_spectrum():
    still = SCENE | {"TV": np.repeat(SCENE["TV"][:1], 4, axis=0)}
    moving = explain(classifier(), still, "yes", methods=("gradcam",), controls=("motion", "smooth"), num_steps=3)
    assert moving.maps["motion"]["TV"].max() == 0
    assert moving.maps["motion"]["IR"].max() > 0
    assert np.abs(moving.maps["smooth"]["IR"] - moving.maps["smooth"]["TV"]).max() > 0.1


def test_single_clips_have_no_measures_of_one_spectrum():
    spec = dataclasses.replace(runs.SPEC)
    clip = spec.centre_clip(runs.moving_bar(0, 0, False))
    single = explain(spec.untrained(), clip, 0, methods=("gradcam",), controls=(), num_steps=3)
    assert set(single.measures["Grad-CAM"]) == {"deletion", "insertion"}
