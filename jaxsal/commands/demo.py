"""`jaxsal demo`: the main job on the embedded clips."""

from dataclasses import dataclass
from pathlib import Path

from jaxsal.commands.output import Output
from jaxsal.commands.provenance import command_line


@dataclass(frozen=True)
class Demo:
    """Trains a small network on the embedded clips of both spectra, explains held-out actors, measures the maps.

    Example: jaxsal demo --output runs/demo
    """

    output: Path = Path("runs/demo")
    """Folder of the run; a run that was killed goes on where it was."""
    network: str = "resnet3d18"
    """resnet3d18, or pan."""
    seed: int = 0
    """Of the clips, the training and the explaining."""
    num_steps: int | None = None
    """Training steps; as many as the network needs, 640 or 800, if left out."""
    clips_per_spectrum: int = 16
    """Test clips to explain, of each spectrum."""

    def run(self) -> Output:
        """Runs the demo; its table."""
        from jaxsal.demo import run_demo

        found = run_demo(
            self.output,
            network=self.network,
            seed=self.seed,
            num_steps=self.num_steps,
            clips_per_spectrum=self.clips_per_spectrum,
            command=command_line(),
        )
        accuracy = "\n".join(
            f"Test accuracy {spectrum}: {share:.3f} of {count} clips of actors not trained on."
            for spectrum, (share, count) in found["accuracy"].items()
        )
        stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in found["seconds"].items())
        where = f"{stages}. Tables, curves and overlays: {self.output}"
        return Output(f"{accuracy}\n\n{found['table']}\n{where}", found | dict(output=str(self.output)))
