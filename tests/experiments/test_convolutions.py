import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolutions import Layer, choice, forms, forms_text, layers_of

from jaxsal.models import PAN, ResNet3D18

PAD = ((1, 1), (1, 1), (1, 1))
THREE = {"joined", "split", "winograd"}
PLANES = {"blocked", "taps"}


def test_the_layers_of_a_network_are_found_with_their_number():
    layers = layers_of(ResNet3D18(width=4), (1, 4, 16, 16, 3))

    assert sum(layers.values()) == 20
    assert layers[Layer((1, 4, 8, 8, 4), (3, 3, 3, 4, 4), (1, 1, 1), PAD)] == 4


def test_pan_has_its_pa_layer_of_three_differences_a_segment():
    layers = layers_of(PAN(width=8), (1, 32, 32, 32, 3))

    pa = Layer((24, 32, 32, 3), (7, 7, 3, 8), (1, 1), ((3, 3), (3, 3)))
    assert layers[pa] == 1
    assert choice(pa) == "blocked"


@pytest.mark.parametrize(
    ("layer", "names", "chosen"),
    [
        (Layer((1, 4, 3, 3, 4), (3, 3, 3, 4, 4), (1, 1, 1), PAD), THREE | {"rows"}, "winograd"),
        (Layer((2, 4, 28, 28, 32), (3, 3, 3, 32, 32), (1, 1, 1), PAD), THREE | {"rows"}, "rows"),
        (Layer((1, 4, 3, 3, 8), (3, 3, 3, 8, 8), (2, 2, 2), PAD), {"joined", "split", "blocked"}, "blocked"),
        (Layer((1, 4, 3, 3, 3), (3, 3, 3, 3, 4), (2, 2, 2), PAD), {"joined", "split"}, "joined"),
        (Layer((1, 4, 3, 3, 20), (3, 3, 3, 20, 4), (2, 2, 2), PAD), {"joined", "split"}, "split"),
        (Layer((1, 4, 4, 4, 3), (1, 1, 1, 3, 4), (2, 2, 2), ((0, 0),) * 3), {"matmul"}, "matmul"),
        (Layer((1, 4, 4, 3), (1, 1, 3, 4), (2, 2), ((0, 0),) * 2), {"matmul"}, "matmul"),
        (Layer((1, 4, 4, 3), (3, 3, 3, 8), (2, 2), PAD[1:]), PLANES, "blocked"),
        (Layer((3, 15, 9, 3), (7, 7, 3, 8), (1, 1), ((3, 3), (3, 3))), PLANES, "blocked"),
        (Layer((1, 5, 3, 3, 4), (7, 3, 3, 4, 4), (1, 1, 1), ((3, 3), *PAD[1:])), {"joined", "split"}, "joined"),
        (Layer((1, 4, 4, 3), (3, 3, 3, 32), (2, 2), PAD[1:]), PLANES, "lax"),
        (Layer((2, 28, 28, 32), (3, 3, 32, 32), (1, 1), PAD[1:]), {"blocked", "tiles", "rows"}, "tiles"),
        (Layer((2, 9, 40, 32), (3, 3, 32, 272), (1, 1), PAD[1:]), {"blocked", "tiles", "rows"}, "rows"),
        (Layer((1, 4, 4, 32), (3, 3, 32, 32), (2, 2), PAD[1:]), PLANES, "taps"),
    ],
)
def test_all_forms_of_a_layer_give_the_same(layer, names, chosen):
    generator = np.random.default_rng(0)
    arrays = [jnp.asarray(generator.standard_normal(shape), jnp.float32) for shape in (layer.inputs, layer.kernel)]

    outputs = {name: jax.jit(form)(*arrays) for name, form in forms(layer).items()}

    assert set(outputs) == names | {"lax"}
    assert choice(layer) == chosen
    for output in outputs.values():
        np.testing.assert_allclose(output, outputs["lax"], atol=2.5e-6 * np.abs(outputs["lax"]).max())


def test_a_gradient_has_rows_of_images_alone():
    clips = Layer((2, 4, 28, 28, 32), (3, 3, 3, 32, 32), (1, 1, 1), PAD)
    images = Layer((2, 28, 28, 32), (3, 3, 32, 32), (1, 1), PAD[1:])
    assert (choice(clips), choice(clips, "gradient")) == ("rows", "winograd")
    assert (choice(images), choice(images, "gradient")) == ("tiles", "rows")


def test_the_chosen_form_has_a_star():
    rows = [dict(variant="lax", seconds=0.002, speed=1.0), dict(variant="split", seconds=0.001, speed=2.0)]

    assert forms_text(dict(forms=rows, chosen="split")) == "lax 2 (1), split* 1 (2)"
