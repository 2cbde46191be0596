"""`jaxsal layers`: the layers of a checkpoint, as `classifier.at` takes them."""

import pytest

import runs
import sweeps
from jaxsal.commands.layers import Layers
from jaxsal.training.checkpoint import open_checkpoint


def test_it_lists_the_layers_of_a_checkpoint(tmp_path):
    sweeps.make_checkpoint(tmp_path)
    output = Layers(tmp_path / "run", receptive_fields=True).run()
    checkpoint = open_checkpoint(tmp_path / "run")
    shapes = checkpoint.spec.classifier(checkpoint.variables).layers(runs.SPEC.clip_shape)
    layers = output.data["layers"]
    assert {name: own["output"] for name, own in layers.items()} == {n: list(shape[1:]) for n, shape in shapes.items()}
    assert [layers[name]["sees"] for name in ("stem_conv", "last_conv", "fc")] == [[3, 3, 3], [4, 7, 7], None]
    assert len(shapes) > 1
    assert all(name in output.text for name in shapes)
    assert "last_conv  2x4x4x32  4x7x7" in output.text
    quick = Layers(tmp_path / "run").run()
    assert quick.data["layers"] == {name: dict(output=own["output"]) for name, own in layers.items()}
    assert quick.text.splitlines()[0].split() == ["layer", "output"]


def test_one_network_must_be_named(tmp_path):
    with pytest.raises(ValueError, match="`checkpoint` or --network must be given, one of them; got neither"):
        Layers().run()
    with pytest.raises(ValueError, match="got both"):
        Layers(tmp_path, "i3d").run()
