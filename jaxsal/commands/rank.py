"""`jaxsal rank`: every method by every measure, and which differences are real."""

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import tyro

from jaxsal.commands.verb import Output, Verb
from jaxsal.core.checks import check_positive
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.recipes import METHODS
from jaxsal.recipes.further import FOR_TOKENS

if TYPE_CHECKING:
    from jaxsal.evaluation.cells import Case
    from jaxsal.evaluation.reading import Place
    from jaxsal.evaluation.store import Store
    from jaxsal.report.ranking import ClipScores


FILES = ("results", "ranking.md", "ranking.png", "ranking.csv", "differences.csv", "agreement.csv")


def _every_method() -> ExplainOptions:
    """Every method of any network by every measure, beside noise and the same method's map of another clip."""
    methods = tuple(name for name in METHODS if name not in FOR_TOKENS)
    return ExplainOptions(method=methods, measure=("all",), controls=("smooth", "other"))


@dataclass(frozen=True)
class Rank(Verb):
    """Ranks methods by measures on the test clips of a set, and says which differences are real.

    Example: jaxsal rank --checkpoint runs/demo --num-masks 250 --num-steps 12 --output runs/ranking
    """

    checkpoint: Path
    """Folder of a run of `jaxsal demo`, `train` or `convert`; or a weight file, as for `jaxsal explain`."""
    data: Annotated[str, tyro.conf.arg(metavar="SET")] = "synthetic"
    """"synthetic", the name of a prepared set, or a folder with IR/, TV/ and segments.csv."""
    output: Path = Path("runs/ranking")
    """Folder for the tables and the figure; the same command resumes an interrupted ranking."""
    spectra: tuple[Literal["IR", "TV"], ...] = ("IR", "TV")
    """Spectra whose clips are pooled; a scene of a fused network counts as one clip."""
    clips_per_spectrum: int = 16
    """Test clips per spectrum, at least 1; all clips if the set has fewer."""
    dry_run: bool = False
    """Check the inputs and print what would be done; nothing is written or computed."""
    options: Annotated[ExplainOptions, tyro.conf.arg(name="")] = field(default_factory=_every_method)

    resumes: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("matplotlib",)

    def run(self) -> Output:
        """Explains and measures test clips of every spectrum of the set; the tables."""
        from jaxsal.core.files import write_text
        from jaxsal.core.locks import hold_folder
        from jaxsal.datasets.catalog import open_clips
        from jaxsal.drawing.plots import save_figure
        from jaxsal.evaluation.cases import select_cases
        from jaxsal.evaluation.explain import FOLDER, explain_each
        from jaxsal.evaluation.outline import outline_explaining
        from jaxsal.report.ranking import draw_ranking, rank
        from jaxsal.report.run_table import tables_text
        from jaxsal.report.sheet import to_csv, to_records
        from jaxsal.training.transfer import open_network

        self.options.check()
        check_positive("clips_per_spectrum", self.clips_per_spectrum)
        checkpoint = open_network(self.checkpoint)
        spec = checkpoint.spec
        training = checkpoint.origin.get("options", {"seed": 0})  # a converted network was not trained here
        clip_set = open_clips(self.data, height=spec.size, num_frames=spec.num_frames, seed=training["seed"])
        spectra = None if spec.channels else self.spectra
        cases = select_cases(spec, clip_set.select(split="test", spectra=spectra), self.clips_per_spectrum)
        if self.dry_run:
            outline = outline_explaining(spec, checkpoint.variables, cases, self.options, self.output, keep_clips=False)
            outline = dataclasses.replace(outline, files=FILES)
            return Output(outline.text, outline.data)
        with hold_folder(self.output, "ranking"):
            scores, _ = explain_each(
                spec.classifier(checkpoint.variables),
                cases,
                self.options,
                partial(_scores, self.options),
                self.output / FOLDER,
                keep_clips=False,
                clip_shape=spec.clip_shape,
                channels=tuple(spec.channels.items()),
                classes=spec.classes,
                progress=True,
            )
            ranking = rank(scores)
            table, _, agreement = ranking.sheets
            text = f"{table.note}\n\n{tables_text([table, agreement])}"
            write_text(self.output / "ranking.md", text)
            for sheet in ranking.sheets:
                write_text(self.output / f"{sheet.name}.csv", to_csv(sheet))
            save_figure(self.output / "ranking.png", draw_ranking(ranking))
        data = {sheet.name: to_records(sheet) for sheet in ranking.sheets}
        return Output(f"{text}\nTables and figure: {self.output}", data | dict(output=str(self.output)))


def _scores(options: ExplainOptions, store: "Store", case: "Case", place: "Place") -> "ClipScores":
    from jaxsal.evaluation.reading import read_without_clip
    from jaxsal.report.ranking import clip_scores

    mask = None if case.load_mask is None else case.load_mask()
    return clip_scores(read_without_clip(store, place, options), mask)
