"""How a result was made: what was typed, the network, its training, the options that were in force, the results."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from jaxsal.core.fingerprints import weights_fingerprint
from jaxsal.core.origin import origin
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.reading import Place
from jaxsal.metrics.steps import count_steps
from jaxsal.recipes import CurveOptions
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.networks import NetworkSpec


def made_by(
    command: str, options: ExplainOptions, checkpoint: Checkpoint, places: Sequence[Place] = (), **notes: object
) -> dict[str, Any]:
    """For run.json: the command, the options in force, this program, and what the checkpoint knows of itself.

    Args:
      command: What was typed.
      options: How clips were explained.
      checkpoint: What was explained.
      places: Where the store has the results.
      **notes: Further entries.
    """
    return dict(
        command=command,
        seed=options.seed,
        explaining=resolved_options(options, checkpoint.spec),
        network=dataclasses.asdict(checkpoint.spec),
        training=checkpoint.origin,
        step=checkpoint.step,
        weights=weights_fingerprint(checkpoint.variables),
        **notes,
        **origin(),
        options=dataclasses.asdict(options),
        results=[place._asdict() for place in places],
    )


def resolved_options(options: ExplainOptions, spec: NetworkSpec) -> dict[str, Any]:
    """The options with those of the recipe filled in: of each method that is run, and of every measure.

    Args:
      options: As they were asked for.
      spec: The network; curves that change a row a step have as many steps as its clips have rows.
    """
    shared = ("method", "controls", "recipe", "chunk_size", "seed", "precision")
    values: dict[str, Any] = {name: getattr(options, name) for name in shared}
    for name in (*options.method, *options.measures):
        resolved = options.resolve(name)
        values[name] = dataclasses.asdict(resolved)
        if isinstance(resolved, CurveOptions):
            values[name] |= dict(num_steps=count_steps(spec.clip_shape, spec.num_slices, resolved))
    return values
