"""What every public function keeps to, and what the project's text says of itself."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import jaxsal
from jaxsal.commands import cli
from jaxsal.commands.output import Output
from jaxsal.keywords import resolve_options
from jaxsal.recipes import RECIPES

ROOT = Path(__file__).parents[1]
MODULES = [module.name for module in pkgutil.walk_packages(jaxsal.__path__, "jaxsal.")]
METHODS = ["gradcam", "rise", "rise_ledger", "sidu", "score_masks", "deletion", "insertion"]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_imports_and_says_what_it_is(name):
    assert importlib.import_module(name).__doc__


@pytest.mark.parametrize("name", jaxsal.__all__)
def test_public_names_are_documented(name):
    thing = getattr(jaxsal, name)
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing) and name != "insertion":
        for section in ("Args:", "Returns:", "Raises:"):
            assert section in thing.__doc__


def test_type_checkers_the_loader_and_readers_see_the_same_names():
    """Three lists, since type checkers and linters follow neither a computed `__all__` nor a lazy import."""
    tree = ast.parse(Path(jaxsal.__file__).read_text())
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = [alias.name for node in typed.body for alias in node.names]
    assert sorted(imported) == sorted(jaxsal._HOMES) == sorted(jaxsal.__all__)


@pytest.mark.parametrize("name", METHODS)
def test_key_first_options_by_keyword(name):
    parameters = list(inspect.signature(getattr(jaxsal, name)).parameters.values())
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    order = ["key", "score_fn", "classifier", "clip", "masks", "saliency", "target"]
    assert positional == sorted(positional, key=order.index)
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[len(positional) :])


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("method", ["gradcam", "rise", "sidu", "deletion", "insertion"])
def test_every_recipe_has_every_method(recipe, method):
    assert resolve_options(method, recipe, {}) == getattr(RECIPES[recipe], method)


@pytest.mark.parametrize("verb", get_args(cli.Command))
def test_every_verb_shows_an_example_and_gives_an_output(verb):
    assert "\n    Example: jaxsal " in verb.__doc__
    assert inspect.signature(verb.run).return_annotation is Output


def test_files_are_short():
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for path in (ROOT / "jaxsal").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 300
    }
    assert not long


def test_importing_the_command_line_brings_in_nothing_heavy():
    heavy = ("jax", "matplotlib", "av", "orbax", "PIL")
    script = f"import sys, jaxsal.commands.cli; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_readmes_python_is_python_and_its_own_model_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names = {}
    for block in blocks:
        code = compile(block, "README.md", "exec")
        if "from_functions" in block:
            exec(code, names)
    assert names["cam"].shape == (16, 56, 56)


# Reasons that another message wraps, messages that say the row of a table first, and those of another process.
FREE_MESSAGES = {
    *("models/torch_files.py", "datasets/paired.py", "datasets/prepared.py"),
    *("annotations.py", "commands/parsing.py", "processes.py"),
}


def test_messages_name_the_argument_its_rule_and_the_value():
    """Each reads "`argument` must <rule>; got <value>"."""
    free = {}
    for path in (ROOT / "jaxsal").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            message = raised_message(node)
            if message is not None and not re.match(r"`[^`]+`.* must .*; got ", message, re.DOTALL):
                free.setdefault(path.relative_to(ROOT / "jaxsal").as_posix(), []).append(message)
    assert set(free) == FREE_MESSAGES, free


def raised_message(node):
    """The text of a ValueError or TypeError with {} for values, None for other nodes and texts made elsewhere."""
    call = node.exc if isinstance(node, ast.Raise) else None
    if getattr(getattr(call, "func", None), "id", None) not in ("ValueError", "TypeError") or not call.args:
        return None
    parts = call.args[0].values if isinstance(call.args[0], ast.JoinedStr) else [call.args[0]]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
