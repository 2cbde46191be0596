"""The command line: one verb a job. Results go to standard output, progress to standard error."""

import sys

import tyro

from jaxsal.commands.data import Data
from jaxsal.commands.demo import Demo
from jaxsal.commands.evaluate import Evaluate
from jaxsal.commands.explain import Explain
from jaxsal.commands.provenance import note_command_line
from jaxsal.commands.train import Train

Command = Demo | Explain | Train | Evaluate | Data


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; an error is one line on standard error and exit status 1."""
    words = sys.argv[1:] if arguments is None else arguments
    rest = [word for word in words if word != "--debug"]
    note_command_line(rest)
    try:
        command = tyro.cli(Command, prog="jaxsal", args=rest)
        from jaxsal.devices import use_all_cores

        use_all_cores()
        command.run()
    except (ValueError, TypeError, OSError) as error:
        if "--debug" in words:
            raise
        print(f"jaxsal: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
