import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import RiseLedger, rise_ledger
from jaxsal.engine import batch as batch_module
from jaxsal.engine.scoring import score_chunks
from jaxsal.saliency import readout

CLIP = np.random.default_rng(1).random((4, 6, 6, 3), np.float32)
KEY = jax.random.key(0)
SCORE_FN = toys.one_frame(2)
OPTIONS = dict(grid_shape=(2, 3, 3), keep_prob=0.4)


def make(num_masks=48, **options):
    """Of a multiple of 16 masks, so that all are scored by one program."""
    return rise_ledger(KEY, SCORE_FN, CLIP, num_masks=num_masks, **(OPTIONS | options))


def test_save_and_load(tmp_path, monkeypatch):
    looks, look = [], batch_module.call_each
    monkeypatch.setattr(batch_module, "call_each", lambda *arguments: (looks.append(1), look(*arguments))[1])
    ledger = make()
    assert len(looks) == 1  # at the untouched clip
    np.testing.assert_allclose(ledger.clip_logits, SCORE_FN(jnp.asarray(CLIP)), rtol=1e-6)
    ledger.save(tmp_path / "deep" / "clip.npz")
    loaded = RiseLedger.load(tmp_path / "deep" / "clip.npz")
    np.testing.assert_array_equal(loaded.logits, ledger.logits)
    np.testing.assert_array_equal(loaded.map(), ledger.map(int(ledger.clip_logits.argmax())))
    assert loaded.identity() == ledger.identity()
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["clip.npz"]
    assert (tmp_path / "deep" / "clip.npz").stat().st_size < 10_000


def test_an_array_as_baseline_is_kept(tmp_path):
    ledger = make(baseline=np.full(3, 0.5, np.float32))
    ledger.save(tmp_path / "clip.npz")
    loaded = RiseLedger.load(tmp_path / "clip.npz")
    assert loaded.identity() == ledger.identity() != make().identity()
    grown = loaded.extend(SCORE_FN, CLIP, 64)
    expected = make(64, baseline=np.full(3, 0.5, np.float32))
    np.testing.assert_allclose(grown.logits, expected.logits, rtol=1e-6)


def test_extending_equals_running_at_once():
    grown = make(16).extend(SCORE_FN, CLIP, 48)
    assert grown.options.num_masks == 48
    np.testing.assert_array_equal(grown.ids, np.arange(48))
    np.testing.assert_allclose(grown.logits, make().logits, rtol=1e-6)
    np.testing.assert_allclose(grown.map(0), make().map(0), rtol=1e-5)


def test_fewer_masks_are_a_read_out():
    np.testing.assert_allclose(make().map(0, num_masks=16), make(16).map(0), rtol=1e-5)
    np.testing.assert_allclose(make().stderr(0, num_masks=16), make(16).stderr(0), rtol=1e-4)


def test_a_run_is_taken_up_where_it_was_killed(tmp_path):
    calls = []

    def stop_after_two(done, total):
        calls.append((done, total))
        if len(calls) == 2:
            raise KeyboardInterrupt

    path = tmp_path / "clip.npz"
    options = dict(path=path, chunk_size=1)
    with pytest.raises(KeyboardInterrupt):
        make(150, progress=stop_after_two, **options)
    assert len(RiseLedger.load(path).ids) == 8
    make(64, **options)
    assert len(RiseLedger.load(path).ids) == 64
    seen = []
    ledger = make(150, progress=lambda *done: seen.append(done), **options)
    assert seen[0] == (72, 150)
    assert seen[-1] == (150, 150)
    np.testing.assert_allclose(ledger.logits, make(150).logits, rtol=1e-6)


def test_masks_that_are_missing_amid_others_are_put_in_their_places(tmp_path):
    """The file of a killed run holds what is scored, in the order of the masks, and another run fills the rest."""
    whole, path = make(64), tmp_path / "clip.npz"
    kept = np.r_[4:20, 30:40]
    dataclasses.replace(whole, ids=whole.ids[kept], logits=whole.logits[kept]).save(path)

    def stop(done, total):
        if done > len(kept) + 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(64, path=path, chunk_size=1, progress=stop)
    found = RiseLedger.load(path)
    np.testing.assert_array_equal(found.ids, [*range(24), *range(30, 40)])
    np.testing.assert_allclose(found.logits, whole.logits[found.ids], rtol=1e-6)
    np.testing.assert_allclose(make(64, path=path).logits, whole.logits, rtol=1e-6)


def test_no_rest_is_scored_by_a_program_of_its_own(tmp_path):
    make(33, path=tmp_path / "a.npz", chunk_size=1)
    before = score_chunks._cache_size()
    make(34, path=tmp_path / "b.npz", chunk_size=1)
    make(57, path=tmp_path / "c.npz", chunk_size=1)
    assert score_chunks._cache_size() == before


def test_a_ledger_of_more_masks_stays_whole_in_its_file(tmp_path):
    whole = make(path=tmp_path / "a.npz")
    first = make(16, path=tmp_path / "a.npz")
    assert len(RiseLedger.load(tmp_path / "a.npz").ids) == 48
    assert first.options.num_masks == 16
    np.testing.assert_array_equal(first.ids, np.arange(16))
    np.testing.assert_array_equal(first.logits, whole.first(16).logits)
    np.testing.assert_allclose(first.map(0), make(16).map(0), rtol=1e-5)
    with pytest.raises(ValueError, match="`num_masks` must be from 1 to the 48 scored; got 49"):
        whole.first(49)


def test_neighbouring_weights_and_precisions_are_told_apart(tmp_path):
    def scored_by(classifier, **options):
        return rise_ledger(KEY, classifier, CLIP, num_masks=16, **(OPTIONS | options))

    head = np.eye(3, 4, dtype=np.float32)
    classifier = toys.pooling_classifier(cells=(2, 2, 2), head=head)
    other = toys.pooling_classifier(cells=(2, 2, 2), head=np.nextafter(head, 2, dtype=np.float32))
    ledger = scored_by(classifier, path=tmp_path / "a.npz")
    assert RiseLedger.load(tmp_path / "a.npz").weights == ledger.weights != scored_by(other).weights
    with pytest.raises(ValueError, match="`other` must be of the same classifier; got weights"):
        ledger.merge(scored_by(other))
    with pytest.raises(ValueError, match="`other` must be of the same classifier; got weights"):
        ledger.extend(other, CLIP, 32)
    with pytest.raises(ValueError, match="got precision bfloat16 instead of float32"):
        ledger.merge(dataclasses.replace(ledger, precision="bfloat16"))


def test_files_of_before_weights_were_kept_are_taken_up(tmp_path):
    classifier = toys.pooling_classifier(cells=(2, 2, 2))
    ledger = rise_ledger(KEY, classifier, CLIP, num_masks=16, **OPTIONS)
    header = dict(
        shape=ledger.shape, options=dataclasses.asdict(ledger.options), clip_fingerprint=ledger.clip_fingerprint
    )
    del header["options"]["sampling"]
    arrays = {name: getattr(ledger, name) for name in ("key_data", "clip_logits", "ids", "logits")}
    np.savez(tmp_path / "old.npz", header=np.array(json.dumps(header)), **arrays)
    old = RiseLedger.load(tmp_path / "old.npz")
    assert old.weights is None
    assert old.merge(ledger).weights == ledger.weights
    assert len(old.extend(classifier, CLIP, 32).ids) == 32


def test_maps_of_any_number_of_masks_are_read_by_one_program():
    ledger = make(64)
    ledger.map(0, num_masks=10)
    before = readout._read._cache_size()
    for num_masks in (11, 40, 64):
        ledger.map(1, num_masks=num_masks)
    assert readout._read._cache_size() == before


def test_only_parts_of_one_run_merge(tmp_path):
    whole = make(path=tmp_path / "a.npz")
    parts = [dataclasses.replace(whole, ids=whole.ids[i::3], logits=whole.logits[i::3]) for i in range(3)]
    merged = parts[1].merge(parts[2]).merge(parts[0])
    np.testing.assert_array_equal(merged.ids, whole.ids)
    np.testing.assert_array_equal(merged.logits, whole.logits)
    for options in (dict(keep_prob=0.5), dict(grid_shape=(1, 3, 3)), dict(baseline="zero")):
        with pytest.raises(ValueError, match="`other` must have the same options"):
            whole.merge(dataclasses.replace(whole, options=dataclasses.replace(whole.options, **options)))
    for key, score_fn, clip, message in (
        (KEY, SCORE_FN, 1 - CLIP, "`other` must have the same clip"),
        (jax.random.key(1), SCORE_FN, CLIP, "`other` must have the same key"),
        (KEY, toys.one_frame(2, gain=3.0), CLIP, "`other` must be of the same classifier"),
    ):
        with pytest.raises(ValueError, match=message):
            rise_ledger(key, score_fn, clip, num_masks=64, path=tmp_path / "a.npz", **OPTIONS)
    with pytest.raises(ValueError, match="This ledger was computed for a different `clip`"):
        whole.extend(SCORE_FN, 1 - CLIP, 64)
    for other in (toys.one_frame(2, gain=3.0), toys.constant(3)):
        with pytest.raises(ValueError, match="`other` must be of the same classifier"):
            whole.extend(other, CLIP, 64)


def test_read_outs_that_are_not_there(no_shape_checks):
    ledger = make()
    with pytest.raises(ValueError, match="`num_masks` must be from 1 to the 48 scored; got 49"):
        ledger.map(0, num_masks=49)
    with pytest.raises(ValueError, match=r"`estimator` must be one of .*got 'mode'"):
        ledger.map(0, estimator="mode")
    with pytest.raises(ValueError, match="`target` must be a class from 0 to 1; got 2"):
        ledger.map(2)


@pytest.mark.parametrize("keep", [0, 50, 900])
def test_damaged_files(tmp_path, keep):
    path = tmp_path / "clip.npz"
    make().save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="`path` must be a whole ledger; got .*clip.npz"):
        RiseLedger.load(path)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "clip.npz"
    make().save(path)
    before = path.read_bytes()

    def full_disk(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left"):
        make(64).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["clip.npz"]
