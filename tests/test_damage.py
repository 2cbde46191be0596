"""One flipped bit in any file: a reader gives what was written, or names the damaged file; nothing else.

JAXSAL_FLIPS sets how many bits are flipped in each kind of file.
"""

import os
import random
import shutil
import warnings
from unittest.mock import patch

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

import pages
import runs
from jaxsal import RiseLedger, rise_ledger
from jaxsal.core.files import DamagedError
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.sealed import read_json, write_json
from jaxsal.datasets.prepared import (
    _data_source,
    check_small_files,
    list_prepared,
    prepared_clips,
    seal_small_files,
)
from jaxsal.evaluation.explain import explain_each
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.reading import Place, read_without_clip
from jaxsal.evaluation.store import Store
from jaxsal.training.checkpoint import Checkpoint, open_checkpoint
from jaxsal.training.export import export_network
from jaxsal.training.history import Entry, StepTimes, read_history, write_history
from jaxsal.training.loader import load_exported

NUM_FLIPS = int(os.environ.get("JAXSAL_FLIPS", "12"))

pytestmark = pytest.mark.usefixtures("no_shape_checks")


def score_fn(clip):
    return jnp.stack([clip[:1].mean(), clip[1:].mean()])


def make_ledger(folder):
    options = dict(num_masks=3000, grid_shape=(1, 2, 2))
    rise_ledger(jax.random.key(0), score_fn, jnp.ones((2, 4, 4, 3)), path=folder / "clip.npz", **options)


def read_ledger(folder):
    ledger = RiseLedger.load(folder / "clip.npz")
    arrays = {name: getattr(ledger, name) for name in ("key_data", "clip_logits", "ids", "logits")}
    return fingerprint(arrays), ledger.identity(), ledger.options


def make_history(folder):
    metrics = {"loss": (jnp.float32(3.0), jnp.float32(4.0))}
    write_history(folder / "history.jsonl", [Entry(step, metrics, StepTimes(0.5, 0.25)) for step in range(1, 9)])


def read_steps(folder):
    steps = [
        {name: step[name] for name in ("step", "loss", "seconds", "input_wait")}
        for step in read_history(folder / "history.jsonl")
    ]
    return steps


def make_json(folder):
    write_json(folder / "run.json", dict(command="jaxsal explain", seed=3, results=[dict(name="a", digest="f" * 64)]))


def read_fields(folder):
    fields = read_json(folder / "run.json", "Run the command again.")
    return [fields[name] for name in ("command", "seed", "results")]


def make_checkpoint(folder):
    runs.save_untrained(folder)


def read_checkpoint(folder):
    checkpoint = open_checkpoint(folder)
    return checkpoint.spec, fingerprint(checkpoint.variables), checkpoint.step, checkpoint.origin


def make_store(folder):
    store = Store(str(folder / "store"), create=True)
    store.write_about(dict(config="a"))
    store.describe("s", dict(identity=dict(method="rise"), classes=["a", "b"]))
    for clip in range(4):
        logits = np.arange(20.0).reshape(10, 2) + clip
        store.put("scores", "s", f"clip{clip}", dict(logits=logits), note=dict(digest="d"), span=(0, 10))
    store.commit()


def read_store(folder):
    store = Store(str(folder / "store"))
    about, found = store.about(), [store.read("scores", "s", f"clip{clip}") for clip in range(4)]
    if store.damaged:
        raise DamagedError(store.damaged[0])
    return about, store.description("s"), [(r.span, r.note, r.arrays["logits"].tolist()) for rs in found for r in rs]


def make_prepared(folder):
    """The JSON files of a set, of which nothing but the checksums is of jaxsal's making."""
    for name in ("dataset_info.json", "metadata.json"):
        (folder / name).write_text(f'{{"name": "{name}"}}')
    seal_small_files(folder)


def read_prepared(folder):
    check_small_files(folder)
    return [(folder / name).read_text() for name in ("dataset_info.json", "metadata.json")]


def make_export(folder):
    """A small program in the place of a network's, which takes seconds to lower."""
    program = jax.export.export(jax.jit(jnp.sin))(jax.ShapeDtypeStruct((2,), "float32"))
    checkpoint = Checkpoint(runs.SPEC, {}, 0, None, {})
    with patch("jaxsal.training.export.scoring_program", lambda checkpoint, precision: program):
        export_network(checkpoint, folder)


def read_export(folder):
    return load_exported(folder).network, [(folder / name).read_bytes() for name in ("scores.stablehlo", "loader.py")]


def make_shards(folder):
    """A set of recordings, prepared."""
    builders = pytest.importorskip("jaxsal.datasets.builders")
    recordings = runs.save_recordings(folder / "recordings")
    builders.prepare_clips("paired_actions", manual_dir=recordings, data_dir=folder / "sets")
    shutil.rmtree(recordings)


def read_shards(folder):
    _data_source.cache_clear()
    (found,) = list_prepared(folder / "sets")
    return [(record.name, record.label, fingerprint(record.load())) for record in prepared_clips(found.folder).records]


WINDOWED = ExplainOptions(method=("gradcam",), controls=(), num_steps=3)


def make_windows(folder):
    """A result without its clip, as those of a recording's windows."""
    chosen = dict(keep_clips=False, clip_shape=pages.CLIP.shape, classes=pages.CLASSES)
    read = lambda store, case, place: place  # noqa: E731
    places, _ = explain_each(pages.CLASSIFIER, pages.cases()[:1], WINDOWED, read, folder / "store", **chosen)
    write_json(folder / "run.json", dict(results=[place._asdict() for place in places]))


def read_windows(folder):
    store, places = Store(str(folder / "store")), read_json(folder / "run.json", "Run it again.")["results"]
    found = [read_without_clip(store, Place(**place), WINDOWED) for place in places]
    return [(e.name, fingerprint(e.maps), e.curves["Grad-CAM"][0].scores.tolist(), e.seconds, e.classes) for e in found]


KINDS = {
    "export": (make_export, read_export),
    "prepared": (make_prepared, read_prepared),
    "ledger": (make_ledger, read_ledger),
    "history": (make_history, read_steps),
    "json": (make_json, read_fields),
    "checkpoint": (make_checkpoint, read_checkpoint),
    "store": (make_store, read_store),
    "windows": (make_windows, read_windows),
    "shards": (make_shards, read_shards),
}


def flip(path, generator):
    content = bytearray(path.read_bytes())
    place = generator.randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    return place


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_never_another_value(kind, tmp_path):
    make, read = KINDS[kind]
    make(tmp_path)
    original = read(tmp_path)
    paths = sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size)
    generator = random.Random(kind)
    wrong = []
    for number in range(NUM_FLIPS):
        path = paths[number % len(paths)]
        whole = path.read_bytes()
        place = f"bit {flip(path, generator)} of {path.relative_to(tmp_path)}"
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                found = read(tmp_path)
            if found != original and not any("is damaged" in str(one.message) for one in said):
                wrong.append(f"{place}: another value")
        except ValueError as error:
            if not ((str(tmp_path) in str(error) and "damaged" in str(error)) or isinstance(error, DamagedError)):
                wrong.append(f"{place}: {error!r}")
            elif str(tmp_path) not in str(error):
                wrong.append(f"{place}: no path in {error}")
        except Exception as error:
            wrong.append(f"{place}: {error!r}")
        path.write_bytes(whole)
    assert not wrong
