"""The report's page carries all it shows, exactly, and nothing from elsewhere; no browser is needed here."""

import base64
import dataclasses
import io
import re

import jax
import numpy as np
import pytest
from PIL import Image

import jaxsal
from jaxsal.commands import cli
from jaxsal.recipes import CurveOptions
from jaxsal.report.encode import encode_baseline, encode_frames, encode_map, encode_order
from jaxsal.report.page import build_page
from jaxsal.report.panels import Panel, PanelMap, Scene, changing_steps, scene_name, scenes_of
from jaxsal.report.run import report_page
from pages import CLASSES, CLASSIFIER, CLIP, decode_volume, explanations, page_data, write_run

RANDOM = np.random.default_rng(0)
SALIENCY = RANDOM.normal(size=CLIP.shape[:3]).astype(np.float32)


@pytest.fixture(scope="module")
def found():
    return explanations()


@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_map_is_packed_to_256_steps(every):
    encoded = encode_map(SALIENCY, every=every)
    step = (encoded["high"] - encoded["low"]) / 255
    values = encoded["low"] + step * decode_volume(encoded)
    start = every // 2
    np.testing.assert_allclose(values, SALIENCY[:, start::every, start::every], atol=step / 2 + 1e-6)


def test_a_constant_map_is_packed():
    encoded = encode_map(np.full((2, 3, 4), 5.0))
    assert (encoded["low"], encoded["high"]) == (5, 5)
    assert not decode_volume(encoded).any()


@pytest.mark.parametrize(("shape", "most", "size"), [((2, 5, 6), 255, 1), ((4, 5, 6, 3), 256, 2), ((1, 1, 1), 700, 2)])
def test_orders_are_packed_exactly(shape, most, size):
    steps = RANDOM.integers(1, most + 1, shape)
    steps.flat[0] = most
    encoded = encode_order(steps)
    assert encoded["bytes"] == size
    np.testing.assert_array_equal(decode_volume(encoded).reshape(shape), steps)


def test_frames_are_pictures_of_at_most_224_pixels():
    clip = np.broadcast_to(np.linspace(0, 1, 3)[:, None, None, None], (3, 100, 448, 3))
    for shade, text in zip((0, 127.5, 255), encode_frames(clip), strict=True):
        picture = Image.open(io.BytesIO(base64.b64decode(text)))
        assert (picture.format, picture.size) == ("WEBP", (224, 50))
        np.testing.assert_allclose(np.asarray(picture), shade, atol=3)


def test_a_baseline_is_a_colour_or_frames():
    assert encode_baseline(np.array([0, 0.5, 1]), CLIP) == {"colour": [0, 128, 255]}
    assert encode_baseline(np.zeros(()), CLIP) == {"colour": [0, 0, 0]}
    assert len(encode_baseline(CLIP, CLIP)["frames"]) == 4


@pytest.mark.parametrize("measure", ["deletion", "insertion"])
def test_what_the_network_saw_gives_the_curve(found, measure):
    """The clip put together from the page's order and the baseline has the curve's score at every step."""
    explanation = found[1]
    (scene, _) = scenes_of(found, CLASSES, num_scenes=2)
    panel = scene.panels[1]
    data = page_data(build_page([scene], title=""))["scenes"][0]["panels"][1]
    for curve in (curve for curve in data["curves"] if curve["measure"] == measure):
        order = decode_volume(data["orders"][curve["order"]])
        baseline = np.broadcast_to(panel.baselines[measure], CLIP.shape)
        before, after = (panel.clip, baseline) if measure == "deletion" else (baseline, panel.clip)
        for step, score in enumerate(curve["scores"]):
            seen = np.where(order <= step, after, before).astype(np.float32)
            logits = CLASSIFIER(jax.numpy.asarray(seen))
            np.testing.assert_allclose(jax.nn.softmax(logits)[explanation.target], score, rtol=1e-4)


def test_segments_removed_number_by_number():
    """Half as many slices as frames, every scalar of the clip by itself: 9 elements or one less a step."""
    saliency = np.arange(2 * 6 * 9, dtype=np.float32).reshape(2, 6, 9)
    steps = changing_steps(saliency, CLIP.shape, CurveOptions(num_steps=73, unit="scalar", ties="first"))
    assert steps.shape == CLIP.shape
    np.testing.assert_array_equal(np.bincount(steps.ravel())[1:], 9)
    assert steps[3, 5, 8, 2] == 1
    assert steps[0, 0, 0, 0] == 72


def test_scenes_pair_the_spectra(found):
    first, second = scenes_of(found, CLASSES, num_scenes=5)
    assert (first.name, second.name) == ("first", "second")
    assert [panel.caption for panel in second.panels] == ["IR", "TV"]
    assert first.panels[0].label == "walk"
    assert len(scenes_of(found, CLASSES, num_scenes=1)) == 1
    other = [found[0]._replace(name="thermal-IR"), found[1]._replace(name="visible-TV")]
    (pair,) = scenes_of(other, CLASSES, num_scenes=5)
    assert (pair.name, len(pair.panels)) == ("thermal and visible", 2)
    shorter = found[1]._replace(clip=found[1].clip[:2])
    assert len(scenes_of([found[0], shorter, found[2]], CLASSES, num_scenes=5)) == 3
    assert [scene_name(found[0]._replace(name=name)) for name in ("IR/walk_IR", "FIR 3", "IR")] == [
        "walk",
        "FIR 3",
        "IR",
    ]


def test_rise_has_every_class_with_its_error_and_the_references_have_no_map(found):
    panel = scenes_of(found, CLASSES, num_scenes=1)[0].panels[0]
    by_method = {method: [m for m in panel.maps if m.method == method] for method in ("Grad-CAM", "RISE", "SIDU")}
    assert sum(map(len, by_method.values())) == len(panel.maps)
    assert {m.target for m in by_method["RISE"]} == set(CLASSES)
    assert by_method["RISE"][0].target == panel.target
    for found_map in by_method["RISE"]:
        k = CLASSES.index(found_map.target)
        np.testing.assert_allclose(found_map.values, found[0].ledger.map(k), rtol=1e-6)
        np.testing.assert_allclose(found_map.profile_error, found[0].ledger.stderr(k, per_frame=True), rtol=1e-6)
    assert {curve.method for curve in panel.curves} == {"Grad-CAM", "RISE", "SIDU", "random"}


def test_the_page_of_a_run(found, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)
    folder = write_run(tmp_path / "my run", found)

    cli.main(["report", str(folder)])

    page = (folder / "report.html").read_text()
    assert "report.html" in capsys.readouterr().out
    assert not re.search(r"https?://|<link[^>]+href=\"(?!data:)|\bsrc=|@import|url\(", page)
    assert "<wave>" not in page.replace("srcdoc", "")
    assert "jaxsal evaluate --seed 3" in page
    assert "<dt>weights</dt><dd>c0ffee</dd>" in page
    assert "<td>Grad-CAM</td><td>2</td>" in page
    scenes = page_data(page)["scenes"]
    assert [scene["name"] for scene in scenes] == ["first", "second"]
    panel = scenes[0]["panels"][0]
    (cam,) = [m for m in panel["maps"] if m["method"] == "Grad-CAM"]
    np.testing.assert_allclose(cam["profile"], np.mean(found[0].maps["Grad-CAM"], axis=(1, 2)), rtol=1e-4)
    assert panel["probabilities"][0][0] == panel["target"]


def test_a_small_page_has_thinner_maps(found):
    scenes = scenes_of(found, CLASSES, num_scenes=2)
    whole = build_page(scenes, title="")
    small = build_page(scenes, title="", max_bytes=len(whole.encode()) - 1)
    assert len(small.encode()) < len(whole.encode())
    assert page_data(small)["scenes"][0]["panels"][0]["maps"][0]["shape"] == [4, 3, 4]
    assert "maps are drawn at one of 2 rows and columns, and so are the clips as the network saw them" in small
    assert "one of 2 rows" not in whole
    with pytest.raises(ValueError, match="`max_bytes` must be enough for the clips; got 1,000 bytes for a page of"):
        build_page(scenes, title="", max_bytes=1000)


def test_bad_scenes():
    with pytest.raises(ValueError, match="`scenes` must hold at least one scene; got none"):
        build_page([], title="")
    panels = [Panel("", clip, [PanelMap("RISE", None, SALIENCY)]) for clip in (CLIP, CLIP[:2])]
    with pytest.raises(ValueError, match=r"`scenes` must have clips of one length each; got \[4, 2\] in 'x'"):
        build_page([Scene("x", panels)], title="")


def test_folders_without_a_run(found, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run\.json"):
        report_page(tmp_path)
    write_run(tmp_path, [])
    with pytest.raises(ValueError, match="`run` must hold explanations of clips; got none in"):
        report_page(tmp_path)
    write_run(tmp_path, found[:1])
    (tmp_path / "explanations/other.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"`run` must hold whole explanations; got a damaged one in .*other\.npz"):
        report_page(tmp_path)
    with pytest.raises(ValueError, match="`num_scenes` must be at least 1; got 0"):
        report_page(tmp_path, num_scenes=0)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(clip=CLIP[..., :1]), "`clip` must have 3 channels"),
        (dict(saliency={}), "`saliency` must hold at least one map; got none"),
        (dict(saliency=SALIENCY[:3]), "`saliency` must divide the clip's 4 frames; got 3"),
        (dict(saliency=np.full_like(SALIENCY, np.inf)), "`saliency` must be finite"),
        (dict(curves={"SIDU": ()}), r"`curves` must be of the maps \['saliency'\]; got 'SIDU'"),
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
    with pytest.raises(ValueError, match=r"`saliency` must be of the clip; got a ledger of another"):
        jaxsal.view(1 - CLIP, found[0].ledger)
