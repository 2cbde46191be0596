"""The command line: one verb a job. Results go to standard output, progress to standard error."""

import dataclasses
import os
import shlex
import sys
from importlib.metadata import version
from typing import get_args

from jaxsal.commands.convert import Convert
from jaxsal.commands.data import Data
from jaxsal.commands.demo import Demo
from jaxsal.commands.errors import describe
from jaxsal.commands.evaluate import Evaluate
from jaxsal.commands.explain import Explain
from jaxsal.commands.paper import Paper
from jaxsal.commands.parsing import NoCommandError, note, parse
from jaxsal.commands.report import Report
from jaxsal.commands.sweep import Sweep
from jaxsal.commands.train import Train
from jaxsal.commands.verb import Everywhere, Verb

Command = Demo | Explain | Train | Evaluate | Sweep | Paper | Report | Data | Convert

EVERYWHERE = tuple("--" + field.name.replace("_", "-") for field in dataclasses.fields(Everywhere))
DESCRIPTION = """Saliency maps for multispectral video classifiers.

Results go to standard output, progress and notes to standard error; --json, --debug, --no-cache and --version go with
every verb. jaxsal VERB --help says more of each.

Exit status: 0 done; 1 an error in what was asked for or found; 2 words that are no command; 130 interrupted.

Shell completion: jaxsal --tyro-print-completion bash (or zsh, tcsh) prints a script for the shell.

Example: jaxsal demo --output runs/demo
"""


def main(arguments: list[str] | None = None) -> None:
    """Runs one command.

    Exit status: 0 done; 1 an error in what was asked for or found; 2 words that are no command; 130 interrupted. Each
    but 0 comes with one line on standard error.
    """
    typed = sys.argv[1:] if arguments is None else arguments
    if "--version" in typed:
        print(f"jaxsal {version('jaxsal')}")
        return
    verb: Verb | None = None
    try:
        verb = read_verb(typed)
        run_verb(verb)
    except NoCommandError as error:
        note(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        note("interrupted" + ("; the same command goes on where it was." if verb and verb.goes_on else "."))
        sys.exit(130)
    except BrokenPipeError:  # whoever read the result has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if "--debug" in typed:
            raise
        note(describe(error, verb))
        sys.exit(1)


def read_verb(typed: list[str]) -> Verb:
    """The verb that was typed, with its options.

    Raises:
      NoCommandError: If the words are no command.
      ValueError: If an option's value is not allowed.
    """
    switches = [word for word in typed if word in EVERYWHERE]
    words = [word for word in typed if word not in EVERYWHERE]
    try:
        parsed = parse(Command, [*words, *switches], DESCRIPTION)
    except NoCommandError as error:
        known = [kind.__name__.lower() for kind in get_args(Command)]
        verb = f" {words[0]}" if words and words[0] in known else ""
        raise NoCommandError(f"{error} See `jaxsal{verb} --help`.") from None
    chosen = parsed.job if isinstance(parsed, Data) else parsed
    return dataclasses.replace(chosen, command=shlex.join(["jaxsal", *typed]))


def run_verb(verb: Verb) -> None:
    """Runs a verb on all cores and prints what it gives."""
    from jaxsal.core.devices import use_all_cores

    use_all_cores()
    if not verb.everywhere.no_cache:
        from jaxsal.core.compilation import keep_programs

        keep_programs()
    output = verb.run()
    from jaxsal.core.processes import is_first

    if is_first():
        print(output.json if verb.everywhere.json else output.text, flush=True)


if __name__ == "__main__":
    main()
