"""Receptive fields against sums over taps and strides."""

import flax.linen as nn
import jax

import toys
from jaxsal import Classifier
from jaxsal.models.layers import Conv

CLIP = (9, 20, 16, 3)


class Stages(nn.Module):
    """A convolution, a pool, a convolution behind two strides, and attention to all places."""

    @nn.compact
    def __call__(self, clips):
        first = Conv(2, (3, 5, 3), (1, 2, 1), name="first")(clips)
        pooled = nn.max_pool(nn.relu(first), (1, 3, 1), (1, 1, 1), padding="SAME")
        second = Conv(2, (1, 3, 5), name="second")(pooled)
        tokens = second.reshape(len(second), -1, 2)
        tokens = jax.nn.softmax(tokens @ tokens.swapaxes(1, 2)) @ tokens
        attended = nn.Dense(2, name="attended")(tokens.reshape(second.shape))
        return nn.Dense(3, name="head")(attended.mean(axis=(1, 2, 3)))


def test_a_layer_sees_its_taps_times_the_strides_before_it():
    """first: its kernel; second: 5 + 2 (3 - 1) for the pool + 2 (3 - 1) rows, 3 + 5 - 1 columns; attention: all."""
    variables = toys.drawn(Stages(), CLIP)
    fields = Classifier.from_model(Stages(), variables, mean=None, std=None).receptive_fields(CLIP)
    assert fields == {"first": (3, 5, 3), "second": (3, 13, 7), "attended": CLIP[:3]}


def test_a_network_that_takes_one_size_alone():
    class Flat(nn.Module):
        @nn.compact
        def __call__(self, clips):
            activations = Conv(1, (1, 3, 3), name="conv")(clips)
            return nn.Dense(2, name="head")(activations.reshape(len(clips), -1))

    shape = (2, 5, 6, 3)
    fields = Classifier.from_model(Flat(), toys.drawn(Flat(), shape), mean=None, std=None).receptive_fields(shape)
    assert fields == {"conv": (1, 3, 3)}
