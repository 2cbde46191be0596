"""The command line: one verb a job. Results go to standard output, progress to standard error."""

import dataclasses
import os
import shlex
import sys
import warnings
from contextlib import nullcontext
from importlib.metadata import version
from typing import TextIO

from jaxsal.commands.convert import Convert
from jaxsal.commands.data import Data
from jaxsal.commands.demo import Demo
from jaxsal.commands.errors import describe
from jaxsal.commands.evaluate import Evaluate
from jaxsal.commands.explain import Explain
from jaxsal.commands.export import Export
from jaxsal.commands.layers import Layers
from jaxsal.commands.paper import Paper
from jaxsal.commands.parsing import parse
from jaxsal.commands.quiet import libraries_quiet
from jaxsal.commands.rank import Rank
from jaxsal.commands.report import Report
from jaxsal.commands.sweep import Sweep
from jaxsal.commands.train import Train
from jaxsal.commands.verb import Switches, Verb
from jaxsal.core.extras import check_installed
from jaxsal.core.signals import exit_status, signals_raised

Command = Demo | Explain | Train | Evaluate | Rank | Sweep | Paper | Report | Data | Convert | Export | Layers

SWITCHES = tuple("--" + field.name.replace("_", "-") for field in dataclasses.fields(Switches))
DESCRIPTION = """Saliency maps for multispectral video classifiers.

Results go to standard output, progress and notes to standard error. Every verb takes --json, --debug, --no-cache and
--version. jaxsal VERB --help lists its options.

Exit status: 0 done; 1 an error; 2 invalid command line; 130 interrupted by Ctrl-C; 143 ended by SIGTERM.

Shell completion: jaxsal --tyro-print-completion bash (or zsh, tcsh) prints a script for the shell.

Example: jaxsal demo --output runs/demo
"""


def main(arguments: list[str] | None = None) -> None:
    """Runs one command.

    Exit status: 0 done; 1 an error, with one line on standard error; 2 invalid command line; 130 interrupted by Ctrl-C;
    143 ended by SIGTERM.
    """
    typed = sys.argv[1:] if arguments is None else arguments
    if "--version" in typed:
        print(f"jaxsal {version('jaxsal')}")
        return
    verb: Verb | None = None
    try:
        os.getcwd()
    except FileNotFoundError:
        _stop("the current folder is gone; change to another one, such as by cd ~.", 1)
    try:
        quiet = nullcontext() if "--debug" in typed else libraries_quiet()
        with signals_raised(), quiet, warnings.catch_warnings():
            warnings.showwarning = _say
            verb = read_verb(typed)
            run_verb(verb)
    except KeyboardInterrupt as error:
        resume = f"; run the same command again to resume: {verb.command}" if verb and verb.resumes else "."
        _stop(f"interrupted{resume}", exit_status(error))
    except BrokenPipeError:  # the reader of the result has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if "--debug" in typed:
            raise
        _stop(describe(error, verb), 1)


def _say(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning as a note: the line of code that gave it says nothing to the user of a command."""
    print(f"jaxsal: {'note' if category is UserWarning else category.__name__}: {message}", file=sys.stderr)


def _stop(message: str, status: int) -> None:
    print(f"jaxsal: {message}", file=sys.stderr)
    sys.exit(status)


def read_verb(typed: list[str]) -> Verb:
    """The verb that was typed, with its options.

    Raises:
      SystemExit: With 2, after a message, if the words cannot be read.
      ValueError: If an option's value is not allowed.
    """
    words = sorted(typed, key=lambda word: word in SWITCHES)  # switches may also come before the verb
    parsed = parse(Command, words, DESCRIPTION)
    verb = parsed.job if isinstance(parsed, Data) else parsed
    return dataclasses.replace(verb, command=shlex.join(["jaxsal", *typed]))


def run_verb(verb: Verb) -> None:
    """Runs a verb on all cores and prints its result."""
    check_installed(*verb.packages)
    from jaxsal.core.devices import use_all_cores

    use_all_cores()
    if not verb.switches.no_cache:
        from jaxsal.core.compilation import keep_programs

        keep_programs()
    output = verb.run()
    from jaxsal.core.processes import is_first

    if is_first():
        print(output.json if verb.switches.json else output.text, flush=True)


if __name__ == "__main__":
    main()
