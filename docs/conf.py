"""Settings of the documentation: pages in Markdown, the reference and the commands' help from the code itself.

`sphinx-build -W docs docs/_build` makes the pages. With JAXSAL_DOCS_RUN=1 set, the tutorials are executed and shown
with their outputs, which are kept for the next build. They need `runs/demo`, see `docs/tutorials/index.md`.
"""

import ast
import dataclasses
import functools
import inspect
import io
import os
import pkgutil
import re
import sys
import textwrap
from contextlib import redirect_stdout, suppress
from importlib.metadata import version as _version
from importlib.util import find_spec
from pathlib import Path
from typing import get_args, get_type_hints
from unittest import mock

from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

project = "jaxsal"
author = "the jaxsal authors"
copyright = "the jaxsal authors, MIT licence"
release = version = _version("jaxsal")
exclude_patterns = ["_build", "tutorials/runs"]
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb", "sphinx_design"]
nb_execution_mode = "cache" if os.environ.get("JAXSAL_DOCS_RUN") else "off"
nb_execution_cache_path = os.path.join(os.path.dirname(__file__), "_build", "executed")
nb_execution_timeout = 1800
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"
linkcheck_ignore = [r"https://doi\.org/.*", r"https://ieeexplore\.ieee\.org/.*"]  # they refuse programs
html_theme = "furo"
html_title = f"jaxsal {release}"
html_show_sphinx = False
default_role = "code"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["ref.python"]  # annotations as they are written may name one of several classes
napoleon_use_ivar = True
napoleon_attr_annotations = False  # they would stand for what annotations mean, not as they are written
autodoc_member_order = "bysource"
autodoc_use_type_comments = False

_HELP_WIDTH = "88"  # fits the theme's column


class _AsWritten(str):
    """An annotation that is shown as it stands in the source."""

    def __repr__(self):
        return str(self)


@functools.cache
def definitions_of(module):
    """The classes and functions of a module as syntax trees, by qualified name."""
    found = {}
    path = getattr(sys.modules.get(module), "__file__", None) or ""

    def collect(tree, prefix):
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found[prefix + node.name] = node
            if isinstance(node, ast.ClassDef):
                collect(node, f"{prefix}{node.name}.")

    if path.endswith(".py"):
        collect(ast.parse(Path(path).read_text()), "")
    return found


def signature_as_written(app, what, name, obj, options, signature, return_annotation):
    """Shows annotations as they are written, `Clip` or `Float[Array, "T H W"]`, not as what they stand for."""
    if what not in ("class", "exception", "function", "method"):
        return None
    has_fields = inspect.isclass(obj) and (dataclasses.is_dataclass(obj) or hasattr(obj, "_fields"))
    source = inspect.unwrap(obj.__init__ if inspect.isclass(obj) and not has_fields else obj)
    try:
        shown = inspect.signature(obj)
        written = definitions_of(source.__module__)[source.__qualname__]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    if isinstance(written, ast.ClassDef):
        fields = [line for line in written.body if isinstance(line, ast.AnnAssign)]
        annotations = {line.target.id: line.annotation for line in fields}
    elif isinstance(written, ast.FunctionDef):
        arguments = [*written.args.posonlyargs, *written.args.args, *written.args.kwonlyargs]
        annotations = {a.arg: a.annotation for a in arguments if a.annotation}
    else:
        return None
    texts = {
        name: _AsWritten(ast.unparse(written_type).replace("' ", "'")) for name, written_type in annotations.items()
    }
    parameters = [p.replace(annotation=texts.get(p.name, p.annotation)) for p in shown.parameters.values()]
    if what == "method" and parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    text = str(shown.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    text = re.sub(r"<function ([\w.]+) at 0x\w+>", r"\1", text)
    returns = getattr(written, "returns", None)
    return text, ast.unparse(returns) if returns else None


def linked(code):
    """A full name in backticks as a link to its description."""
    return f":py:obj:{code}" if re.fullmatch(r"`jaxsal(\.\w+)+`", code) else code


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
            line = re.sub(r"(`[^`]*`)|(\||\*(?=\S))", lambda m: linked(m[1]) if m[1] else "\\" + m[2], line)
        found.append(line)
    lines[:] = found


def skip_aliases(app, what, name, obj, skip, options):
    """Leaves out the fields of named tuples, which the class itself describes."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field number") else None


def modules_of(package, chosen=None):
    """A heading and the reference of the modules of a package, its subpackages aside.

    Args:
      package: Its name.
      chosen: Names of modules, "recipes options", or "but" and those that are left out; all if None.
    """
    names = [m.name for m in pkgutil.iter_modules(find_spec(package).submodule_search_locations)]
    names = [name for name in names if not find_spec(f"{package}.{name}").submodule_search_locations]
    first, *others = (chosen or "but").split()
    names = [name for name in names if name not in others] if first == "but" else [first, *others]
    pages = [] if chosen else [f"```{{eval-rst}}\n.. automodule:: {package}\n   :no-members:\n```"]
    for name in (f"{package}.{name}" for name in names):
        pages.append(f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```")
    return "\n\n".join(pages)


def help_of(words):
    """What a command says of itself."""
    from jaxsal.commands import cli

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
    from jaxsal.commands import cli

    found = []
    for verb in get_args(cli.Command):
        jobs = get_args(get_type_hints(verb).get("job"))
        found += [(verb.__name__.lower(), job.__name__.lower()) for job in jobs] or [(verb.__name__.lower(),)]
    return "\n\n".join(map(help_of, found))


def public_names():
    """A row for each name of the package: a link to where it is described, and its first line."""
    import jaxsal

    rows = []
    for name in jaxsal.__all__:
        thing, module = getattr(jaxsal, name), inspect.ismodule(getattr(jaxsal, name))
        rows.append(f"| {{{'any' if module else 'py:obj'}}}`jaxsal.{name}` | {inspect.getdoc(thing).splitlines()[0]} |")
    return "\n".join(rows)


def public_reference():
    """The description of each name of the package, under the name that a user writes."""
    import jaxsal

    described = []
    for name in (name for name in jaxsal.__all__ if not inspect.ismodule(getattr(jaxsal, name))):
        kind = "class" if inspect.isclass(getattr(jaxsal, name)) else "function"
        members = "\n   :members:\n   :special-members: __call__" if kind == "class" else ""
        described.append(f"## {name}\n\n```{{eval-rst}}\n.. auto{kind}:: jaxsal.{name}{members}\n```")
    return "\n\n".join(described)


def method_options():
    """A row for each option of a method or measure: its default in every recipe, and the class that describes it."""
    from jaxsal.recipes import RECIPES

    rows = []
    for method in ("gradcam", "rise", "sidu", "deletion", "insertion"):
        options = [getattr(recipe, method) for recipe in RECIPES.values()]
        home = f"{type(options[0]).__module__}.{type(options[0]).__qualname__}"
        rows.append(f"| **{method}**: {{py:obj}}`{home}` | {' | '.join('' for _ in options)} |")
        for field in dataclasses.fields(options[0]):
            defaults = " | ".join(f"`{getattr(each, field.name)!r}`" for each in options)
            rows.append(f"| `{field.name}` | {defaults} |")
    heads = " | ".join(RECIPES)
    return f"| option | {heads} |\n|---|{'---|' * len(RECIPES)}\n" + "\n".join(rows)


FILLED_IN = {
    "help of every verb": help_of_every_verb,
    "public names": public_names,
    "public reference": public_reference,
    "options of methods": method_options,
}


class ExactReferences(SphinxPostTransform):
    """Spares a search through all objects to references to names that none of them has, `int` or `Array`."""

    default_priority = 5  # before references are resolved

    def run(self, **_):
        """Drops the mark that asks for the search."""
        known = {name.rpartition(".")[2] for name in self.env.domains.python_domain.objects}
        for reference in self.document.findall(addnodes.pending_xref):
            if "refspecific" in reference and reference["reftarget"].rpartition(".")[2] not in known:
                del reference["refspecific"]


def fill_in(app, docname, source):
    """Fills in the lines of a page that begin with %%: they stand for what the code says."""
    asked = re.compile(r"^%% modules of ([^\s:]+)(?:: (.+))?$", flags=re.MULTILINE)
    source[0] = asked.sub(lambda found: modules_of(found[1], found[2]), source[0])
    for line, text in FILLED_IN.items():
        source[0] = re.sub(rf"^%% {line}$", lambda _, text=text: text(), source[0], flags=re.MULTILINE)


def setup(app):
    """Connects the above."""
    app.connect("autodoc-process-signature", signature_as_written)
    app.connect("autodoc-process-docstring", docstring_as_rst, priority=400)
    app.connect("autodoc-skip-member", skip_aliases)
    app.add_post_transform(ExactReferences)
    app.connect("source-read", fill_in)
