"""Settings of the documentation: pages in Markdown, the reference and the commands' help from the code itself.

`sphinx-build -W docs docs/_build` makes the pages.
"""

import ast
import inspect
import io
import os
import pkgutil
import re
import textwrap
from contextlib import redirect_stdout, suppress
from importlib.metadata import version as _version
from importlib.util import find_spec
from typing import get_args, get_type_hints
from unittest import mock

project = "jaxsal"
author = "the jaxsal authors"
copyright = "the jaxsal authors, MIT licence"
release = version = _version("jaxsal")
exclude_patterns = ["_build"]
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
html_theme = "furo"
html_title = f"jaxsal {release}"
html_show_sphinx = False
default_role = "code"
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
suppress_warnings = ["ref.python"]  # annotations as they are written may name one of several classes
napoleon_use_ivar = True
autodoc_member_order = "bysource"

_HELP_WIDTH = "88"  # fits the theme's column


class _AsWritten(str):
    """An annotation that is shown as it stands in the source."""

    def __repr__(self):
        return str(self)


def signature_as_written(app, what, name, obj, options, signature, return_annotation):
    """Shows annotations as they are written, `Clip` or `Float[Array, "T H W"]`, not as what they stand for."""
    function = obj.__init__ if inspect.isclass(obj) else inspect.unwrap(obj) if callable(obj) else None
    try:
        shown = inspect.signature(obj)
        written = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, ValueError, IndentationError):
        return None
    if not isinstance(written, ast.FunctionDef):
        return None
    arguments = [*written.args.posonlyargs, *written.args.args, *written.args.kwonlyargs]
    texts = {a.arg: _AsWritten(ast.unparse(a.annotation)) for a in arguments if a.annotation}
    parameters = [p.replace(annotation=texts.get(p.name, p.annotation)) for p in shown.parameters.values()]
    if what == "method" and parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    text = str(shown.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    return text, ast.unparse(written.returns) if written.returns else None


def docstring_as_rst(app, what, name, obj, options, lines):
    """Makes what is Markdown in a docstring readable as reStructuredText: tables, bars, results with a colon."""
    found = []
    for previous, line in zip(["", *lines], lines, strict=False):
        if line.lstrip().startswith((">>>", "...")):
            pass
        elif line.startswith("|"):
            found += [] if previous.startswith("|") else ["::", ""]
            line = "   " + line
        elif previous.strip() == "Returns:" and ":" in line:
            line = re.sub(r"\S", r": \g<0>", line, count=1)
        else:
            line = re.sub(r"(`[^`]*`)|(\||\*(?=\S))", lambda m: m[1] or "\\" + m[2], line)
        found.append(line)
    lines[:] = found


def skip_aliases(app, what, name, obj, skip, options):
    """Leaves out the fields of named tuples, which the class itself describes."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field number") else None


def modules_of(package):
    """A heading and the reference of every module of a package, its subpackages aside."""
    names = [f"{package}.{m.name}" for m in pkgutil.iter_modules(find_spec(package).submodule_search_locations)]
    names = [name for name in names if not find_spec(name).submodule_search_locations]
    pages = [f"```{{eval-rst}}\n.. automodule:: {package}\n   :no-members:\n```"]
    for name in names:
        pages.append(f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```")
    return "\n\n".join(pages)


def help_of(words):
    """What a command says of itself."""
    from jaxsal import cli

    printed = io.StringIO()
    with mock.patch.dict(os.environ, COLUMNS=_HELP_WIDTH), redirect_stdout(printed), suppress(SystemExit):
        cli.main([*words, "--help"])
    lines = [
        textwrap.wrap(line, int(_HELP_WIDTH)) if len(line) > int(_HELP_WIDTH) else [line]
        for line in map(str.rstrip, printed.getvalue().strip().splitlines())
    ]
    text = "\n".join(part for line in lines for part in line)
    return f"## {' '.join(words)}\n\n```text\n{text}\n```"


def help_of_every_verb():
    """A heading and the help of every verb and of the jobs that a verb has."""
    from jaxsal import cli

    found = []
    for verb in get_args(cli.Command):
        jobs = get_args(get_type_hints(verb).get("job"))
        found += [(verb.__name__.lower(), job.__name__.lower()) for job in jobs] or [(verb.__name__.lower(),)]
    return "\n\n".join(map(help_of, found))


def public_names():
    """A row for each name of the package: where it is described, and its first line."""
    import jaxsal

    rows = []
    for name in jaxsal.__all__:
        thing = getattr(jaxsal, name)
        home = thing.__name__ if inspect.ismodule(thing) else f"{thing.__module__}.{thing.__qualname__}"
        rows.append(f"| {{any}}`{name} <{home}>` | {inspect.getdoc(thing).splitlines()[0]} |")
    return "\n".join(rows)


def fill_in(app, docname, source):
    """Fills in the lines of a page that begin with %%: they stand for what the code says."""
    source[0] = re.sub(r"^%% modules of (\S+)$", lambda found: modules_of(found[1]), source[0], flags=re.MULTILINE)
    for line, text in (("%% help of every verb", help_of_every_verb), ("%% public names", public_names)):
        if line in source[0]:
            source[0] = source[0].replace(line, text())


def setup(app):
    """Connects the above."""
    app.connect("autodoc-process-signature", signature_as_written)
    app.connect("autodoc-process-docstring", docstring_as_rst, priority=400)
    app.connect("autodoc-skip-member", skip_aliases)
    app.connect("source-read", fill_in)
