"""What an explanation shows of itself."""

import jax
import numpy as np
import pytest

import toys
from jaxsal import explain

CLASSES = ("crouch", "wave", "walk", "run")
CLIP = np.asarray(jax.random.uniform(jax.random.key(1), (4, 6, 9, 3)))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32), classes=CLASSES)


@pytest.fixture(scope="module")
def found():
    options = dict(
        methods=("gradcam", "rise"), num_masks=8, num_steps=5, controls=("random",), name="lawn", spectrum="IR"
    )
    return explain(CLASSIFIER, CLIP, "walk", label="run", **options)


def test_a_few_lines_say_the_classes_and_the_measures(found):
    first, heads, *rows = repr(found).splitlines()
    assert first.startswith("Explanation(lawn, IR, clip (4, 6, 9, 3): ")
    assert first.endswith(", true class run; explained: walk")
    assert heads.split() == ["method", "map", "deletion", "insertion", "seconds"]
    assert [row.split()[0] for row in rows] == ["Grad-CAM", "RISE", "random"]
    assert f"{float(found.curves['RISE'][0].auc):.3f}" in rows[1]
    assert "<td>RISE</td><td>(4, 6, 9)</td>" in found._repr_html_()


def test_figures_have_a_row_for_each_method_and_both_curves(found):
    figure = found.plot(num_frames=2)
    assert [axis.get_ylabel() for axis in figure.axes if axis.images][::2] == ["clip", "Grad-CAM", "RISE"]
    hatched = found.plot(num_frames=2, undecided=True)
    assert [axis.get_ylabel() for axis in hatched.axes if axis.images][4] == "RISE\nhatched: undecided"
    assert found.undecided.shape == found.maps["RISE"].shape
    with pytest.raises(ValueError, match="`undecided` must be False without RISE's map of a class from independent"):
        found._replace(ledger=None).plot(undecided=True)
    timed = found._replace(times=np.array([0.5, 0.6, 0.7, 0.8])).plot(num_frames=2)
    assert [axis.get_title() for axis in timed.axes if axis.images][:2] == ["0.50 s", "0.80 s"]
    assert [axis.get_title() for axis in found.plot_curves().axes] == ["deletion", "insertion"]


def test_the_dataset_has_coordinates_on_every_axis(found):
    data = found._replace(times=np.array([0.5, 0.6, 0.7, 0.8])).to_xarray()
    np.testing.assert_array_equal(data.saliency.sel(map="RISE", time=0.7), found.maps["RISE"][2])
    np.testing.assert_array_equal(data.frames.sel(time=0.5), CLIP[0])
    assert float(data.probability.sel({"class": "walk"})) == pytest.approx(float(found.probabilities[2]))
    np.testing.assert_array_equal(data.deletion.sel(map="random"), found.curves["random"][0].scores)
    assert data.deletion_fraction.values.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert data.attrs["target"] == "walk"


def test_frames_that_share_a_map_have_the_middle_of_their_times(found):
    shared = found._replace(maps={name: values[::2] for name, values in found.maps.items()})
    data = shared.to_xarray()
    assert data.map_time.values.tolist() == [0.5, 2.5]
    assert data.saliency.dims == ("map", "map_time", "row", "column")
