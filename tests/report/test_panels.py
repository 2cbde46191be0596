"""Scenes pair the spectra; a panel has the maps, their errors and the order of removal."""

import numpy as np

from jaxsal.recipes import CurveOptions
from jaxsal.report.panels import changing_steps
from jaxsal.report.scenes import scene_name, scenes_of
from pages import CLASSES, CLIP


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


def test_rise_has_every_class_with_its_error_and_the_controls_have_no_map(found):
    panel = scenes_of(found, CLASSES, num_scenes=1)[0].panels[0]
    by_method = {method: [m for m in panel.maps if m.method == method] for method in ("Grad-CAM", "RISE", "SIDU")}
    assert sum(map(len, by_method.values())) == len(panel.maps)
    assert {m.target for m in by_method["RISE"]} == set(CLASSES)
    assert by_method["RISE"][0].target == panel.target
    for found_map in by_method["RISE"]:
        k = CLASSES.index(found_map.target)
        np.testing.assert_allclose(found_map.values, found[0].ledger.map(k), rtol=1e-6)
        np.testing.assert_allclose(found_map.profile_error, found[0].ledger.stderr(k, contrast=True), rtol=1e-6)
    assert {curve.method for curve in panel.curves} == {"Grad-CAM", "RISE", "SIDU", "random"}
