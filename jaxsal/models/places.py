"""Any layer of a network as activations and a head, and what each layer of it gives and sees."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
from jaxtyping import Array, PyTree

from jaxsal.core.checks import hint
from jaxsal.models.modules import Network, Path
from jaxsal.models.tokens import Positions


def as_path(layer: str | tuple[str, ...]) -> Path:
    """The names of modules within each other, of "layer3/conv1" or "layer3.conv1"; ValueError if there is none."""
    path = tuple(layer.replace("/", ".").split(".")) if isinstance(layer, str) else tuple(layer)
    if not any(path):
        raise ValueError(f"`layer` must be the name of a layer; got {layer!r}.")
    return path


@dataclass(frozen=True)
class Place:
    """A layer of a network.

    Attributes:
      network: The whole network.
      path: Of the layer; in a network of several streams, such as `TwoStream`, within each of them.
      positions: How its outputs lie in the clip.
    """

    network: Network
    path: Path
    positions: Positions

    @property
    def spectra(self) -> dict[Path, str]:
        """By its path in the whole network, the spectrum that the layer sees; empty for one that sees whole clips."""
        streams = streams_of(self.network)
        return {(stream, *self.path): spectrum for spectrum, stream in streams.items()} or {self.path: ""}

    def run(self, change: Callable[[str, Positions, PyTree], PyTree], variables: PyTree, clip: PyTree) -> Array:
        """Logits of a clip, after a change of what the layer gives for each spectrum.

        Raises:
          ValueError: If there is no such layer, or it is called several times.
        """
        spectra, names = self.spectra, list[str]()

        def watch(path: Path, outputs: PyTree) -> PyTree:
            names.append(shown_name(self.network, path))
            if path not in spectra:
                return outputs
            return change(spectra[path], positions_of(self.network, self.positions, outputs, clip), outputs)

        logits = self.network.watched(watch, variables, clip)
        asked = ".".join(self.path)
        if asked not in names:
            raise ValueError(
                f"`layer` must be one of the {len(set(names))} layers that `jaxsal layers` and classifier.layers list; "
                f"got {asked!r}.{hint(asked, list(dict.fromkeys(names)))}"
            )
        if (count := names.count(asked)) > len(spectra):
            raise ValueError(f"`layer` must be called once; got {asked!r}, which is called {count} times.")
        return logits


@dataclass(frozen=True)
class LayerOutput:
    """The activations (t, h, w, d) that a layer gives for one clip; of several streams by spectrum."""

    place: Place

    def __call__(self, variables: PyTree, clip: PyTree) -> PyTree:
        """One pass; what comes after the layer is not needed, so it is not computed."""
        return _layer_output(self.place, variables, clip)


@dataclass(frozen=True)
class AfterLayer:
    """Logits of one clip with other activations in the place of a layer's."""

    place: Place

    def __call__(self, variables: PyTree, activations: PyTree, clip: PyTree) -> Array:
        """One pass; what comes before the layer and goes through it alone is not computed."""
        return _after_layer(self.place, variables, activations, clip)


@partial(jax.jit, static_argnums=(0,))
def _layer_output(place: Place, variables: PyTree, clip: PyTree) -> PyTree:
    found: dict[str, Array] = {}

    def keep(spectrum: str, positions: Positions, outputs: PyTree) -> PyTree:
        found[spectrum] = positions.activations(outputs)
        return outputs

    place.run(keep, variables, clip)
    return found.get("", found)


@partial(jax.jit, static_argnums=(0,))
def _after_layer(place: Place, variables: PyTree, activations: PyTree, clip: PyTree) -> Array:
    def replace(spectrum: str, positions: Positions, outputs: Array) -> Array:
        return positions.outputs(activations[spectrum] if spectrum else activations, outputs)

    return place.run(replace, variables, clip)


def layer_shapes(network: Network, variables: PyTree, clip: PyTree) -> dict[str, tuple[int, ...]]:
    """The shape of what each layer gives for a clip, by path, in the order in which layers end; nothing is computed.

    Tokens have the shape of their grid where the network knows it. Layers of streams, which are alike, are there once.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def watch(path: Path, outputs: PyTree) -> PyTree:
        if hasattr(outputs, "shape"):
            grid = positions_of(network, Positions(), outputs, clip).grid
            inner = outputs.shape if grid is None else (outputs.shape[0], *grid, outputs.shape[-1])
            shapes[shown_name(network, path)] = tuple(inner)
        return outputs

    jax.eval_shape(partial(network.watched, watch), variables, clip)
    return shapes


def streams_of(network: Network) -> dict[str, str]:
    """By spectrum, the name of the module that sees it alone; empty where none does."""
    return dict(getattr(network.model, "streams", {}))


def shown_name(network: Network, path: Path) -> str:
    """A layer as users name it: its path, in streams that are alike without the stream."""
    return ".".join(path[1:] if len(path) > 1 and path[0] in streams_of(network).values() else path)


def positions_of(network: Network, positions: Positions, outputs: PyTree, clip: PyTree) -> Positions:
    """How outputs of a layer lie in the clip; tokens (1, n, d) as the network's own `token_grid` says."""
    model = network.model
    token_grid = getattr(model, "token_grid", None) or getattr(getattr(model, "network", None), "token_grid", None)
    if positions.grid is not None or token_grid is None or len(getattr(outputs, "shape", ())) != 3:
        return positions
    grid = token_grid(tuple(jax.tree.leaves(clip)[0].shape))
    return Positions(grid) if outputs.shape[1] == grid[0] * grid[1] * grid[2] else positions
