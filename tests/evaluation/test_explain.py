import dataclasses
import uuid

import jax
import numpy as np
import pytest

import toys
from jaxsal import deletion, gradcam, insertion, rise, sidu
from jaxsal.engine.baselines import degrade
from jaxsal.evaluation import runner
from jaxsal.evaluation.cells import Case, file_name
from jaxsal.evaluation.explain import explain_all, explain_cases
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.reading import read_explanation
from jaxsal.evaluation.store import Store

CLIP = np.asarray(jax.random.uniform(jax.random.key(1), (4, 6, 9, 3)))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
OPTIONS = ExplainOptions(controls=("random",), num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.5, num_steps=9)
RISE_ALONE = dataclasses.replace(OPTIONS, method=("rise",), controls=(), num_steps=2)
KEY, MASKS = jax.random.key(0), dict(num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.5)


def cases(count=3):
    return [
        Case(f"clip {n}", "TV" if n % 2 else "IR", n % 4, lambda n=n: np.roll(CLIP, n, axis=1)) for n in range(count)
    ]


def explained(options, *, name="a", label=-1, target=None):
    (found,) = explain_all(CLASSIFIER, [Case(name, "IR", label, lambda: CLIP, target)], options)
    return found


def assert_alike(found, expected, *, curves_of=None):
    """Whether explanations agree; the order of voxels hangs on a map's rounding, so of which the curves too."""
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.name, mine.target, list(mine.maps)) == (theirs.name, theirs.target, list(theirs.maps))
        for method, saliency in theirs.maps.items():
            np.testing.assert_allclose(mine.maps[method], saliency, rtol=1e-5, atol=1e-6, err_msg=method)
        for method in theirs.curves if curves_of is None else curves_of:
            for curve, other in zip(mine.curves[method], theirs.curves[method], strict=True):
                np.testing.assert_allclose(curve.scores, other.scores, rtol=1e-5, err_msg=method)


def test_explaining_calls_the_methods():
    found = explained(OPTIONS, label=2)
    assert list(found.maps) == ["Grad-CAM", "RISE", "SIDU", "random"]
    assert found.target == int(np.argmax(CLASSIFIER(CLIP)))
    np.testing.assert_allclose(found.maps["Grad-CAM"], gradcam(CLASSIFIER, CLIP), rtol=1e-6)
    np.testing.assert_allclose(found.ledger.map("all"), rise(KEY, CLASSIFIER, CLIP, "all", **MASKS), rtol=1e-5)
    curve = deletion(CLASSIFIER, CLIP, found.maps["RISE"], num_steps=9)
    np.testing.assert_allclose(found.curves["RISE"][0].scores, curve.scores, rtol=1e-6)
    np.testing.assert_array_equal(found.curves["RISE"][0].fractions, curve.fractions)
    rows = {row.method: row for row in found.results()}
    assert rows["RISE"].deletion == pytest.approx(float(curve.auc))
    assert rows["RISE"].floor == pytest.approx(float(curve.scores[-1]))
    assert (rows["random"].label, rows["random"].spectrum) == (2, "IR")


def test_precision_reaches_the_classifier_and_the_ledger(no_shape_checks):
    found = explained(dataclasses.replace(RISE_ALONE, precision="bfloat16"))
    assert found.ledger.precision == "bfloat16"
    expected = rise(KEY, CLASSIFIER.with_precision("bfloat16"), CLIP, **MASKS)
    np.testing.assert_array_equal(found.maps["RISE"], expected)
    with pytest.raises(ValueError, match=r"`precision` must be one of .*got 'float8'"):
        ExplainOptions(precision="float8")


def test_fewer_and_better_placed_passes_are_options():
    refined = dict(num_steps=33, approximation="refine", tolerance=0.3)
    found = explained(dataclasses.replace(OPTIONS, sampling="sobol", **refined))
    assert found.ledger.options.sampling == "sobol"
    np.testing.assert_allclose(found.maps["RISE"], rise(KEY, CLASSIFIER, CLIP, sampling="sobol", **MASKS), rtol=1e-6)
    curve = found.curves["RISE"][0]
    expected = deletion(CLASSIFIER, CLIP, found.maps["RISE"], **refined)
    assert curve.num_scored == expected.num_scored < 33
    np.testing.assert_allclose(curve.scores, expected.scores, rtol=1e-6)


def test_a_class_may_be_asked_for():
    found = explained(dataclasses.replace(OPTIONS, method=("gradcam",)), target=1)
    assert found.target == 1
    np.testing.assert_allclose(found.maps["Grad-CAM"], gradcam(CLASSIFIER, CLIP, 1), rtol=1e-6)


def test_the_recipe_reaches_every_method():
    found = explained(dataclasses.replace(OPTIONS, recipe="icpr2022", num_steps=None))
    expected = {
        "Grad-CAM": gradcam(CLASSIFIER, CLIP, recipe="icpr2022"),
        "RISE": rise(KEY, CLASSIFIER, CLIP, recipe="icpr2022", **MASKS),
        "SIDU": sidu(CLASSIFIER, CLIP, recipe="icpr2022"),
    }
    for method, saliency in expected.items():
        np.testing.assert_allclose(found.maps[method], saliency, rtol=1e-5, atol=1e-6)
        for number, measure in enumerate((deletion, insertion)):
            curve = measure(CLASSIFIER, CLIP, found.maps[method], recipe="icpr2022")
            np.testing.assert_allclose(found.curves[method][number].scores, curve.scores, rtol=1e-5)


def test_methods_controls_and_baselines_may_be_chosen():
    options = dataclasses.replace(OPTIONS, method=("gradcam",), controls=("random", "constant"))
    found = explained(dataclasses.replace(options, deletion_baseline="blur", insertion_baseline="zero"))
    assert list(found.maps) == ["Grad-CAM", "random", "constant"]
    assert np.ptp(found.maps["constant"]) == 0
    for number, (measure, baseline) in enumerate([(deletion, "blur"), (insertion, "zero")]):
        expected = measure(CLASSIFIER, CLIP, found.maps["random"], num_steps=9, baseline=baseline)
        np.testing.assert_allclose(found.curves["random"][number].scores, expected.scores, rtol=1e-5)
    assert found.ledger is None
    assert not found.baselines["insertion"].any()
    blurred = degrade(jax.numpy.asarray(CLIP), 4, time=True)
    np.testing.assert_allclose(found.baselines["deletion"], blurred, atol=1e-6)
    assert (found.maps["random"] != explained(options, name="b").maps["random"]).all()
    assert list(explained(dataclasses.replace(options, controls=())).maps) == ["Grad-CAM"]


def test_more_masks_are_added_to_those_that_a_folder_holds(tmp_path, passes):
    found = {}
    for num_masks in (20, 30, 8, 20):
        options = dataclasses.replace(RISE_ALONE, num_masks=num_masks)
        passes.clear()
        (explanation,) = explain_all(CLASSIFIER, cases(1), options, tmp_path)
        expected = rise(KEY, CLASSIFIER, CLIP, **(MASKS | dict(num_masks=num_masks)))
        np.testing.assert_allclose(explanation.maps["RISE"], expected, rtol=1e-4, atol=1e-6)
        found[num_masks] = (*found.get(num_masks, ()), sum(passes))
    assert found == {20: (20 + 3, 0), 30: (10,), 8: (0,)}  # the clip, and where deletion ends and insertion begins


def test_results_of_a_folder_are_read_again(tmp_path):
    ((found,), (place,)) = explain_cases(CLASSIFIER, cases(1), OPTIONS, tmp_path)
    again = read_explanation(Store(str(tmp_path)), place, OPTIONS)
    assert again.results() == found.results()
    assert_alike([again], [found])
    np.testing.assert_array_equal(again.clip, found.clip)
    assert len(again.ledger.extend(CLASSIFIER, again.clip, 25).ids) == 25
    for measure, baseline in found.baselines.items():
        np.testing.assert_array_equal(again.baselines[measure], baseline)
    (part,) = (tmp_path / "parts").iterdir()
    whole = part.read_bytes()
    for damaged in (whole[:-100], whole[:300], b""):
        part.write_bytes(damaged)
        with pytest.raises(ValueError, match="lacks a whole .* of clip 0: run the command that made it again"):
            read_explanation(Store(str(tmp_path)), place, OPTIONS)
        (made_again,) = explain_all(CLASSIFIER, cases(1), OPTIONS, tmp_path)
        assert_alike([made_again], [found])
        for other in (tmp_path / "parts").iterdir():
            other.unlink()
    part.write_bytes(whole)
    with pytest.raises(ValueError, match="lacks a whole clip of clip 0"):
        read_explanation(Store(str(tmp_path)), place._replace(digest="of another clip"), OPTIONS)


def test_a_clip_is_loaded_once_and_a_whole_store_is_not_read(tmp_path, monkeypatch):
    loads = []

    def counted(case):
        return case._replace(load=lambda: loads.append(case.name) or case.load())

    monkeypatch.setattr(Store, "verify", pytest.fail)
    chosen = [counted(case) for case in cases(2)]
    for count in (1, 2):  # the second time to see that the store's clips are these
        explain_all(CLASSIFIER, chosen, OPTIONS, tmp_path)
        assert sorted(loads) == sorted([case.name for case in chosen] * count)


@pytest.mark.parametrize("clips_per_batch", [1, 2])
def test_a_killed_evaluation_goes_on(tmp_path, monkeypatch, clips_per_batch):
    options = dataclasses.replace(OPTIONS, clips_per_batch=clips_per_batch)
    whole = explain_all(CLASSIFIER, cases(), options)
    done, do = [], runner.do_batch

    def killed(opened, run):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.extend(one.task.case.name for one in opened)
        do(opened, run)

    monkeypatch.setattr(runner, "do_batch", killed)
    with pytest.raises(KeyboardInterrupt):
        explain_all(CLASSIFIER, cases(), options, tmp_path)
    done.clear()
    found = explain_all(CLASSIFIER, cases(), options, tmp_path)
    assert done == ["clip 2"]
    assert_alike(found, whole)


def test_other_weights_options_or_clips_are_explained_again(tmp_path, passes):
    def passes_of(classifier, chosen, **changes):
        passes.clear()
        options = dataclasses.replace(OPTIONS, method=("rise", "gradcam"), controls=(), **changes)
        found = explain_all(classifier, chosen, options, tmp_path)
        return sum(passes), found

    steps = 2 * (9 - 2)
    first, _ = passes_of(CLASSIFIER, cases(2))
    assert first == 2 * (1 + 20 + 2 * steps + 2)
    assert passes_of(CLASSIFIER, cases(2), chunk_size=3, clips_per_batch=1)[0] == 0
    assert passes_of(CLASSIFIER, cases(2), estimator="centered")[0] == 2 * steps
    assert passes_of(CLASSIFIER, cases(2), seed=1)[0] == 2 * (20 + steps)  # of RISE alone
    assert passes_of(jax.tree.map(lambda leaf: 2 * leaf, CLASSIFIER), cases(2))[0] == first
    others = [cases(1)[0]._replace(load=lambda: 1 - CLIP), cases(2)[1]]
    again, found = passes_of(CLASSIFIER, others)
    assert again == first // 2
    np.testing.assert_allclose(found[0].maps["RISE"], rise(KEY, CLASSIFIER, 1 - CLIP, **MASKS), rtol=1e-5)
    assert passes_of(CLASSIFIER, others)[0] == 0
    assert passes_of(CLASSIFIER, cases(2))[0] == first // 2  # of the other clip of this name nothing is left


@pytest.mark.parametrize("recipe", ["default", "icpr2022"])
def test_clips_explained_together_are_explained_as_alone(recipe):
    options = dataclasses.replace(OPTIONS, recipe=recipe, chunk_size=5, threshold=0.5)
    options = dataclasses.replace(options, controls=("random", "constant"))
    together, alone = (
        explain_all(CLASSIFIER, cases(4), dataclasses.replace(options, clips_per_batch=count)) for count in (3, 1)
    )
    assert_alike(together, alone, curves_of=("random", "constant"))
    for method in ("Grad-CAM", "RISE", "SIDU"):
        assert len({mine.maps[method].tobytes() for mine in together}) > 2


def test_only_clips_of_one_shape_go_together(monkeypatch):
    longer = np.concatenate([CLIP, CLIP])
    mixed = [case._replace(load=lambda n=n: longer if n == 2 else CLIP) for n, case in enumerate(cases(5))]
    sizes, do = [], runner.do_batch
    monkeypatch.setattr(runner, "do_batch", lambda opened, run: sizes.append(len(opened)) or do(opened, run))
    found = explain_all(CLASSIFIER, mixed, dataclasses.replace(OPTIONS, method=("gradcam",)))
    assert sizes == [4, 1]
    assert [explanation.name for explanation in found] == [case.name for case in mixed]
    assert [len(explanation.clip) for explanation in found] == [4, 4, 8, 4, 4]


def test_nothing_stays_in_memory_that_nobody_holds(monkeypatch):
    monkeypatch.setattr("jaxsal.evaluation.explain.uuid.uuid4", lambda: uuid.UUID(int=7))
    explained(dataclasses.replace(OPTIONS, method=("gradcam",)))
    assert Store(f"memory://{uuid.UUID(int=7).hex}", create=True).counts() == {}


def test_names_become_files():
    assert file_name("a b/c:3-4:IR.mp4") == "a_b_c_3-4_IR.mp4"
    with pytest.raises(ValueError, match="`cases` must have different names; got 'clip_0' twice"):
        explain_all(CLASSIFIER, [*cases(1), *cases(1)], OPTIONS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(method=("lime",)), r"`method` must be one of .*gradcam.*got 'lime'"),
        (dict(method=("raise",)), r"got 'raise'. Did you mean 'rise'\?"),
        (dict(method=()), "`method` must name at least one of"),
        (dict(controls=("noise",)), r"`controls` must be one of .*'smooth', 'other', .*'all'\); got 'noise'"),
        (dict(chunk_size=0), "`chunk_size` must be at least 1; got 0"),
        (dict(clips_per_batch=0), "`clips_per_batch` must be at least 1; got 0"),
        (dict(seed=-1), "`seed` must be from 0 to 4294967295; got -1"),
        (dict(deletion_baseline="grey"), r"`deletion_baseline` must be one of .*got 'grey'"),
        (dict(recipe="x"), r"`recipe` must be one of .*icpr2022.*got 'x'"),
        (dict(keep_prob=2.0), r"`keep_prob` must be in \(0, 1\]; got 2.0"),
        (dict(num_masks=0), "`num_masks` must be at least 1; got 0"),
        (dict(num_steps=1), "`num_steps` must be at least 2; got 1"),
        (dict(threshold=float("nan")), "`threshold` must be a number; got nan"),
        (dict(sampling="even"), "`sampling` must be one of .*got 'even'"),
        (dict(approximation="skip"), "`approximation` must be one of .*got 'skip'"),
        (dict(tolerance=-0.1), "`tolerance` must be at least 0; got -0.1"),
    ],
)
def test_bad_options_are_named_before_any_clip_is_read(change, message, no_shape_checks):
    with pytest.raises(ValueError, match=message):
        explain_all(CLASSIFIER, [Case("a", "IR", 0, pytest.fail)], dataclasses.replace(OPTIONS, **change))
