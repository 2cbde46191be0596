import dataclasses

import jax
import numpy as np
import pytest

import toys
from jaxsal import deletion, gradcam, insertion, rise, sidu
from jaxsal.core.fingerprints import fingerprint
from jaxsal.engine.resample import degrade
from jaxsal.evaluation import evaluate as evaluation
from jaxsal.evaluation.evaluate import Case, explain_all, file_name
from jaxsal.evaluation.explain import Subject, explain
from jaxsal.evaluation.explanation import load_explanation, save_explanation
from jaxsal.options import ExplainOptions
from jaxsal.saliency import missing as rise_scores

CLIP = np.asarray(jax.random.uniform(jax.random.key(1), (4, 6, 9, 3)))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
OPTIONS = ExplainOptions(num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.5, num_steps=9)


def cases(count=3):
    return [
        Case(f"clip {n}", "TV" if n % 2 else "IR", n % 4, lambda n=n: np.roll(CLIP, n, axis=1)) for n in range(count)
    ]


def explained(classifier, clip, options, **known):
    (found,) = explain(classifier, options, [Subject(clip=clip, **known)])
    return found


def test_explaining_calls_the_methods():
    found = explained(CLASSIFIER, CLIP, OPTIONS, name="a", spectrum="IR", label=2)
    assert list(found.maps) == ["Grad-CAM", "RISE", "SIDU", "random"]
    assert found.target == int(np.argmax(CLASSIFIER(CLIP)))
    np.testing.assert_allclose(found.maps["Grad-CAM"], gradcam(CLASSIFIER, CLIP), rtol=1e-6)
    curve = deletion(CLASSIFIER, CLIP, found.maps["RISE"], num_steps=9)
    np.testing.assert_allclose(found.curves["RISE"][0].scores, curve.scores, rtol=1e-6)
    rows = {row.method: row for row in found.results()}
    assert rows["RISE"].deletion == pytest.approx(float(curve.auc))
    assert rows["RISE"].floor == pytest.approx(float(curve.scores[-1]))
    assert (rows["random"].label, rows["random"].spectrum) == (2, "IR")


def test_precision_reaches_the_classifier_and_the_ledger_and_its_file():
    options = dataclasses.replace(OPTIONS, precision="bfloat16", method=("rise",), references=())
    found = explained(CLASSIFIER, CLIP, options, name="a", spectrum="IR")
    assert found.ledger.precision == "bfloat16"
    expected = rise(
        jax.random.key(0),
        CLASSIFIER.with_precision("bfloat16"),
        CLIP,
        **options.overrides("num_masks", "grid_shape", "keep_prob"),
    )
    np.testing.assert_array_equal(found.maps["RISE"], expected)
    assert evaluation.ledger_name("a", options, "w") != evaluation.ledger_name("a", OPTIONS, "w")
    with pytest.raises(ValueError, match=r"`precision` must be one of .*got 'float8'"):
        ExplainOptions(precision="float8")


def test_fewer_and_better_placed_passes_are_options():
    """Each reaches its method; sampled otherwise, RISE's scores have a file of their own."""
    options = dataclasses.replace(OPTIONS, sampling="sobol", approximation="refine", tolerance=0.3, num_steps=33)
    found = explained(CLASSIFIER, CLIP, options, name="a", spectrum="IR")
    assert found.ledger.options.sampling == "sobol"
    masks = options.overrides("num_masks", "grid_shape", "keep_prob", "sampling")
    np.testing.assert_array_equal(found.maps["RISE"], rise(jax.random.key(0), CLASSIFIER, CLIP, **masks))
    curve = found.curves["RISE"][0]
    refined = dict(num_steps=33, approximation="refine", tolerance=0.3)
    expected = deletion(CLASSIFIER, CLIP, found.maps["RISE"], **refined)
    assert curve.num_scored == expected.num_scored < 33
    np.testing.assert_allclose(curve.scores, expected.scores, rtol=1e-6)
    assert evaluation.ledger_name("a", options, "w") != evaluation.ledger_name("a", OPTIONS, "w")


@pytest.mark.parametrize(("name", "value"), [("sampling", "even"), ("approximation", "skip"), ("tolerance", -0.1)])
def test_an_option_that_is_not_allowed_is_named_before_any_clip_is_read(name, value, tmp_path, no_shape_checks):
    options = dataclasses.replace(OPTIONS, **{name: value})
    with pytest.raises(ValueError, match=f"`{name}` must be .*; got {value!r}"):
        explain_all(CLASSIFIER, cases(1), options, tmp_path)


def test_a_class_may_be_asked_for():
    found = explained(CLASSIFIER, CLIP, OPTIONS, name="a", spectrum="IR", target=1)
    assert found.target == 1
    np.testing.assert_allclose(found.maps["Grad-CAM"], gradcam(CLASSIFIER, CLIP, 1), rtol=1e-6)


def test_the_recipe_reaches_every_method():
    options = dataclasses.replace(OPTIONS, recipe="icpr2022", num_steps=None)
    found = explained(CLASSIFIER, CLIP, options, name="a", spectrum="IR")
    key, masks = jax.random.key(0), dict(num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.5)
    expected = {
        "Grad-CAM": gradcam(CLASSIFIER, CLIP, recipe="icpr2022"),
        "RISE": rise(key, CLASSIFIER, CLIP, recipe="icpr2022", **masks),
        "SIDU": sidu(CLASSIFIER, CLIP, recipe="icpr2022"),
    }
    for method, saliency in expected.items():
        np.testing.assert_allclose(found.maps[method], saliency, rtol=1e-5, atol=1e-6)
        for number, measure in enumerate((deletion, insertion)):
            curve = measure(CLASSIFIER, CLIP, found.maps[method], recipe="icpr2022")
            np.testing.assert_allclose(found.curves[method][number].scores, curve.scores, rtol=1e-5)


def test_methods_and_baselines_may_be_chosen():
    options = dataclasses.replace(OPTIONS, method=("gradcam",), deletion_baseline="blur", insertion_baseline="zero")
    found = explained(CLASSIFIER, CLIP, options, name="a", spectrum="IR")
    assert list(found.maps) == ["Grad-CAM", "random"]
    removed, shown = found.curves["random"]
    expected = deletion(CLASSIFIER, CLIP, found.maps["random"], num_steps=9, baseline="blur")
    np.testing.assert_allclose(removed.scores, expected.scores, rtol=1e-5)
    expected = insertion(CLASSIFIER, CLIP, found.maps["random"], num_steps=9, baseline="zero")
    np.testing.assert_allclose(shown.scores, expected.scores, rtol=1e-5)
    assert found.ledger is None
    assert not found.baselines["insertion"].any()
    blurred = degrade(jax.numpy.asarray(CLIP), 4, time=True)
    np.testing.assert_allclose(found.baselines["deletion"], blurred, atol=1e-6)


def test_rise_is_kept_for_every_class():
    found = explained(CLASSIFIER, CLIP, OPTIONS, name="a", spectrum="IR")
    key, masks = jax.random.key(0), dict(num_masks=20, grid_shape=(2, 3, 3), keep_prob=0.5)
    np.testing.assert_allclose(found.ledger.map("all"), rise(key, CLASSIFIER, CLIP, "all", **masks), rtol=1e-5)


def test_references_may_be_chosen_and_know_nothing():
    options = dataclasses.replace(OPTIONS, method=("gradcam",), references=("random", "constant"))
    found = explained(CLASSIFIER, CLIP, options, name="a", spectrum="IR")
    assert list(found.maps) == ["Grad-CAM", "random", "constant"]
    assert np.ptp(found.maps["constant"]) == 0
    assert (found.maps["random"] != explained(CLASSIFIER, CLIP, options, name="b", spectrum="IR").maps["random"]).all()
    assert list(
        explained(CLASSIFIER, CLIP, dataclasses.replace(options, references=()), name="a", spectrum="IR").maps
    ) == ["Grad-CAM"]


def test_runs_with_more_masks_take_up_the_ledger_of_fewer(tmp_path, monkeypatch):
    scored = []
    counted = rise_scores.score_masks
    monkeypatch.setattr(rise_scores, "score_masks", lambda *a, **k: scored.append(len(k["ids"])) or counted(*a, **k))
    options = dataclasses.replace(OPTIONS, method=("rise",), references=())
    expected = {
        n: rise(jax.random.key(0), CLASSIFIER, CLIP, num_masks=n, grid_shape=(2, 3, 3), keep_prob=0.5)
        for n in (8, 20, 30)
    }
    scored.clear()
    for num_masks in (20, 30, 8):
        numbered = dataclasses.replace(options, num_masks=num_masks)
        (found,) = explain_all(CLASSIFIER, cases(1), numbered, tmp_path / str(num_masks), ledgers=tmp_path / "ledgers")
        np.testing.assert_allclose(found.maps["RISE"], expected[num_masks], rtol=1e-4, atol=1e-6)
    assert scored == [20, 10]
    assert [path.name for path in (tmp_path / "ledgers").iterdir()] == [
        f"clip_0-{fingerprint(CLASSIFIER)[:8]}-standardize-default-2x3x3-p0.5-seed0.npz"
    ]


def test_save_and_load(tmp_path):
    found = explained(CLASSIFIER, CLIP, OPTIONS, name="a", spectrum="IR", label=2)
    save_explanation(tmp_path / "a.npz", found, {"weights": "w"})
    again = load_explanation(tmp_path / "a.npz", {"weights": "w"})
    assert again.results() == found.results()
    for method in found.maps:
        np.testing.assert_array_equal(again.maps[method], found.maps[method])
    np.testing.assert_array_equal(again.clip, found.clip)
    assert len(again.ledger.extend(CLASSIFIER, again.clip, 25).ids) == 25
    np.testing.assert_array_equal(again.ledger.map("all"), found.ledger.map("all"))
    assert again.options == OPTIONS
    for measure, baseline in found.baselines.items():
        np.testing.assert_array_equal(again.baselines[measure], baseline)
    assert load_explanation(tmp_path / "a.npz", {"weights": "other"}) is None
    assert load_explanation(tmp_path / "a.npz").results() == found.results()
    assert load_explanation(tmp_path / "none.npz", {}) is None
    np.savez(tmp_path / "foreign.npz", a=np.zeros(3))
    assert load_explanation(tmp_path / "foreign.npz", {}) is None
    ledger = tmp_path / "ledgers/a.npz"
    for damaged in (ledger, tmp_path / "a.npz"):
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[:500])
        assert load_explanation(tmp_path / "a.npz", {"weights": "w"}) is None
        damaged.write_bytes(whole)
    ledger.unlink()
    assert load_explanation(tmp_path / "a.npz") is None


@pytest.mark.parametrize("clips_per_batch", [1, 2])
def test_a_killed_evaluation_goes_on(tmp_path, monkeypatch, clips_per_batch):
    options = dataclasses.replace(OPTIONS, clips_per_batch=clips_per_batch)
    done = []
    original = evaluation.explain

    def killed(classifier, options, subjects, **rest):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.extend(subject.name for subject in subjects)
        return original(classifier, options, subjects, **rest)

    monkeypatch.setattr(evaluation, "explain", killed)
    with pytest.raises(KeyboardInterrupt):
        explain_all(CLASSIFIER, cases(), options, tmp_path)
    assert sorted(file.name for file in tmp_path.glob("*.npz")) == ["clip_0.npz", "clip_1.npz"]
    done.clear()
    found = explain_all(CLASSIFIER, cases(), options, tmp_path)
    assert done == ["clip 2"]
    monkeypatch.undo()
    whole = explain_all(CLASSIFIER, cases(), options, tmp_path / "whole")  # in batches of the same clips
    for mine, theirs in zip(found, whole, strict=True):
        for a, b in zip(mine.results(), theirs.results(), strict=True):
            assert a._replace(seconds=0) == b._replace(seconds=0)


def test_other_weights_or_options_are_explained_again(tmp_path, monkeypatch):
    explain_all(CLASSIFIER, cases(1), OPTIONS, tmp_path)
    calls = []
    original = evaluation.explain
    monkeypatch.setattr(evaluation, "explain", lambda *a, **k: calls.append(1) or original(*a, **k))
    explain_all(CLASSIFIER, cases(1), OPTIONS, tmp_path)
    explain_all(CLASSIFIER, cases(1), dataclasses.replace(OPTIONS, chunk_size=3, clips_per_batch=1), tmp_path)
    assert not calls
    explain_all(CLASSIFIER, cases(1), dataclasses.replace(OPTIONS, seed=1), tmp_path)
    other = toys.pooling_classifier(cells=(2, 2, 3), head=np.eye(3, 4, dtype=np.float32))
    explain_all(other, cases(1), OPTIONS, tmp_path)
    assert len(calls) == 2


@pytest.mark.parametrize("chunk_size", [5, 16])
@pytest.mark.parametrize("recipe", ["default", "icpr2022", "canonical"])
def test_clips_explained_together_are_explained_as_alone(tmp_path, recipe, chunk_size):
    known = dict(recipe=recipe, chunk_size=chunk_size, threshold=0.5, references=("random", "constant"))
    options = dataclasses.replace(OPTIONS, **known)
    together = explain_all(CLASSIFIER, cases(5), dataclasses.replace(options, clips_per_batch=3), tmp_path / "3")
    alone = explain_all(CLASSIFIER, cases(5), dataclasses.replace(options, clips_per_batch=1), tmp_path / "1")
    for mine, theirs in zip(together, alone, strict=True):
        assert (mine.name, mine.target, list(mine.maps)) == (theirs.name, theirs.target, list(theirs.maps))
        for method, saliency in theirs.maps.items():
            np.testing.assert_allclose(mine.maps[method], saliency, rtol=1e-5, atol=1e-6, err_msg=method)
        for reference in ("random", "constant"):  # the order of other maps hangs on their rounding
            for curve, expected in zip(mine.curves[reference], theirs.curves[reference], strict=True):
                np.testing.assert_allclose(curve.scores, expected.scores, rtol=1e-5, err_msg=reference)
    for method in ("Grad-CAM", "RISE", "SIDU"):
        assert len({mine.maps[method].tobytes() for mine in together}) > 3


def test_only_clips_of_one_shape_go_together(tmp_path, monkeypatch):
    longer = np.concatenate([CLIP, CLIP])
    mixed = [case._replace(load=lambda n=n: longer if n == 2 else CLIP) for n, case in enumerate(cases(5))]
    sizes = []
    original = evaluation.explain
    monkeypatch.setattr(evaluation, "explain", lambda *a, **k: sizes.append(len(a[2])) or original(*a, **k))
    found = explain_all(CLASSIFIER, mixed, dataclasses.replace(OPTIONS, method=("gradcam",)), tmp_path)
    assert sizes == [2, 1, 2]
    assert [explanation.name for explanation in found] == [case.name for case in mixed]
    with pytest.raises(
        ValueError, match=r"`subjects` must have clips of one shape; got \[\(4, 6, 9, 3\), \(8, 6, 9, 3\)"
    ):
        explain(CLASSIFIER, OPTIONS, [Subject("a", "IR", CLIP), Subject("b", "IR", longer)])


def test_names_become_files():
    assert file_name("a b/c:3-4:IR.mp4") == "a_b_c_3-4_IR.mp4"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(method=("lime",)), r"`method` must be one of .*gradcam.*got 'lime'"),
        (dict(method=()), "`method` must name at least one of"),
        (dict(references=("noise",)), r"`references` must be one of \('random', 'constant'\); got 'noise'"),
        (dict(chunk_size=0), "`chunk_size` must be at least 1; got 0"),
        (dict(clips_per_batch=0), "`clips_per_batch` must be at least 1; got 0"),
        (dict(seed=-1), "`seed` must be at least 0; got -1"),
        (dict(deletion_baseline="grey"), r"`baseline` must be one of .*got 'grey'"),
        (dict(recipe="x"), r"`recipe` must be one of .*icpr2022.*got 'x'"),
        (dict(keep_prob=2.0), r"`keep_prob` must be in \(0, 1\]; got 2.0"),
        (dict(num_masks=0), "`num_masks` must be at least 1; got 0"),
        (dict(num_steps=1), "`num_steps` must be at least 2; got 1"),
        (dict(threshold=float("nan")), "`threshold` must be a number; got nan"),
    ],
)
def test_bad_options(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        explain_all(CLASSIFIER, cases(1), dataclasses.replace(OPTIONS, **change), tmp_path)


def test_names_must_differ(tmp_path):
    with pytest.raises(ValueError, match="`cases` must have different names; got 'clip_0' twice"):
        explain_all(CLASSIFIER, [*cases(1), *cases(1)], OPTIONS, tmp_path)


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: b""])
def test_a_damaged_ledger_is_made_again(tmp_path, damage):
    options = dataclasses.replace(OPTIONS, method=("rise",), references=())
    (first,) = explain_all(CLASSIFIER, cases(1), options, tmp_path / "a", ledgers=tmp_path / "ledgers")
    (path,) = (tmp_path / "ledgers").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    (again,) = explain_all(CLASSIFIER, cases(1), options, tmp_path / "b", ledgers=tmp_path / "ledgers")
    np.testing.assert_array_equal(again.maps["RISE"], first.maps["RISE"])


def test_ledgers_of_another_clip_or_other_weights_do_not_stop_a_run(tmp_path):
    options = dataclasses.replace(OPTIONS, method=("rise",), references=())
    other = cases(1)[0]._replace(load=lambda: 1 - CLIP)
    weights = jax.tree.map(lambda leaf: 2 * leaf, CLASSIFIER)
    for number, (classifier, case) in enumerate([(CLASSIFIER, cases(1)[0]), (CLASSIFIER, other), (weights, other)]):
        (found,) = explain_all(classifier, [case], options, tmp_path / str(number), ledgers=tmp_path / "ledgers")
        expected = explained(classifier, case.load(), options, name=case.name, spectrum="IR")
        np.testing.assert_allclose(found.maps["RISE"], expected.maps["RISE"], rtol=1e-5)
    assert len(list((tmp_path / "ledgers").iterdir())) == 2
