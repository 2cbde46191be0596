import math
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import Classifier, score_masks
from jaxsal.models import PAN, ScoreAverage, pan_from_resnet50
from jaxsal.models.pan import temporal_shift, timescale_vectors
from jaxsal.models.persistence import PersistenceOfAppearance


@pytest.fixture(scope="module")
def tiny():
    model = PAN(num_classes=3, width=8)
    clips = jnp.asarray(np.random.default_rng(0).random((2, 32, 32, 40, 3)), jnp.float32)
    return model, jax.device_put(toys.drawn(model, clips.shape[1:], vectors=0.1)), clips


def test_other_segments():
    model, clips = PAN(width=8, num_segments=16, frames_per_mask=5), jnp.zeros((1, 80, 64, 96, 3))

    features, variables = jax.eval_shape(partial(model.init_with_output, method="features"), jax.random.key(0), clips)

    assert variables["params"]["backbone"]["conv1"]["kernel"].shape[2] == 3 + 4
    assert features.shape == (1, 16, 2, 3, 256)
    _, variables = jax.eval_shape(partial(model.init_with_output, method="head"), jax.random.key(0), features)
    assert variables["params"]["vap"]["tes1"]["kernel"].shape == (15, 60)


def test_temporal_shift_by_hand():
    """Of two clips with two segments and 9 channels, one moves back, one forward and seven stay."""
    activations = jnp.arange(4.0)[:, None, None, None] + 1 + 10 * jnp.arange(9.0)

    shifted = temporal_shift(activations, 2)[:, 0, 0]

    np.testing.assert_array_equal(shifted[:, 0], [2, 0, 4, 0])
    np.testing.assert_array_equal(shifted[:, 1], [0, 11, 0, 13])
    np.testing.assert_array_equal(shifted[:, 2:], activations[:, 0, 0, 2:])


@pytest.mark.parametrize("num_segments", [2, 4, 8, 16])
def test_timescale_vectors_are_maxima_over_strides(num_segments):
    segments = np.random.default_rng(0).standard_normal((3, num_segments, 5)).astype(np.float32)

    vectors = timescale_vectors(jnp.asarray(segments))

    strides = [q for q in (1, 2, 4, 8) if q < num_segments]
    expected = [segments[:, j::q].max(axis=1) for q in strides for j in range(q)]
    assert vectors.shape == (3, num_segments - 1, 5)
    np.testing.assert_array_equal(vectors, np.stack(expected, axis=1))


def test_pa_is_the_root_of_the_sum_of_squares():
    generator = np.random.default_rng(0)
    segments = generator.random((2, 4, 9, 11, 3))
    kernel, bias = generator.standard_normal((7, 7, 3, 8)), generator.standard_normal(8)
    params = {"params": {"conv": {"kernel": jnp.float32(kernel), "bias": jnp.float32(bias)}}}

    maps = PersistenceOfAppearance().apply(params, jnp.float32(segments))

    padded = np.pad(segments, [(0, 0), (0, 0), (3, 3), (3, 3), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), axis=(2, 3))
    responses = np.einsum("nmhwcyx,yxcd->nmhwd", windows, kernel) + bias
    for i in range(3):
        difference = responses[:, i] - responses[:, i + 1] + 1e-6
        expected = np.sqrt((difference**2).sum(axis=-1))
        np.testing.assert_allclose(maps[..., i], expected, rtol=1e-4)


def test_pa_moves_no_array_of_a_clips_size_on_cpu():
    """Per segment 4 x 3 values enter a pixel; what is copied or transposed are the 3 maps at most."""
    model, segments = PersistenceOfAppearance(), jnp.zeros((2, 4, 16, 18, 3))  # of whole blocks of 2 x 3 pixels
    program = jax.jit(model.apply).lower(model.init(jax.random.key(0), segments), segments).compile()

    moved = re.findall(r"= f32\[([0-9,]+)\]\S* (?:copy|transpose)\(", program.as_text())

    assert max(math.prod(map(int, shape.split(","))) for shape in [*moved, "1"]) <= segments.size // 4


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_pa_is_one_plain_convolution_elsewhere(platform):
    model, segments = PersistenceOfAppearance(), jnp.zeros((2, 4, 16, 16, 3))
    traced = jax.jit(model.apply).trace(model.init(jax.random.key(0), segments), segments)

    text = traced.lower(lowering_platforms=(platform,)).as_text()

    assert re.findall(r"stablehlo.convolution.*tensor<([0-9x]+)xf32>\) ->", text) == ["7x7x3x8"]


def test_pa_keeps_float32_inside(tiny):
    _, variables, clips = tiny
    segments = clips.reshape(16, 4, 32, 40, 3).astype(jnp.bfloat16)
    pa = {"params": variables["params"]["pa"]}

    maps = PersistenceOfAppearance().apply(pa, segments)

    assert maps.dtype == jnp.bfloat16
    expected = PersistenceOfAppearance().apply(pa, segments.astype(jnp.float32))
    np.testing.assert_array_equal(maps, expected.astype(jnp.bfloat16))


@pytest.mark.parametrize("variant", ["rgb", "pa"])
def test_a_variant_sees_its_part_of_lites_images(tiny, variant):
    model, variables, clips = tiny
    lite = model.apply(variables, clips, method="segment_images")

    images = PAN(width=8, variant=variant).apply(variables, clips, method="segment_images")

    np.testing.assert_array_equal(images, lite[..., :3] if variant == "rgb" else lite[..., 3:])
    np.testing.assert_array_equal(lite[..., :3], clips[:, ::4].reshape(16, 32, 40, 3))


def test_a_clip_scores_the_same_whatever_is_beside_it(tiny):
    model, variables, clips = tiny
    apply = jax.jit(partial(model.apply, variables))

    batch, twice = apply(clips), apply(clips[np.array([1, 1])])

    assert batch.shape == (2, 3)
    assert not np.allclose(batch[0], batch[1], rtol=1e-4, atol=0)
    np.testing.assert_allclose(twice, batch[1][None].repeat(2, 0), rtol=1e-4, atol=1e-7)


def test_dropout_is_of_training_alone(tiny):
    model, variables, _ = tiny
    activations = jnp.asarray(np.random.default_rng(0).random((2, 8, 1, 2, 256)), jnp.float32)
    head = partial(model.apply, variables, activations, method="head")

    inference = head()

    first, second = (head(train=True, rngs={"dropout": jax.random.key(seed)}) for seed in (0, 1))
    np.testing.assert_array_equal(inference, head(rngs={"dropout": jax.random.key(0)}))
    assert not np.allclose(first, second, rtol=1e-3, atol=0)
    kept = PAN(num_classes=3, width=8, dropout=0.0).apply(variables, activations, True, method="head")
    np.testing.assert_array_equal(kept, inference)


def test_training_replaces_all_statistics(tiny):
    model, variables, clips = tiny

    def updated(statistics):
        given, rngs = variables | {"batch_stats": statistics}, {"dropout": jax.random.key(0)}
        return model.apply(given, clips, True, rngs=rngs, mutable=["batch_stats"])[1]

    program = jax.make_jaxpr(updated)(variables["batch_stats"]).jaxpr

    assert len(program.outvars) == len(program.invars) == 106
    assert not set(program.outvars) & set(program.invars)


@pytest.mark.parametrize("variant", ["lite", "rgb", "pa"])
def test_a_pan_from_resnet50_has_its_backbone_and_new_parts(variant):
    first = np.random.default_rng(0).standard_normal((7, 7, 3, 8)).astype(np.float32)
    resnet50 = {"params": {"backbone": {"conv1": {"kernel": jnp.asarray(first)}}, "fc": {}}, "batch_stats": {}}

    params = pan_from_resnet50(resnet50, 3, variant=variant, key=jax.random.key(1))["params"]

    expected = first if variant != "lite" else np.repeat(first.mean(axis=2, keepdims=True), 6, axis=2)
    np.testing.assert_allclose(params["backbone"]["conv1"]["kernel"], expected, rtol=1e-6, atol=1e-7)
    assert set(params) == {"backbone", "vap", "fc"} | ({"pa"} if variant != "rgb" else set())
    new = [params["vap"]["tes1"], params["fc"], *([params["pa"]["conv"]] if "pa" in params else [])]
    for kernel in (part["kernel"] for part in new):
        assert abs(kernel.std() / 0.001 - 1) < 5 / np.sqrt(2 * kernel.size)
    assert all((part["bias"] == 0).all() for part in new[1:])
    other = pan_from_resnet50(resnet50, 3, variant=variant)["params"]["fc"]["kernel"]
    assert (other != params["fc"]["kernel"]).any()


def member(gain, **options):
    return Classifier.from_functions(
        lambda gain, clip: gain * clip, lambda _, a: a.mean((0, 1, 2)) + 1, jnp.float32(gain), **options
    )


def test_score_average_is_a_score_function_like_its_members():
    """As PAN-Full, of classifiers with one normalisation, whose mean colour explains it."""
    clip, mean = np.random.default_rng(0).random((4, 5, 6, 3), np.float32), (0.25, 0.5, 0.75)
    options = dict(mean=mean, std=(0.5, 0.5, 0.5))
    full = ScoreAverage((member(1.0, **options), member(2.0, **options), member(6.0, frames_per_mask=4, **options)))

    scores = jax.jit(lambda average, clip: average(clip))(full, clip)

    np.testing.assert_allclose(scores, 3 * (2 * (clip - np.float32(mean))).mean((0, 1, 2)) + 1, rtol=1e-4)
    assert full.frames_per_mask == 4
    assert [part.params for part in full.score_fns] == [1, 2, 6]
    np.testing.assert_array_equal(full.mean, np.float32(mean))
    removed = score_masks(full, clip, np.zeros((1, 4, 5, 6), np.float32), baseline="mean")
    np.testing.assert_allclose(removed, [[1, 1, 1]], atol=1e-6)


def test_score_average_refuses():
    with pytest.raises(ValueError, match="`score_fns` must have at least one score function; got"):
        ScoreAverage(())
    mixed = ScoreAverage((member(1.0), member(1.0, mean=(0.5,) * 3, std=(1.0,) * 3)))
    assert ScoreAverage((member(1.0), member(2.0))).mean is None
    with pytest.raises(ValueError, match="`score_fns` must have the same mean for this baseline"):
        score_masks(mixed, jnp.zeros((2, 4, 4, 3)), jnp.ones((1, 2, 4, 4)), baseline="mean")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "flow"}, r"`variant` must be one of \('lite', 'rgb', 'pa'\); got 'flow'"),
        ({"num_segments": 6}, "`num_segments` must be a power of two, at least 2; got 6"),
        ({"num_segments": 1}, "`num_segments` must be a power of two, at least 2; got 1"),
        ({"frames_per_mask": 1}, "`frames_per_mask` must be at least 2; got 1"),
        ({"frames_per_mask": 0, "variant": "rgb"}, "`frames_per_mask` must be at least 1; got 0"),
    ],
)
def test_pan_refuses(options, message, no_shape_checks):
    with pytest.raises(ValueError, match=message):
        PAN(**options)


def test_refuses_clips_of_another_length(tiny):
    model, variables, clips = tiny
    with pytest.raises(ValueError, match="`clips` must have 32 frames; got 16"):
        model.apply(variables, clips[:, :16])


def test_pan_from_resnet50_refuses_other_networks(tiny, no_shape_checks):
    _, variables, _ = tiny
    with pytest.raises(ValueError, match="`variables` must be those of a ResNet50; got parameters of backbone, fc, pa"):
        pan_from_resnet50(variables, 3)
    resnet50 = {"params": {"backbone": {"conv1": {"kernel": jnp.zeros((7, 7, 3, 8))}}, "fc": {}}, "batch_stats": {}}
    with pytest.raises(ValueError, match="`variant` must be one of"):
        pan_from_resnet50(resnet50, 3, variant="full")
