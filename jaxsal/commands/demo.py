"""`jaxsal demo`: the main job on the embedded clips."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from jaxsal.commands.annotations import left_out, one_of
from jaxsal.commands.output import Output
from jaxsal.commands.verb import Verb


@dataclass(frozen=True)
class Demo(Verb):
    """Trains a small network on the embedded clips of both spectra, explains held-out actors, measures the maps.

    Example: jaxsal demo --output runs/demo
    """

    output: Path = Path("runs/demo")
    """Folder of the run; a run that was killed goes on where it was."""
    network: Annotated[str, one_of("resnet3d18", "pan")] = "resnet3d18"
    """The architecture."""
    seed: int = 0
    """Of the clips, the training and the explaining, at least 0."""
    num_steps: Annotated[int | None, left_out("640; pan 1200")] = None
    """Training steps, at least 1."""
    clips_per_spectrum: int = 16
    """Test clips to explain, of each spectrum; 1 to 64."""
    dry_run: bool = False
    """Open and check what is needed, and say what would be done; nothing is written or computed."""

    goes_on: ClassVar[bool] = True

    def run(self) -> Output:
        """Runs the demo; its table."""
        from jaxsal.commands.demonstration import make_demo, plan_demo, run_demo

        demo = make_demo(
            network=self.network,
            seed=self.seed,
            num_steps=self.num_steps,
            clips_per_spectrum=self.clips_per_spectrum,
        )
        if self.dry_run:
            plan = plan_demo(demo, self.output)
            return Output(plan.text, plan.data)
        found = run_demo(demo, self.output, command=self.command)
        accuracy = "\n".join(
            f"Test accuracy {spectrum}: {share:.3f} of {count} clips of actors not trained on."
            for spectrum, (share, count) in found["accuracy"].items()
        )
        stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in found["seconds"].items())
        where = f"{stages}. Tables, curves and overlays: {self.output}"
        data = dict(accuracy=found["accuracy"], table=found["rows"], seconds=found["seconds"], output=str(self.output))
        return Output(f"{accuracy}\n\n{found['table']}\n{where}", data)
