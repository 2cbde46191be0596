"""A checkpoint, recordings and a config of a tiny sweep."""

import jax
import jax.numpy as jnp
import numpy as np

import runs
import toys
from jaxsal.core.fingerprints import fingerprint
from jaxsal.evaluation.sweep.cells import Network, expand
from jaxsal.evaluation.sweep.config import ClipChoice, MethodGrid, SweepConfig
from jaxsal.evaluation.sweep.records import rows
from jaxsal.evaluation.sweep.run import run_sweep
from jaxsal.evaluation.sweep.store import Store
from jaxsal.training.checkpoint import Checkpoint, open_manager, origin, save_checkpoint

RISE = MethodGrid(
    "rise",
    options={"num_masks": [11, 29], "grid_shape": [[2, 3, 3], [1, 4, 2]], "estimator": ["mean", "centered"]},
)


def make_checkpoint(folder):
    """Writes a network with random weights to FOLDER/run."""
    shapes = jax.eval_shape(runs.SPEC.model().init, jax.random.key(0), jnp.zeros((1, *runs.SPEC.clip_shape)))
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        positive = any(name in str(path) for name in ("var", "scale"))
        return jnp.asarray(0.5 * rng.standard_normal(leaf.shape) if not positive else np.ones(leaf.shape), jnp.float32)

    variables = jax.tree_util.tree_map_with_path(draw, dict(shapes))
    with open_manager(folder / "run" / "checkpoints") as manager:
        save_checkpoint(manager, Checkpoint(runs.SPEC, variables, 1, {"none": jnp.zeros(1)}, origin()))


def make_recordings(folder):
    """Writes six paired recordings to FOLDER/data."""
    lines = ["recording,label,split,ir_start,ir_end,tv_start,tv_end"]
    for number in range(6):
        for spectrum in ("IR", "TV"):
            (folder / "data" / spectrum).mkdir(parents=True, exist_ok=True)
            frames = runs.moving_bar(number % 2, number, spectrum == "IR")
            np.save(folder / "data" / spectrum / f"r{number}.npy", frames)
        lines.append(f"r{number},{runs.CLASSES[number % 2]},test,,,,")
    (folder / "data" / "segments.csv").write_text("\n".join(lines) + "\n")


def config(folder, store="store.zarr", **changes):
    """A sweep of RISE alone over three clips of one spectrum; no curves."""
    fields = dict(
        store=str(folder / store),
        checkpoints=(str(folder / "run"),),
        methods=(RISE,),
        clips=(ClipChoice(str(folder / "data"), per_spectrum=3),),
        spectra=("IR",),
        chunk_size=4,
        masks_per_commit=8,
    )
    return SweepConfig(**(fields | changes))


def toy_groups(config, gain=8.0):
    """The cells of a config for a classifier that is no network, so that little is compiled."""
    head = gain * np.array([[1, -1], [-0.5, 1], [0.2, 0.4]], np.float32)
    classifier = toys.pooling_classifier(cells=(2, 2, 4), head=head)
    return expand(config, [Network("toy", runs.SPEC, classifier, fingerprint(classifier))])


def run(config):
    """Runs a sweep of the toy."""
    return run_sweep(config, toy_groups(config))


def contents(store_folder):
    """All scores, maps and measures of a store, by path and clip, but for the times."""
    store, found = Store(str(store_folder)), {}
    for kind, names in (("ledgers", ("logits", "clip_logits")), ("cells", ("saliency", "deletion", "insertion"))):
        for group in store.groups(kind):
            path = f"{kind}/{group}"
            for clip, row in rows(store, path).items():
                for name in (*names, "digest"):
                    if store.has(f"{path}/{name}"):
                        found[path, clip, name] = store.read(f"{path}/{name}", row)
                if kind == "cells":
                    found[path, clip, "results"] = store.read(f"{path}/results", row)[:-1]
    return found


def assert_same(one, other, *, rtol=0.0):
    """Whether two stores hold the same numbers, and all of them."""
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_allclose(one[key], other[key], rtol=rtol, atol=rtol, err_msg=str(key))
        if key[-1] not in ("deletion", "insertion", "results"):
            assert not np.isnan(one[key]).any(), key
