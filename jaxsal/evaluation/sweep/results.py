"""A sweep's store in a notebook: a table of results, and the maps and scores behind it, opened lazily."""

from pathlib import Path
from typing import Any, NamedTuple

from jaxsal.evaluation.sweep.export import result_rows
from jaxsal.evaluation.sweep.store import Store


class Results(NamedTuple):
    """What a store holds.

    Attributes:
      url: The store.
      rows: One per cell and clip that is done, as `jaxsal sweep --export` writes them; `cell` and `ledger` are the
        names of what `dataset` opens.
    """

    url: str
    rows: list[dict[str, Any]]

    def dataset(self, name: str) -> Any:
        """The arrays of a cell or of a ledger as an `xarray.Dataset` that reads what is asked of it.

        A cell has `saliency` (clip, time, row, column), `results` (clip, field), and `deletion` and `insertion`
        (clip, step) where maps were measured; a ledger has `logits` (clip, mask, class) and `clip_logits`
        (clip, class). Clips, classes and fields are chosen by name.

        Args:
          name: `cell` or `ledger` of a row.

        Raises:
          ImportError: If xarray or zarr is not installed.
          ValueError: If the store has neither.
        """
        import xarray

        store = Store(self.url)
        kinds = [kind for kind in ("cells", "ledgers") if name and store.has(f"{kind}/{name}")]
        if not kinds:
            raise ValueError(f"`name` must be a cell or a ledger of {self.url}; got {name!r}.")
        return xarray.open_zarr(self.url, group=f"{kinds[0]}/{name}", consolidated=False)


def open_results(store: str | Path) -> Results:
    """Opens what a sweep has found so far.

    Args:
      store: The folder or URL that the sweep's config names.

    Raises:
      FileNotFoundError: If there is no store.
      ValueError: If a description in it is damaged.
    """
    return Results(str(store), list(result_rows(Store(str(store)))))
