"""A training's history, as lines of JSON and for TensorBoard."""

import json
import struct

import jax.numpy as jnp

from jaxsal.training.history import Entry, StepTimes, write_history, write_tensorboard

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
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert lines == [{"step": 1, "loss": 0.75}, {"step": 2, "loss": 0.25, "seconds": 0.5, "input_wait": 0.25}]
    write_tensorboard(tmp_path / "tensorboard", [FIRST, SECOND])
    expected = [(name, line["step"], line[name]) for line in lines for name in line if name != "step"]
    assert scalars(tmp_path / "tensorboard") == expected


def test_steps_that_are_taken_again_replace_their_lines(tmp_path):
    write_history(tmp_path / "history.jsonl", [FIRST, SECOND])
    write_history(tmp_path / "history.jsonl", [SECOND._replace(times=None)])
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert lines == [{"step": 1, "loss": 0.75}, {"step": 2, "loss": 0.25}]
