"""A checkpoint, recordings and a config of a tiny sweep."""

import jax.numpy as jnp
import numpy as np

import runs
import toys
from jaxsal.core.origin import origin
from jaxsal.evaluation.config import ClipChoice, MethodGrid, SweepConfig
from jaxsal.evaluation.grid import Network, expand
from jaxsal.evaluation.store import Store
from jaxsal.evaluation.sweep import run_sweep
from jaxsal.training.checkpoint import Checkpoint, open_manager, save_checkpoint

RISE = MethodGrid(
    "rise",
    options={"num_masks": [11, 29], "grid_shape": [[2, 3, 3], [1, 4, 2]], "estimator": ["mean", "centered"]},
)

FEW = MethodGrid("rise", options={"num_masks": [5, 9], "grid_shape": [[2, 3, 3]]})


def make_checkpoint(folder):
    """Writes a network with random weights to FOLDER/run."""
    variables = toys.drawn(runs.SPEC.model(), runs.SPEC.clip_shape)
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


def config(folder, store="store", **changes):
    """A sweep of RISE alone over three clips of one spectrum, into a folder within `folder` or elsewhere; no curves."""
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


def toy_network():
    """A classifier that is no network, so that little is compiled."""
    head = 8 * np.array([[1, -1], [-0.5, 1], [0.2, 0.4]], np.float32)
    return Network("toy", runs.SPEC, toys.pooling_classifier(cells=(2, 2, 4), head=head))


def toy_groups(config):
    """The cells of a config for the toy."""
    return expand(config, [toy_network()])


def run(config, **options):
    """Runs a sweep of the toy."""
    return run_sweep(config, toy_groups(config), **options)


def contents(url):
    """All scores, maps and measures of a store, by series, clip and name, but for the times."""
    store, found = Store(str(url)), {}
    for kind in ("scores", "result"):
        for series in store.descriptions(kind):
            for clip in store.clips(kind, series):
                records = store.read(kind, series, clip)
                arrays = dict(records[0].arrays)
                if kind == "scores":
                    arrays["logits"] = np.concatenate([record.arrays["logits"] for record in records])
                    arrays["ids"] = np.concatenate([np.arange(*record.span) for record in records])
                left_out = ("seconds", "measures", "spectrum")
                note = {name: value for name, value in records[0].note.items() if name not in left_out}
                arrays["digest"] = np.frombuffer(note.pop("digest").encode(), np.uint8)
                texts = sorted((name, value) for name, value in note.items() if isinstance(value, str))
                arrays["texts"] = np.frombuffer(str(texts).encode(), np.uint8)
                numbers = [note[name] for name in sorted(note) if not isinstance(note[name], str)]
                arrays["numbers"] = np.array([-1 if number is None else number for number in numbers])
                found |= {(series, clip, name): values for name, values in arrays.items()}
    return found


def assert_same(one, other, *, rtol=0.0):
    """Whether two stores hold the same numbers, and all of them."""
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_allclose(one[key], other[key], rtol=rtol, atol=rtol, err_msg=str(key))
        assert not np.isnan(one[key]).any(), key
