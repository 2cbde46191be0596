"""A training's history, as lines of JSON and for TensorBoard."""

import struct

import jax.numpy as jnp
import pytest

from jaxsal.training.history import Entry, StepTimes, read_history, write_history, write_tensorboard

FIRST = Entry(1, {"loss": (jnp.float32(3.0), jnp.float32(4.0))}, None)
SECOND = Entry(2, {"loss": (jnp.float32(1.0), jnp.float32(4.0))}, StepTimes(0.5, 0.25))


def scalars(folder):
    """(name, step, value) of all events, in the order of their files."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for file in sorted(folder.iterdir()):
        content, place = file.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack("<Q", content[place : place + 8])
            event = Event.FromString(content[place + 12 : place + 12 + length])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            place += 12 + length + 4
    return found


def test_both_have_the_means_and_the_times_of_every_step(tmp_path):
    write_history(tmp_path / "history.jsonl", [FIRST, SECOND])
    lines = read_history(tmp_path / "history.jsonl")
    assert lines == [{"step": 1, "loss": 0.75}, {"step": 2, "loss": 0.25, "seconds": 0.5, "input_wait": 0.25}]
    write_tensorboard(tmp_path / "tensorboard", [FIRST, SECOND])
    expected = [(name, line["step"], line[name]) for line in lines for name in line if name != "step"]
    assert scalars(tmp_path / "tensorboard") == expected


def test_steps_that_are_taken_again_replace_their_lines(tmp_path):
    write_history(tmp_path / "history.jsonl", [FIRST, SECOND])
    write_history(tmp_path / "history.jsonl", [SECOND._replace(times=None)])
    lines = read_history(tmp_path / "history.jsonl")
    assert lines == [{"step": 1, "loss": 0.75}, {"step": 2, "loss": 0.25}]


def test_a_damaged_line_is_named_and_left_out(tmp_path):
    path = tmp_path / "history.jsonl"
    write_history(path, [FIRST, SECOND])
    path.write_text(path.read_text().replace("0.75", "0.74"))
    with pytest.warns(UserWarning, match=r"history\.jsonl, line 1, is damaged .* and left out"):
        write_history(path, [SECOND._replace(step=3)])
    assert [step["step"] for step in read_history(path)] == [2, 3]
