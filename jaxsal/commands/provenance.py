"""How a result was made: what was typed, the network, its training and the options."""

import dataclasses
import shlex
from typing import Any

_typed: list[str] = []


def note_command_line(words: list[str]) -> None:
    """Remembers what was typed after the program's name."""
    _typed[:] = words


def command_line() -> str:
    """What was typed, as one line."""
    return shlex.join(["jaxsal", *_typed])


def made_by(options: Any, checkpoint: Any) -> dict[str, Any]:
    """For run.json: the command, the seed and options of explaining, and all that the checkpoint knows of itself.

    Args:
      options: `jaxsal.options.ExplainOptions`.
      checkpoint: `jaxsal.checkpoint.Checkpoint`.
    """
    from jaxsal.fingerprints import fingerprint

    return dict(
        command=command_line(),
        seed=options.seed,
        explaining=dataclasses.asdict(options),
        network=dataclasses.asdict(checkpoint.spec),
        training=checkpoint.origin,
        step=checkpoint.step,
        weights_sha256=fingerprint(checkpoint.variables),
    )
