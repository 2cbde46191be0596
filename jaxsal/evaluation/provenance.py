"""How a result was made: what was typed, the network, its training, and the options that were in force."""

import dataclasses
from typing import Any

from jaxsal.core.fingerprints import fingerprint
from jaxsal.evaluation.explain import curve_options, rise_overrides, sidu_overrides
from jaxsal.keywords import resolve_options
from jaxsal.metrics.steps import count_steps
from jaxsal.options import MEASURES, ExplainOptions
from jaxsal.training.checkpoint import Checkpoint, origin
from jaxsal.training.networks import NetworkSpec

_OVERRIDES = {"gradcam": lambda options: {}, "rise": rise_overrides, "sidu": sidu_overrides}


def made_by(command: str, options: ExplainOptions, checkpoint: Checkpoint, **notes: Any) -> dict[str, Any]:
    """For run.json: the command, the options in force, this program, and all that the checkpoint knows of itself.

    Args:
      command: What was typed.
      options: How clips were explained.
      checkpoint: What was explained.
      **notes: Further entries.
    """
    return dict(
        command=command,
        seed=options.seed,
        explaining=resolved_options(options, checkpoint.spec),
        network=dataclasses.asdict(checkpoint.spec),
        training=checkpoint.origin,
        step=checkpoint.step,
        weights_sha256=fingerprint(checkpoint.variables),
        **notes,
        **origin(),
    )


def resolved_options(options: ExplainOptions, spec: NetworkSpec) -> dict[str, Any]:
    """The options with what they leave to the recipe filled in: those of each method that is run, and of both curves.

    Args:
      options: As they were asked for.
      spec: Whose clips are explained; curves that change a row a step have as many steps as its clips have rows.
    """
    shared = ("method", "references", "recipe", "chunk_size", "seed", "precision")
    found: dict[str, Any] = {name: getattr(options, name) for name in shared}
    for method in options.method:
        chosen = resolve_options(method, options.recipe, _OVERRIDES[method](options))
        found[method] = dataclasses.asdict(chosen)
    for measure in MEASURES:
        curve = curve_options(options, measure)
        steps = count_steps(spec.clip_shape, spec.num_slices, curve)
        found[measure] = dataclasses.asdict(curve) | dict(num_steps=steps)
    return found
