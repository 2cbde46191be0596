"""`jaxsal report`: a run's clips, maps and curves as one page."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.core.checks import check_positive


@dataclass(frozen=True)
class Report(Verb):
    """Writes a run's clips, maps, curves and table as one HTML page that opens from disk and needs no network.

    Example: jaxsal report runs/demo
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of a run of `jaxsal demo`, `explain` or `evaluate`."""
    output: Annotated[Path | None, unset("FOLDER/report.html")] = None
    """HTML file to write."""
    scenes: int = 8
    """Scenes to show, at least 1, spread over the run; the infrared and the visible clip of a scene count as one."""
    max_megabytes: float = 10.0
    """Largest size of the page, in MB, above 0; maps that do not fit are shown with fewer rows and columns."""

    def run(self) -> Output:
        """Writes the page; its place and size."""
        from jaxsal.core.files import write_text
        from jaxsal.report.run import read_run, report_page

        check_positive("scenes", self.scenes)
        if not 0 < self.max_megabytes < math.inf:
            raise ValueError(f"`max_megabytes` must be above 0; got {self.max_megabytes}.")
        run = read_run(self.folder)
        page = report_page(run, num_scenes=self.scenes, max_bytes=round(1e6 * self.max_megabytes))
        output = self.folder / "report.html" if self.output is None else self.output
        write_text(output, page.text)
        for note in page.notes:
            print(f"jaxsal: note: {note}", file=sys.stderr)
        size = len(page.text.encode())
        lines = [f"Report: {output} ({size / 1e6:.1f} MB)", *([run.note] if run.note else [])]
        return Output("\n".join(lines), dict(output=str(output), bytes=size, left_out=run.num_left_out))
