"""`jaxsal report`: a run's clips, maps and curves as one page."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from jaxsal.commands.annotations import left_out
from jaxsal.commands.output import Output
from jaxsal.commands.verb import Verb


@dataclass(frozen=True)
class Report(Verb):
    """Writes a run's clips, maps, curves and table as one HTML page that opens from disk and needs no network.

    Example: jaxsal report runs/demo
    """

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run of `jaxsal demo`, `explain` or `evaluate`."""
    output: Annotated[Path | None, left_out("RUN/report.html")] = None
    """The page."""
    scenes: int = 8
    """Scenes to show, 1 or more, spread over the run; the infrared and visible clip of one scene count once."""
    max_megabytes: float = 10.0
    """Size of the page at most, in MB, above 0; larger maps are shown at every second, third .. row and column."""

    renamed: ClassVar[Mapping[str, str]] = {"num_scenes": "scenes", "max_bytes": "max_megabytes"}

    def run(self) -> Output:
        """Writes the page; gives where it is and its size."""
        from jaxsal.core.files import write_atomically
        from jaxsal.report.run import report_page

        page = report_page(self.run_folder, num_scenes=self.scenes, max_bytes=round(1e6 * self.max_megabytes))
        output = self.run_folder / "report.html" if self.output is None else self.output
        with write_atomically(output) as file:
            file.write(page.encode())
        size = len(page.encode())
        return Output(f"Report: {output} ({size / 1e6:.1f} MB)", dict(output=str(output), bytes=size))
