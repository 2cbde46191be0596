"""The pictures of a folder: maps that are compared share their steps of colour."""

import dataclasses

import numpy as np
from PIL import Image

from jaxsal.report.folder import colour_limits, draw_overlays, write_folder
from jaxsal.report.scenes import scenes_of
from pages import CLASSES


def test_compared_maps_share_their_steps_of_colour(found, tmp_path):
    """The same map ten times as strong and 5 higher in TV: its infrared twin has the first tenth of the colours."""
    infrared, visible = (e._replace(clip=np.full_like(e.clip, 0.5)) for e in found[:2])
    maps = {"RISE": infrared.maps["RISE"] - infrared.maps["RISE"].min()}
    pair = [infrared._replace(maps=maps), visible._replace(maps={"RISE": 5 + 10 * maps["RISE"]})]
    middle, high = np.quantile(maps["RISE"], [0.5, 0.995])
    most = high - middle
    other_class = pair[1]._replace(target=1 - pair[0].target)
    for scene, span in ((pair, 10 * most), ([pair[0], other_class], most)):
        np.testing.assert_allclose(colour_limits(pair[0], "RISE", scene), (middle, middle + span), rtol=1e-5)
        np.testing.assert_allclose(colour_limits(scene[1], "RISE", scene), 5 + 10 * np.array([middle, high]), rtol=1e-5)

    draw_overlays(tmp_path, pair, CLASSES)

    red = {}
    for explanation in pair:
        (path,) = tmp_path.glob(f"{explanation.name}-as-*.png")
        picture = np.asarray(Image.open(path))
        red[explanation.spectrum] = picture[-150:, 300:800].astype(int)
        assert path.with_suffix(".gif").exists()
    warm = {spectrum: ((rows[..., 0] > 150) & (rows[..., 2] < 110)).sum() for spectrum, rows in red.items()}
    assert warm["IR"] == 0
    assert warm["TV"] > 0


def test_a_title_says_the_clip_and_whether_the_answer_is_right(found, tmp_path, monkeypatch):
    titles = {}
    monkeypatch.setattr(
        "jaxsal.report.folder.save_strip", lambda path, rows, title, bars, **_: titles.update({path: bars})
    )
    monkeypatch.setattr(
        "jaxsal.report.folder.save_animation", lambda path, rows, title, bars, **_: titles.update({path: title})
    )
    first = found[0]._replace(name="first", label=2, target=1, probabilities=np.array([0.1, 0.2, 0.0, 0.7]))
    draw_overlays(tmp_path, [first], CLASSES, "mp4")
    assert (
        titles[tmp_path / "first-as-sit-0.20.mp4"] == "first, IR: predicted <wave> 0.70, true class bend; maps of sit"
    )
    bars = titles[tmp_path / "first-as-sit-0.20.png"]
    assert {method: bar.unit for method, bar in bars.items()} == {
        "Grad-CAM": "logits",
        "RISE": "mean probability",
        "SIDU": "similarity x uniqueness",
    }


def test_the_actors_outline_is_drawn_where_his_pixels_are_known(found, tmp_path):
    mask = np.zeros(np.shape(found[0].clip)[:3], bool)
    mask[:, 1:4, 2:5] = True
    draw_overlays(tmp_path / "with", found[:1], CLASSES, masks={found[0].name: mask})
    draw_overlays(tmp_path / "without", found[:1], CLASSES, masks={"another clip": mask})

    def cyan(folder):
        (path,) = (tmp_path / folder).glob("*.png")
        return (np.asarray(Image.open(path).convert("RGB")) == (0, 255, 255)).all(axis=-1).sum()

    assert cyan("with") > 0 == cyan("without")


def test_the_tables_say_where_the_actor_is_where_his_pixels_are_known(found, tmp_path):
    mask = np.zeros(np.shape(found[0].clip)[:3], bool)
    mask[:, 1:4, 2:5] = True
    for folder, masks in (("with", {one.name: mask for one in found}), ("without", {})):
        write_folder(tmp_path / folder, found, CLASSES, {}, masks=masks)

    files = [{path.name for path in (tmp_path / folder).iterdir()} for folder in ("with", "without")]
    assert files[0] - files[1] == {"actor.csv", "actor_contrasts.csv"}
    table = (tmp_path / "with" / "table.md").read_text()
    assert "Where the actor is." in table
    assert "| centre |" in table


def test_rise_is_hatched_where_an_open_number_of_masks_leaves_it_undecided(found, tmp_path, monkeypatch):
    rows = {}
    monkeypatch.setattr("jaxsal.report.folder.save_strip", lambda path, own, **_: rows.update(own))
    monkeypatch.setattr("jaxsal.report.folder.save_animation", lambda path, own, **_: None)
    given, masks = found[0], len(found[0].ledger.ids)
    draw_overlays(tmp_path, [given], CLASSES)
    open_ended = dataclasses.replace(given.options, num_masks="settled", settled_cells=1, most_masks=masks)
    draw_overlays(tmp_path, [given._replace(options=open_ended)], CLASSES)
    (panel,) = (scene.panels[0] for scene in scenes_of([given._replace(options=open_ended)], CLASSES, num_scenes=1))
    (marked,) = (found_map for found_map in panel.maps if found_map.undecided is not None)
    assert (marked.method, marked.target) == ("RISE", panel.target)
    np.testing.assert_array_equal(marked.undecided, given.undecided)
    differs = (rows["RISE"] != rows["RISE, hatched: undecided"]).any(axis=-1)
    assert differs.any()
    assert not differs[~given.undecided].any()
