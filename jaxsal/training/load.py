"""A trained classifier out of its folder."""

from collections.abc import Sequence
from pathlib import Path

from jaxsal.classifier import Classifier
from jaxsal.core.kinds import check_kinds
from jaxsal.training.transfer import open_network


@check_kinds
def load(checkpoint: str | Path, *, classes: Sequence[str] = ()) -> Classifier:
    """Opens a trained classifier.

    It knows its class names (`.classes`), and in `.spec` the spectra it was trained on, the frames and the size of its
    clips, and how frames are chosen (`.spec.sampler`).

    Args:
      checkpoint: The folder of a run of `jaxsal demo`, `train` or `convert`, or its folder "checkpoints"; or a torch or
        safetensors file with the tensor names of torchvision or of PAN's authors, such as `jaxsal convert` writes; or
        "i3d", the I3D that is trained on Kinetics-400 (extra i3d).
      classes: Names of the classes, in the order of the logits, for files that have none.

    Returns:
      The classifier; of a run, with the newest whole checkpoint.

    Raises:
      FileNotFoundError: If there is nothing, or no checkpoint.
      ValueError: If it is damaged, a file holds another network, or there are not as many names as classes.
      MissingPackageError: If the package with the weights of "i3d" is not installed.

    Example:
      >>> import jaxsal
      >>> classifier = jaxsal.load("runs/demo")  # doctest: +SKIP
      >>> classifier.classes[:2], classifier.spec.clip_shape  # doctest: +SKIP
      (('crouch', 'hand_wave'), (16, 56, 56, 3))
    """
    return open_network(checkpoint, classes).classifier
