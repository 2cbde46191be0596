"""The player of a notebook has the maps, ledgers and curves that it is given."""

import dataclasses

import numpy as np
import pytest

import jaxsal
from jaxsal.report.page import build_page
from jaxsal.report.scenes import Scene, scenes_of
from pages import CLASSES, CLASSIFIER, CLIP, cases, decode_volume, page_data, write_run

SALIENCY = np.random.default_rng(0).normal(size=CLIP.shape[:3]).astype(np.float32)


def test_view_of_maps_ledgers_and_curves(found, tmp_path):
    explanation = found[0]
    maps = {"Grad-CAM": explanation.maps["Grad-CAM"], "RISE": explanation.ledger}
    curves = {"RISE": explanation.curves["RISE"]}

    shown = jaxsal.view(CLIP, maps, score_fn=CLASSIFIER, curves=curves, classes=CLASSES, name="a clip")

    shown.save(tmp_path / "view.html")
    page = (tmp_path / "view.html").read_text()
    assert "srcdoc=" in shown._repr_html_()
    assert len(repr(shown)) < 40
    ((panel,),) = [scene["panels"] for scene in page_data(page)["scenes"]]
    (expected,) = scenes_of(found[:1], CLASSES, num_scenes=1)[0].panels
    wanted = page_data(build_page([Scene("", [expected])], title=""))["scenes"][0]["panels"][0]
    assert [m["target"] for m in panel["maps"]] == [panel["target"], *CLASSES]
    assert panel["baselines"] == wanted["baselines"]
    rise = [curve for curve in wanted["curves"] if curve["method"] == "RISE"]
    for mine, theirs in zip(panel["curves"], rise, strict=True):
        assert mine["scores"] == theirs["scores"]
        np.testing.assert_array_equal(
            decode_volume(panel["orders"][mine["order"]]), decode_volume(wanted["orders"][theirs["order"]])
        )


def test_view_of_explanations(found):
    """The scene of `scenes_of`; both spectra of a scene side by side."""
    (scene,) = page_data(jaxsal.view(found[:2], classes=CLASSES, scale="clip").page)["scenes"]
    (wanted,) = page_data(build_page(scenes_of(found[:2], CLASSES, num_scenes=1), title=""))["scenes"]
    assert scene == wanted | dict(scale="clip")
    assert len(scene["panels"]) == 2
    assert jaxsal.view(found[0], classes=CLASSES).page == jaxsal.view(found[:1], classes=CLASSES).page
    with pytest.raises(ValueError, match="`saliency` must be left out with explanations; got ndarray"):
        jaxsal.view(found[0], SALIENCY)
    with pytest.raises(ValueError, match="`saliency` must be given with a clip; got None"):
        jaxsal.view(CLIP)


def test_view_of_a_recording(found, tmp_path):
    """A clip that was read of a recording, and its explanation, are shown on the recording's own frames."""
    np.save(tmp_path / "a.npy", np.random.default_rng(1).integers(0, 255, (6, 12, 20, 3), dtype=np.uint8))
    clip = jaxsal.read_clip(tmp_path / "a.npy", num_frames=4, size=9)
    explanation = found[1]._replace(clip=clip, excerpts={"TV": clip.excerpt}, maps={"Grad-CAM": clip[..., 0]})
    explanation = explanation._replace(curves={}, ledger=None, baselines={})
    for shown in (jaxsal.view(clip, clip[..., 0]), jaxsal.view(explanation, classes=CLASSES)):
        (scene,) = page_data(shown.page)["scenes"]
        assert scene["panels"][0]["recording"]["box"] == pytest.approx([0, 0.2, 1, 0.6])
    with pytest.raises(
        ValueError, match=r"`clip` must be a clip, an explanation or the folder of a run; got '.*a\.npy'"
    ):
        jaxsal.view(tmp_path / "a.npy")


def test_view_of_a_run(tmp_path):
    (tmp_path / "results").mkdir()
    write_run(tmp_path, cases()[:1])
    shown = jaxsal.view(tmp_path)
    assert [scene["name"] for scene in page_data(shown.page)["scenes"]] == ["first"]


def test_view_of_one_map_alone():
    panel = page_data(jaxsal.view(CLIP, SALIENCY).page)["scenes"][0]["panels"][0]
    assert [m["method"] for m in panel["maps"]] == ["saliency"]
    assert (panel["target"], panel["probabilities"], panel["curves"]) == (None, [], [])


def test_scales_and_units_reach_the_page(found):
    explanation = found[0]
    assert page_data(build_page(scenes_of(found, CLASSES, num_scenes=1), title=""))["scenes"][0]["scale"] == "steps"
    maps = {"Grad-CAM, IR": explanation.maps["Grad-CAM"], "RISE": explanation.ledger, "mine": SALIENCY}
    (scene,) = page_data(jaxsal.view(CLIP, maps, target=0, scale="clip").page)["scenes"]
    assert scene["scale"] == "clip"
    units = {m["method"]: m["unit"] for m in scene["panels"][0]["maps"]}
    assert units == {"Grad-CAM, IR": "logits", "RISE": "mean probability", "mine": ""}


CURVE = jaxsal.Curve(np.linspace(0, 1, 3), np.ones(3), np.float32(1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(clip=CLIP[..., :1]), "`clip` must have 3 channels"),
        (dict(saliency={}), "`saliency` must hold at least one map; got none"),
        (dict(saliency=SALIENCY[:3]), "`saliency` must divide the clip's 4 frames; got 3"),
        (dict(saliency=np.full_like(SALIENCY, np.inf)), "`saliency` must be finite"),
        (dict(curves={"SIDU": (CURVE, CURVE)}), r"`curves` must be of the maps \['saliency'\]; got 'SIDU'"),
        (dict(score_fn=CLASSIFIER, classes=("a",)), "`classes` must name 4 classes; got 1"),
        (dict(scale="jet"), r"`scale` must be one of \('steps', 'limits', 'clip', 'map'\); got 'jet'"),
        (dict(score_fn=CLASSIFIER, target=4), "`target` must be a class from 0 to 3; got 4"),
    ],
)
def test_bad_views(no_shape_checks, arguments, message):
    with pytest.raises(ValueError, match=message):
        jaxsal.view(**dict(clip=CLIP, saliency=SALIENCY) | arguments)


def test_ledgers_of_several_classifiers_say_no_prediction(found):
    one = found[0].ledger
    other = dataclasses.replace(one, clip_logits=one.clip_logits[::-1].copy())
    maps = {"RISE, here": one, "RISE, there": other}
    panel = page_data(jaxsal.view(CLIP, maps, classes=CLASSES, target=2).page)["scenes"][0]["panels"][0]
    assert (panel["target"], panel["probabilities"]) == ("bend", [])
    assert [(m["method"], m["target"]) for m in panel["maps"]] == [(m, k) for m in maps for k in CLASSES]
    assert jaxsal.view(CLIP, {"a": one, "b": one}).page
    with pytest.raises(ValueError, match="`target` must be given where ledgers are of several classifiers; got None"):
        jaxsal.view(CLIP, maps)


def test_a_ledger_of_another_clip(found):
    with pytest.raises(ValueError, match="The ledger 'saliency' in `saliency` was computed for a different clip"):
        jaxsal.view(1 - CLIP, found[0].ledger)
