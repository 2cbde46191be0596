"""The registry of methods, which the runner, the commands, the tables and the docs read.

A method either gives maps of a batch of clips at once (`maps`: gradients), or names masks that it wants scored
(`masks`) and reads maps out of the scores (`read_out`), of any class, at no further pass. A control (`control`) is
measured beside them for comparison, see `jaxsal.saliency.controls`.
"""

from jaxsal import recipes
from jaxsal.core.checks import Options
from jaxsal.core.controls import control_title, other_name
from jaxsal.saliency import (
    cams,
    controls,
    gradcam,
    gradients,
    kernelshap,
    legrad,
    occlusion,
    reciprocam,
    rise,
    scorecam,
    shapley,
    sidu,
)
from jaxsal.saliency.method import Method as Method


def _other(method: Method) -> Method:
    """The control that is a method's map of another clip."""
    return Method(other_name(method.name), control_title("other", method.title), control=controls.other, of=method.name)


_EXPLAINING = (
    *(gradcam.METHOD, rise.METHOD, sidu.METHOD, rise.RIDGE),
    *(kernelshap.METHOD, shapley.METHOD, occlusion.METHOD, scorecam.METHOD),
    *(cams.HIRESCAM, cams.LAYERCAM, cams.GRADCAMPP, reciprocam.METHOD),
    *(gradients.INTEGRATED, gradients.SMOOTHGRAD, legrad.METHOD),
)
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        *_EXPLAINING,
        Method("random", "random", control=controls.random),
        Method("smooth", "smooth", control=controls.smooth),
        *(_other(method) for method in _EXPLAINING),
        Method("centre", "centre", control=controls.centre, seeded=False),
        Method("motion", "motion", control=controls.motion, seeded=False),
        Method("constant", "constant", control=controls.constant, seeded=False),
    )
}
"""By name, controls too; `recipes.METHODS` are those that explain."""


def add_method(method: Method, options: Options) -> None:
    """Makes a further method known everywhere; `options` is a frozen dataclass with its defaults."""
    METHODS[method.name] = method
    METHODS[other_name(method.name)] = _other(method)
    recipes.METHODS[method.name] = method.title
    recipes.add_options(method.name, options)
