"""One scene in two spectra, for a network that takes both, through everything: every spectrum has its own map."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import deletion, gradcam, insertion, rise_ledger, score_masks, sidu
from jaxsal.engine.batch import prepare
from jaxsal.metrics.curve_scores import curve_scores
from jaxsal.recipes import resolve_options

SHAPE = (4, 5, 6)
RNG = np.random.default_rng(0)
SCENE = {name: RNG.random((*SHAPE, size), np.float32) for name, size in (("TV", 3), ("IR", 1))}
MEAN = {"IR": np.float32([0.3]), "TV": np.float32([0.5, 0.4, 0.6])}
MASKS = RNG.random((11, *SHAPE), np.float32)
SALIENCY = RNG.random(SHAPE, np.float32)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Both:
    """Logits (E, -E), E the evidence of all voxels: a linear one in each spectrum."""

    weights: dict[str, Any]
    mean: dict[str, Any]

    def features(self, scene):
        """The evidence of infrared, of visible light and of both, (T, H, W, 3)."""
        infrared, visible = ((self.weights[name] * scene[name]).sum(axis=-1) for name in ("IR", "TV"))
        return jnp.stack([infrared, visible, infrared + visible], axis=-1)

    def head(self, activations):
        evidence = activations.sum() / 2
        return jnp.stack([evidence, -evidence])

    def __call__(self, scene):
        return self.head(self.features(scene))


BOTH = Both({name: RNG.normal(size=part.shape).astype(np.float32) / 8 for name, part in SCENE.items()}, MEAN)
OF = {name: (BOTH.weights[name] * SCENE[name]).sum(axis=-1) for name in SCENE}
EVIDENCE = OF["IR"] + OF["TV"]


def probability(evidence):
    return 1 / (1 + np.exp(-2 * evidence))


@pytest.mark.parametrize("baseline", ["zero", "mean", np.full(1, 0.25, np.float32)], ids=str)
def test_masked_scores_in_closed_form(baseline):
    fill = {"zero": 0 * EVIDENCE, "mean": sum((BOTH.weights[n] * MEAN[n]).sum(axis=-1) for n in SCENE)}
    given = 0.25 * sum(weights.sum(axis=-1) for weights in BOTH.weights.values())
    stand_in = fill[baseline] if isinstance(baseline, str) else given
    expected = (MASKS * EVIDENCE + (1 - MASKS) * stand_in).sum(axis=(1, 2, 3))
    scores = score_masks(BOTH, SCENE, MASKS, baseline=baseline, chunk_size=4)
    np.testing.assert_allclose(scores, np.stack([expected, -expected], axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("baseline", ["blur", "gaussian"])
def test_each_spectrum_is_blurred_by_itself(baseline):
    nothing = score_masks(BOTH, SCENE, np.zeros((1, *SHAPE), np.float32), baseline=baseline)
    flat = {name: np.full_like(part, MEAN[name]) for name, part in SCENE.items()}
    same = score_masks(BOTH, flat, np.zeros((1, *SHAPE), np.float32), baseline=baseline)
    np.testing.assert_allclose(same[0], BOTH(flat), rtol=1e-4, atol=1e-4)  # a constant spectrum stays as it is
    assert np.abs(nothing[0] - BOTH(SCENE)).max() > 1e-3


def test_rise_in_closed_form():
    ledger = rise_ledger(
        jax.random.key(0), BOTH, SCENE, num_masks=50, grid_shape=(2, 3, 3), keep_prob=0.4, baseline="zero"
    )
    masks = toys.every_mask(ledger.masks).astype(np.float64)
    assert masks.shape == (50, 2, *SHAPE)
    assert np.abs(np.corrcoef(masks.mean(axis=(2, 3, 4)).T)[0, 1]) < 0.5  # those of the spectra are independent
    scores = probability((masks * np.stack([OF["IR"], OF["TV"]])).sum(axis=(1, 2, 3, 4)))
    expected = np.einsum("n,nsthw->sthw", scores, masks) / (50 * 0.4)
    maps = ledger.map("all")
    assert {name: own.shape for name, own in maps.items()} == dict.fromkeys(SCENE, (2, *SHAPE))
    np.testing.assert_allclose(maps["IR"][0], expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(maps["TV"][0], expected[1], rtol=1e-4, atol=1e-5)
    assert {name: own.shape for name, own in ledger.stderr(0, per_frame=True).items()} == dict.fromkeys(SCENE, (4,))
    grown = ledger.extend(BOTH, SCENE, 60)
    assert len(grown.ids) == 60
    with pytest.raises(ValueError, match="This ledger was computed for a different `clip`"):
        ledger.extend(BOTH, SCENE | {"IR": 1 - SCENE["IR"]}, 60)


@dataclass(frozen=True)
class Streams:
    """A network of two streams, whose activations are those of every spectrum by itself."""

    def features(self, scene):
        """The evidence of a spectrum, and its negative, (T, H, W, 2)."""
        found = {name: (BOTH.weights[name] * scene[name]).sum(axis=-1) for name in scene}
        return {name: jnp.stack([own, -own], axis=-1) for name, own in found.items()}

    def head(self, activations):
        evidence = sum(own[..., 0].sum() for own in activations.values())
        return jnp.stack([evidence, -evidence])

    def __call__(self, scene):
        return self.head(self.features(scene))


def test_gradcam_in_closed_form():
    """Of activations of both spectra the gradient is 1/2 and channels together are twice the evidence; of streams
    only the first channel counts, and each spectrum's map is its own evidence."""
    for network, evidence in ((BOTH, {"IR": EVIDENCE, "TV": EVIDENCE}), (Streams(), OF)):
        saliency = gradcam(network, SCENE, 0)
        assert list(saliency) == ["IR", "TV"]
        for name, own in saliency.items():
            expected = EVIDENCE.size * np.maximum(evidence[name], 0)
            np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("streams", [False, True])
def test_sidu_in_closed_form(streams):
    """Of two streams the mask of a channel keeps nothing of the other spectrum."""
    if streams:
        masks = np.zeros((4, 2, *SHAPE))
        for number, name in enumerate(("IR", "TV")):
            masks[2 * number, number], masks[2 * number + 1, number] = OF[name] > 0.02, -OF[name] > 0.02
    else:
        binary = np.moveaxis(np.asarray(BOTH.features(SCENE)) > 0.02, -1, 0)
        masks = np.stack([binary, binary], axis=1)
    first = probability((masks * np.stack([OF["IR"], OF["TV"]])).sum(axis=(1, 2, 3, 4)))
    scores = np.stack([first, 1 - first], axis=-1)
    similarity = np.exp(-((probability(EVIDENCE.sum()) - first) ** 2) / (2 * 0.25**2))
    distances = np.array([np.linalg.norm(row - scores, axis=-1).sum() for row in scores])
    unique = (distances - distances.min()) / np.ptp(distances)
    expected = np.einsum("k,ksthw->sthw", similarity * unique, masks) / (0.5 * len(masks))
    saliency = sidu(Streams() if streams else BOTH, SCENE, 0, threshold=0.02, baseline="zero")
    assert expected.max() > (0.01 if streams else 0.1)
    assert (expected[0].max() != expected[1].max()) == streams
    for number, name in enumerate(("IR", "TV")):
        np.testing.assert_allclose(saliency[name], expected[number], rtol=1e-3, atol=1e-4)


def test_a_network_of_one_spectrum_has_no_evidence_in_the_other():
    """Grad-CAM is 0 there, and the curve of that spectrum alone is flat."""

    class Infrared(Streams):
        def head(self, activations):
            evidence = activations["IR"][..., 0].sum()
            return jnp.stack([evidence, -evidence])

    assert gradcam(Infrared(), SCENE, 0)["TV"].max() == 0
    flat = deletion(Infrared(), SCENE, {"TV": SALIENCY}, 0, num_steps=5)
    np.testing.assert_allclose(flat.scores, probability(OF["IR"].sum()), rtol=1e-5)


@pytest.mark.parametrize("measure", [deletion, insertion])
def test_curves_over_both_spectra_in_closed_form(measure):
    """Of one map voxels of both spectra go together, of a map each side by side; those of one alone leave the other."""
    maps = {"TV": SALIENCY, "IR": RNG.permuted(SALIENCY.ravel()).reshape(SHAPE) + np.float32(1e-3)}
    joint, evidence = np.stack([maps["IR"], maps["TV"]]), np.stack([OF["IR"], OF["TV"]])

    def expected(saliency, own, kept):
        changed = np.append(0, np.cumsum(own.ravel()[np.argsort(-saliency, axis=None)]))
        along = changed[np.arange(13) * own.size // 12]
        return probability(kept + (along if measure is insertion else changed[-1] - along))

    for given, wanted in (
        (SALIENCY, expected(SALIENCY, EVIDENCE, 0)),
        (maps, expected(joint, evidence, 0)),
        ({"IR": maps["IR"]}, expected(maps["IR"], OF["IR"], OF["TV"].sum())),
    ):
        curve = measure(BOTH, SCENE, given, 0, num_steps=13, baseline="zero")
        np.testing.assert_allclose(curve.scores, wanted, rtol=1e-4)


def test_masks_and_baselines_of_each_spectrum():
    masks = {name: RNG.random((3, *SHAPE), np.float32) for name in SCENE}
    fill = {name: np.full(part.shape[-1], 0.25, np.float32) for name, part in SCENE.items()}
    given = {name: 0.25 * BOTH.weights[name].sum(axis=-1) for name in SCENE}
    expected = sum((m * OF[n] + (1 - m) * given[n]).sum(axis=(1, 2, 3)) for n, m in masks.items())
    scores = score_masks(BOTH, SCENE, masks, baseline=fill)
    np.testing.assert_allclose(scores[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_no_pass_of_an_end_is_made_twice():
    """Ends of a curve over all and over one spectrum: the clip is scored once, and each replaced one once."""
    passes = []
    batch = prepare(BOTH, [SCENE], count=passes.append)
    options = resolve_options("deletion", "default", dict(num_steps=5, baseline="zero"))
    both = np.stack([SALIENCY, SALIENCY])[None]
    for keep in (False, True):
        curve_scores(batch, [0], both, [0], options, keep)
        curve_scores(batch, [0], SALIENCY[None], [0], options, keep, only="IR")
    assert sum(passes) == 4 * 3 + 1 + 2


def test_several_scenes_are_one_batch():
    scenes = [SCENE, {name: 1 - part for name, part in SCENE.items()}]
    batch = prepare(BOTH, scenes)
    np.testing.assert_allclose(batch.logits, np.stack([BOTH(scene) for scene in scenes]), rtol=1e-4, atol=1e-5)
    assert batch.fingerprint(0) != batch.fingerprint(1)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (gradcam, dict(clip=SCENE | {"IR": SCENE["IR"][:2]}), "`clip` must have spectra of the same frames and pixels"),
        (gradcam, dict(clip=SCENE | {"IR": SCENE["IR"] + 1}), r"`clip` must have values in \[0, 1\]"),
        (deletion, dict(saliency={"UV": SALIENCY}), "`saliency` must have a map for every .*, or for one of them; got"),
        (deletion, dict(saliency=SALIENCY, unit="scalar"), "`unit` must be 'voxel' or 'auto' for .*; got 'scalar'"),
        (score_masks, dict(masks={"IR": MASKS}), r"`masks` must be of the spectra .*; got masks of \('IR',\)"),
        (
            score_masks,
            dict(masks=MASKS, baseline={"IR": np.zeros(1, np.float32)}),
            "`baseline` .* got none for TV",
        ),
        (rise_ledger, dict(key=jax.random.key(0), sampling="sobol"), "`sampling` must be .* spectra; got 'sobol'"),
    ],
)
def test_bad_scenes(function, arguments, message, no_shape_checks):
    with pytest.raises(ValueError, match=message):
        function(**{"classifier" if function is gradcam else "score_fn": BOTH, "clip": SCENE} | arguments)
