"""What is committed is there, what is damaged is named, and writers need not know of each other."""

import json
import os
import resource
import threading
import time

import jax.numpy as jnp
import numpy as np
import pytest

import buckets
from jaxsal.core.files import DamagedError
from jaxsal.evaluation import store as store_module
from jaxsal.evaluation.objects import Objects
from jaxsal.evaluation.parts import Record, encode
from jaxsal.evaluation.store import Store

pytestmark = pytest.mark.usefixtures("no_shape_checks")
SCORES, RESULT = "a" * 16, "b" * 16


def logits_of(clip, start, stop, classes=3):
    """Numbers that say which they are."""
    number = int(clip.split("_")[1])
    return (1000 * number + np.arange(start, stop)[:, None] + np.arange(classes) / 10).astype(np.float32)


def described(store):
    store.describe(SCORES, dict(identity=dict(seed=0)))
    store.describe(RESULT, dict(identity=dict(method="rise"), scores=SCORES))
    return store


def put_scores(store, clip, start, stop):
    arrays = dict(logits=logits_of(clip, start, stop), clip_logits=np.arange(3.0))
    store.put("scores", SCORES, clip, arrays, note=dict(digest=clip), span=(start, stop))


def put_result(store, clip):
    number = int(clip.split("_")[1])
    store.put("result", RESULT, clip, dict(saliency=np.full((2, 4, 4), number, np.float32)), note=dict(target=number))


def fill(store, clips=3, masks=12, per_commit=4):
    described(store).write_about(dict(config=dict(seed=0), version="0.1.0"))
    for clip in [f"clip_{number}" for number in range(clips)]:
        for start in range(0, masks, per_commit):
            put_scores(store, clip, start, start + per_commit)
        put_result(store, clip)
        store.commit()
    return store


def scores(store, clip):
    """The scores of a clip, after a check that every mask comes once."""
    records = store.read("scores", SCORES, clip)
    ids = [number for record in records for number in range(*record.span)]
    assert ids == sorted(set(ids))
    return dict(zip(ids, np.concatenate([r.arrays["logits"] for r in records]), strict=True)) if records else {}


def assert_whole(store, clips=3, masks=12):
    for clip in [f"clip_{number}" for number in range(clips)]:
        found = scores(store, clip)
        np.testing.assert_array_equal([found[number] for number in range(masks)], logits_of(clip, 0, masks))
        (result,) = store.read("result", RESULT, clip)
        assert (result.arrays["saliency"] == result.note["target"]).all()
    assert store.damaged == []


def parts_of(path):
    return sorted((path / "parts").iterdir())


def test_what_was_put_is_there_for_all(tmp_path):
    store = fill(Store(str(tmp_path), create=True))
    for reader in (store, Store(str(tmp_path))):
        assert_whole(reader)
        assert reader.about() == dict(config=dict(seed=0), version="0.1.0")
        assert reader.held("scores", SCORES) == {f"clip_{n}": [(0, 12)] for n in range(3)}
        assert reader.clips("result", RESULT) == ["clip_0", "clip_1", "clip_2"]
        assert reader.notes("result", RESULT)["clip_2"] == dict(target=2)
        assert reader.descriptions("result") == {RESULT: dict(identity=dict(method="rise"), scores=SCORES)}
        assert reader.counts() == {("result", RESULT): 3, ("scores", SCORES): 36}
        assert reader.verify() == []
    assert len(parts_of(tmp_path)) == 3


def test_a_put_is_seen_at_once_and_committed_after_a_while(tmp_path, monkeypatch):
    store = described(Store(str(tmp_path), create=True))
    put_scores(store, "clip_1", 0, 4)
    assert not (tmp_path / "parts").exists()
    assert store.held("scores", SCORES) == {"clip_1": [(0, 4)]}  # which commits it
    monkeypatch.setattr(store_module, "_SECONDS", 0.0)
    put_scores(store, "clip_1", 4, 8)
    monkeypatch.setattr(store_module, "_SECONDS", 1e9)
    store.commit()
    assert len(parts_of(tmp_path)) == 2
    monkeypatch.setattr(store_module, "_BYTES", 100)
    put_scores(store, "clip_1", 8, 12)
    store.commit()
    assert len(parts_of(tmp_path)) == 3
    store.read_only = True
    put_scores(store, "clip_1", 12, 16)
    store.write_about({})
    store.delete("scores", SCORES, "clip_1")
    store.compact(idle=0)
    assert Store(str(tmp_path)).held("scores", SCORES) == {"clip_1": [(0, 12)]}


def test_commits_that_are_not_waited_for(tmp_path):
    store = described(Store(str(tmp_path), create=True))
    for start in range(0, 12, 4):
        put_scores(store, "clip_1", start, start + 4)
        store.commit(wait=False)
    assert store.held("scores", SCORES) == {"clip_1": [(0, 12)]}
    (tmp_path / "parts").rename(tmp_path / "away")
    (tmp_path / "parts").touch()
    put_scores(store, "clip_1", 12, 16)
    store.commit(wait=False)
    with pytest.raises(OSError, match="Cannot write .*part: .*What was committed is safe; the same command resumes"):
        store.commit()


def test_arrays_are_those_of_the_put(tmp_path):
    store, array = described(Store(str(tmp_path), create=True)), np.zeros((2, 3))
    store.put("scores", SCORES, "clip_0", dict(logits=array, of_jax=jnp.ones(2)), span=(0, 2))
    array += 1
    (record,) = store.read("scores", SCORES, "clip_0")
    assert not record.arrays["logits"].any()
    assert record.arrays["of_jax"].dtype == np.float32


def test_what_cannot_be_put(tmp_path):
    store = Store(str(tmp_path), create=True)
    with pytest.raises(ValueError, match="`series` must be described before a record is put; got aaaaaaaaaaaaaaaa"):
        put_result(store, "clip_0") if store.describe(RESULT, {}) else put_scores(store, "clip_0", 0, 1)
    described(store)
    with pytest.raises(ValueError, match="`kind` must be one of .*; got 'map'"):
        store.put("map", RESULT, "clip_0", {})
    with pytest.raises(TypeError, match="`arrays` must be of NumPy's own types; got bfloat16 for saliency"):
        store.put("result", RESULT, "clip_0", dict(saliency=jnp.zeros(3, jnp.bfloat16)))
    with pytest.raises(ValueError, match=r"`logits` must have one row per mask of \(0, 3\); got 2"):
        store.put("scores", SCORES, "clip_0", dict(logits=np.zeros((2, 3))), span=(0, 3))


def test_no_store(tmp_path):
    with pytest.raises(FileNotFoundError, match="`store` must hold results; got .*none"):
        Store(str(tmp_path / "none"))
    with pytest.raises(ValueError, match="`store` must be a folder or a URL of TensorStore's; got nowhere://x"):
        Store("nowhere://x")
    assert Store(str(tmp_path / "none"), create=True).counts() == {}


def test_overlapping_scores_give_every_mask_once(tmp_path):
    first, second = (described(Store(str(tmp_path), create=True)) for _ in range(2))
    random = np.random.default_rng(0)
    for number in range(20):
        start = int(random.integers(0, 40))
        put_scores((first, second)[number % 2], "clip_7", start, start + int(random.integers(1, 12)))
    first.commit()
    second.commit()
    reader = Store(str(tmp_path))
    found = scores(reader, "clip_7")
    assert list(found) == [n for span in reader.held("scores", SCORES)["clip_7"] for n in range(*span)]
    for number, values in found.items():
        np.testing.assert_array_equal(values, logits_of("clip_7", number, number + 1)[0])


def test_writers_need_not_know_of_each_other(tmp_path):
    def write(number):
        store = described(Store(str(tmp_path), create=True))
        for start in range(0, 20, 4):
            put_scores(store, f"clip_{number}", start, start + 4)
            store.commit()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Store(str(tmp_path)).held("scores", SCORES) == {f"clip_{n}": [(0, 20)] for n in range(4)}


def test_threads_share_a_store(tmp_path):
    store = described(Store(str(tmp_path), create=True))

    def write(number):
        for start in range(20):
            put_scores(store, f"clip_{number}", start, start + 1)
            scores(store, f"clip_{number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.held("scores", SCORES) == {f"clip_{n}": [(0, 20)] for n in range(4)}


def test_a_flipped_bit_is_named_or_harmless(tmp_path):
    """A reader returns the original or names the damage: no other number, no silent absence, no other error."""
    fill(Store(str(tmp_path), create=True))
    files = [tmp_path / "store.json", *parts_of(tmp_path)]
    random, named = np.random.default_rng(0), 0
    for number in range(150):
        path = files[number % len(files)]
        content = path.read_bytes()
        altered = bytearray(content)
        altered[int(random.integers(len(altered)))] ^= 1 << int(random.integers(8))
        path.write_bytes(altered)
        store = Store(str(tmp_path))
        for clip in ("clip_0", "clip_1", "clip_2"):
            for mask, values in scores(store, clip).items():
                np.testing.assert_array_equal(values, logits_of(clip, mask, mask + 1)[0])
            for result in store.read("result", RESULT, clip):
                assert (result.arrays["saliency"] == result.note["target"]).all()
                assert f"clip_{result.note['target']}" == clip
        whole = store.counts() == {("result", RESULT): 3, ("scores", SCORES): 36} and store.descriptions("result")
        try:
            about = store.about()
        except DamagedError:
            about = whole = None
        assert about in (None, dict(config=dict(seed=0), version="0.1.0"))
        assert whole or about is None or path.name in str(store.damaged)
        named += not whole
        path.write_bytes(content)
    assert named > 135
    assert_whole(Store(str(tmp_path)))


def test_damage_is_made_again_and_goes_with_the_next_compact(tmp_path):
    fill(Store(str(tmp_path), create=True))
    header, data, cut = parts_of(tmp_path)
    for path, place in ((header, 100), (data, -1)):
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        path.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[:20])
    store = described(Store(str(tmp_path)))
    assert len(store.verify()) == 3
    assert [sum(text in m for m in store.damaged) for text in ("header does not", "result of clip_", "cut off")] == [
        1
    ] * 3
    fill(store)
    assert store.held("scores", SCORES) == {f"clip_{n}": [(0, 12)] for n in range(3)}
    store.compact(idle=0)
    assert_whole(Store(str(tmp_path)))
    assert len(parts_of(tmp_path)) == 1
    assert len(list((tmp_path / "damaged").iterdir())) == 2


def test_a_store_of_damage_alone_is_not_an_empty_store(tmp_path):
    fill(Store(str(tmp_path), create=True))
    (tmp_path / "store.json").unlink()
    for path in parts_of(tmp_path):
        path.write_bytes(b"")
    store = Store(str(tmp_path))
    assert store.counts() == {}
    assert len(store.damaged) == 3
    for path in parts_of(tmp_path):
        assert f"{path.name}: it is cut off. The next run makes it again" in str(store.damaged)


def test_a_lost_description_is_named_and_comes_back(tmp_path):
    fill(Store(str(tmp_path), create=True))
    told = next(path for path in parts_of(tmp_path) if b'"identity"' in path.read_bytes())
    told.write_bytes(b"\0" * 100)
    store = Store(str(tmp_path))
    assert store.descriptions("result") == {}
    assert f"no whole part describes series {RESULT}" in str(store.damaged)
    described(store).commit()
    assert set(Store(str(tmp_path)).descriptions("result")) == {RESULT}


def test_killed_while_writing(tmp_path):
    """A file that was not moved into its place is no part, and is removed when it is old."""
    store = fill(Store(str(tmp_path), create=True))
    old, young = (tmp_path / "parts" / f"{'c' * 32}-00000{n}.part_0011.__lock" for n in range(2))
    for path in (old, young):
        path.write_bytes(parts_of(tmp_path)[0].read_bytes()[:200])
    os.utime(old, (0, 0))
    assert_whole(Store(str(tmp_path)))
    store.compact()
    assert not old.exists()
    assert young.exists()


def test_a_full_disk(tmp_path):
    store = fill(Store(str(tmp_path), create=True))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    put_scores(store, "clip_3", 0, 2000)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        with pytest.raises(
            OSError, match="Cannot write .*part: .*What was committed is safe; the same command resumes"
        ):
            store.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert_whole(store)
    assert store.clips("scores", SCORES) == ["clip_0", "clip_1", "clip_2"]
    fill(store, clips=4)
    assert_whole(Store(str(tmp_path)), clips=4)


def test_compact_keeps_every_number(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_LARGE", 2000)
    for _ in range(2):  # the second writes everything again
        fill(Store(str(tmp_path), create=True), clips=6, per_commit=2)
    reader, store = Store(str(tmp_path)), Store(str(tmp_path))
    store.compact(idle=0)
    assert sum(len(part.whole) for part in store._parts.values()) == 6 * 7  # of every record one
    assert len(parts_of(tmp_path)) < 6
    assert_whole(store, clips=6)
    assert_whole(reader, clips=6)  # which knows of the old parts only
    names = parts_of(tmp_path)
    store.compact(idle=0)
    assert len(set(names) - set(parts_of(tmp_path))) <= 2  # of large parts nothing is written again


def test_compact_leaves_the_parts_of_living_writers(tmp_path):
    living = fill(Store(str(tmp_path), create=True))
    Store(str(tmp_path)).compact()
    assert len(parts_of(tmp_path)) == 3
    living.compact()
    assert len(parts_of(tmp_path)) == 1


def test_a_compact_that_was_killed_leaves_duplicates(tmp_path, monkeypatch):
    store = fill(Store(str(tmp_path), create=True))
    writing = Objects.writing

    def killed(self, key, content):
        if content is None:
            raise KeyboardInterrupt
        return writing(self, key, content)

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "writing", killed)
        with pytest.raises(KeyboardInterrupt):
            store.compact()
    assert len(parts_of(tmp_path)) == 4
    assert_whole(Store(str(tmp_path)))
    Store(str(tmp_path)).compact(idle=0)
    assert len(parts_of(tmp_path)) == 1
    assert_whole(Store(str(tmp_path)))


def test_readers_and_writers_while_others_compact(tmp_path):
    stop, failures = threading.Event(), []
    written = fill(Store(str(tmp_path), create=True))

    def guarded(work):
        store = Store(str(tmp_path))
        try:
            while not stop.is_set():
                work(store)
        except Exception as error:
            failures.append(error)

    def compact(store):
        store.compact(idle=0)

    def read(store):
        assert_whole(store)
        assert_whole(Store(str(tmp_path)))

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (compact, compact, read)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 3
    number = 3
    while time.monotonic() < end and not failures:
        put_scores(written, f"clip_{number}", 0, 4)
        written.commit()
        number += 1
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(Store(str(tmp_path)).clips("scores", SCORES)) == {f"clip_{n}" for n in range(number)}


def test_a_listing_may_miss_a_part_and_its_replacement(tmp_path, monkeypatch):
    """As when the part is deleted, and what replaces it is written, while the folder is listed."""
    fill(Store(str(tmp_path), create=True))
    keys, listings = Objects.keys, iter([None, set()])
    monkeypatch.setattr(
        Objects, "keys", lambda *place: keys(*place) if (seen := next(listings, None)) is None else seen
    )
    assert_whole(Store(str(tmp_path)))
    monkeypatch.setattr(Objects, "keys", lambda self, folder: {"parts/a-0.part"})
    with pytest.raises(OSError, match="Cannot read .*: its parts vanish as soon as they are listed"):
        Store(str(tmp_path))


def test_delete(tmp_path):
    store = fill(Store(str(tmp_path), create=True))
    store.put("failure", RESULT, "clip_1", {}, note=dict(reason="too short"))
    store.put("failure", RESULT, "clip_2", {}, note=dict(reason="too long"))
    reader = Store(str(tmp_path))
    store.delete("failure", RESULT, "clip_1")
    store.delete("failure", RESULT, "clip_1")  # is gone
    reader.refresh()
    for one in (store, reader, Store(str(tmp_path))):
        assert one.notes("failure", RESULT) == {"clip_2": dict(reason="too long")}
        assert_whole(one)


def test_merge_takes_what_is_lacking(tmp_path):
    one, other = (described(Store(str(tmp_path / name), create=True)) for name in ("one", "other"))
    put_scores(one, "clip_0", 0, 12)
    put_scores(other, "clip_0", 8, 16)
    put_result(other, "clip_0")
    other.commit()
    put_scores(other, "clip_0", 2, 4)
    other.commit()
    assert one.merge(other) == {("scores", SCORES): 4, ("result", RESULT): 1}
    assert len(scores(one, "clip_0")) == 16
    assert len(parts_of(tmp_path / "one")) == 2  # not the part of masks 2 and 3
    assert one.merge(other) == {("scores", SCORES): 0, ("result", RESULT): 0}
    other.put("result", RESULT, "clip_1", {}, note=dict(digest="one"))
    one.put("result", RESULT, "clip_1", {}, note=dict(digest="another"))
    with pytest.raises(ValueError, match="`merge` must name stores of the same clips; got another clip_1 in .*other"):
        one.merge(other)


def test_a_bucket(monkeypatch):
    with buckets.serve() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(FileNotFoundError, match="`store` must hold results; got gs://bucket/none"):
            Store("gs://bucket/none")
        fill(Store("gs://bucket/whole", create=True))
        store = Store("gs://bucket/whole")
        assert_whole(store)
        store.compact(idle=0)
        assert [name for name in buckets.Bucket.objects if "/parts/" in name] == [
            f"whole/{key}" for key in store._parts
        ]
        (name,) = (f"whole/{key}" for key in store._parts)
        content, change = buckets.Bucket.objects[name]
        buckets.Bucket.objects[name] = content[:-4], change
        assert sum("result of clip_" in message for message in Store("gs://bucket/whole").verify()) == 1


def test_memory():
    fill(Store("memory://whole", create=True))
    assert_whole(Store("memory://whole"))


def test_the_status_of_a_billion_scores(tmp_path):
    (tmp_path / "parts").mkdir()
    for writer in range(4):
        records = [
            Record("scores", f"{clip % 10:016x}", f"clip_{clip}", (start, start + 50_000), {}, {})
            for clip in range(writer * 250, writer * 250 + 250)
            for start in range(0, 1_000_000, 50_000)
        ]
        content = encode(records, {}, writer=str(writer), time=0.0)
        (tmp_path / "parts" / f"{writer}-0.part").write_bytes(content)
    before = time.perf_counter()
    counts = Store(str(tmp_path)).counts()
    print(f"{sum(counts.values()):,} scores counted in {time.perf_counter() - before:.2f} s")
    assert counts == {("scores", f"{series:016x}"): 100_000_000 for series in range(10)}


def test_a_sweep_gives_few_files(tmp_path):
    store = described(Store(str(tmp_path), create=True))
    for clip in range(16):
        for start in range(0, 2560, 512):
            put_scores(store, f"clip_{clip}", start, start + 512)
            store.commit()
        put_result(store, f"clip_{clip}")
    store.commit()
    store.compact()
    sizes = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
    assert len(sizes) < 100
    assert sum(sizes) < 5_000_000
    assert_whole(Store(str(tmp_path)), clips=16, masks=2560)


def test_the_note_of_a_run_is_json_that_people_can_read(tmp_path):
    Store(str(tmp_path), create=True).write_about(dict(shape=(1, 2)))
    assert json.loads((tmp_path / "store.json").read_text())["about"] == dict(shape=[1, 2])
    (tmp_path / "store.json").write_text("{}")
    with pytest.raises(DamagedError, match="store.json is damaged. Remove it: the same command writes it again"):
        Store(str(tmp_path)).about()
