"""The command line: one verb a job. Results go to standard output, progress to standard error."""

import json
import sys
from collections.abc import Collection

import tyro

from jaxsal.commands.convert import Convert
from jaxsal.commands.data import Data
from jaxsal.commands.demo import Demo
from jaxsal.commands.evaluate import Evaluate
from jaxsal.commands.explain import Explain
from jaxsal.commands.paper import Paper
from jaxsal.commands.provenance import note_command_line
from jaxsal.commands.report import Report
from jaxsal.commands.sweep import Sweep
from jaxsal.commands.train import Train

Command = Demo | Explain | Train | Evaluate | Sweep | Paper | Report | Data | Convert

EVERYWHERE = {
    "--json": "print the result as one JSON object instead of text",
    "--no-cache": "do not keep compiled programs in the user's cache folder",
    "--debug": "show where an error came from",
}
DESCRIPTION = "Saliency maps for multispectral video classifiers.\n\nWith every verb:\n" + "\n".join(
    f"  {word:11} {meaning}" for word, meaning in EVERYWHERE.items()
)
DESCRIPTION += """

Exit status: 0 done; 1 an error in what was asked for or found; 2 words that are no command; 130 interrupted.

Shell completion: jaxsal --tyro-print-completion bash (or zsh, tcsh) prints a script for the shell.

Example: jaxsal demo --output runs/demo
"""


def main(arguments: list[str] | None = None) -> None:
    """Runs one command.

    Exit status: 0 done; 1 an error in what was asked for or found, one line on standard error; 2 words that are no
    command; 130 interrupted, the same command goes on where it was.
    """
    typed = sys.argv[1:] if arguments is None else arguments
    switches = {word for word in typed if word in EVERYWHERE}
    note_command_line(typed)
    words = [word for word in typed if word not in switches]
    try:
        run_command(tyro.cli(Command, prog="jaxsal", description=DESCRIPTION, args=words), switches)
    except KeyboardInterrupt:
        print("jaxsal: interrupted; the same command goes on where it was.", file=sys.stderr)
        sys.exit(130)
    except (ValueError, TypeError, OSError) as error:
        if "--debug" in switches:
            raise
        print(f"jaxsal: {getattr(error, 'short', error)}", file=sys.stderr)
        sys.exit(1)


def run_command(command: Command, switches: Collection[str] = ()) -> None:
    """Runs a verb on all cores and prints what it gives.

    Args:
      command: The verb with its options.
      switches: Out of `EVERYWHERE`.
    """
    from jaxsal.devices import use_all_cores

    use_all_cores()
    if "--no-cache" not in switches:
        from jaxsal.compilation import keep_programs

        keep_programs()
    output = command.run()
    from jaxsal.processes import is_first

    if is_first():
        print(json.dumps(output.data) if "--json" in switches else output.text)


if __name__ == "__main__":
    main()
