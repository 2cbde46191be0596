"""`jaxsal report`: a run's clips, maps and curves as one page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxsal.commands.output import Output


@dataclass(frozen=True)
class Report:
    """Writes a run's clips, maps, curves and table as one HTML page that opens from disk and needs no network.

    Example: jaxsal report runs/demo
    """

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run of `jaxsal demo`, `explain` or `evaluate`."""
    output: Path | None = None
    """The page; RUN/report.html if left out."""
    scenes: int = 8
    """Scenes to show at most, spread over the run; the infrared and visible clip of one scene count once."""
    max_megabytes: float = 10.0
    """Size of the page at most, in MB; larger maps are shown at every second, third .. row and column."""

    def run(self) -> Output:
        """Writes the page; gives where it is and its size."""
        from jaxsal.files import write_atomically
        from jaxsal.report.run import report_page

        page = report_page(self.run_folder, num_scenes=self.scenes, max_bytes=round(1e6 * self.max_megabytes))
        output = self.run_folder / "report.html" if self.output is None else self.output
        with write_atomically(output) as file:
            file.write(page.encode())
        size = len(page.encode())
        return Output(f"Report: {output} ({size / 1e6:.1f} MB)", dict(output=str(output), bytes=size))
