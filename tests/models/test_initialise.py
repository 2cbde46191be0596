import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.models import ResNet3D18, init_variables
from jaxsal.models.initialise import kaiming_fan_out, normal, uniform
from jaxsal.models.persistence import PersistenceOfAppearance


@pytest.mark.parametrize(
    ("init", "std"),
    [
        (kaiming_fan_out, np.sqrt(2 / (9 * 32))),  # N(0, 2 / fan_out)
        (normal(0.001), 0.001),
        (uniform(0.25), 0.25 / np.sqrt(3)),
    ],
)
def test_values_have_their_distribution_and_depend_on_the_key_alone(init, std):
    key, shape = jax.random.key(0), (3, 3, 16, 32)

    values = init(key, shape)

    assert abs(values.mean()) < 5 * std / np.sqrt(values.size)
    assert abs(values.std() / std - 1) < 5 / np.sqrt(2 * values.size)
    np.testing.assert_array_equal(jax.jit(init, static_argnums=1)(key, shape), values)
    assert (init(jax.random.key(1), shape) != values).any()
    if std == 0.25 / np.sqrt(3):
        assert 0.99 * 0.25 < np.abs(values).max() <= 0.25


def test_a_networks_values_are_those_of_its_key():
    def variables(seed):
        return init_variables(ResNet3D18(num_classes=400, width=4), jax.random.key(seed), (1, 2, 8, 8, 3))["params"]

    first, second, other = variables(0), variables(0), variables(1)

    jax.tree.map(np.testing.assert_array_equal, first, second)
    assert (first["layer1_0"]["conv1"]["kernel"] != other["layer1_0"]["conv1"]["kernel"]).any()
    assert (first["layer1_0"]["conv1"]["kernel"] != first["layer1_0"]["conv2"]["kernel"]).any()
    for values in first["fc"].values():  # as torch's linear layers
        assert 0.97 / np.sqrt(32) < jnp.abs(values).max() <= 1 / np.sqrt(32)
    kernel = first["layer3_0"]["conv1"]["kernel"]
    assert abs(kernel.std() / np.sqrt(2 / (27 * 16)) - 1) < 5 / np.sqrt(2 * kernel.size)
    assert (first["stem_norm"]["scale"] == 1).all()
    assert (first["stem_norm"]["bias"] == 0).all()


@pytest.mark.parametrize("model", [ResNet3D18(width=8), PersistenceOfAppearance()])
def test_initial_values_are_one_program(model):
    """Compiling JAX's generator for every kernel of the full 3D-ResNet18 takes ten times as long."""
    compiled = []

    def listen(event, duration, fun_name="", **_):
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(fun_name)

    key = jax.random.key(0)
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        jax.block_until_ready(init_variables(model, key, (1, 4, 32, 32, 3)))
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert compiled == ["jit(init_variables)"]
