"""What every public function keeps to, and what the project's text says of itself."""

import ast
import importlib
import inspect
import itertools
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import jaxsal
from jaxsal.commands import cli
from jaxsal.commands.data import Data
from jaxsal.commands.verb import Output
from jaxsal.recipes import RECIPES, Measure, Method, resolve_options

ROOT = Path(__file__).parents[1]


def test_every_module_imports_and_says_what_it_is():
    modules = [module.name for module in pkgutil.walk_packages(jaxsal.__path__, "jaxsal.")]
    assert [name for name in modules if not importlib.import_module(name).__doc__] == []


def test_public_names_are_documented():
    for name in jaxsal.__all__:
        thing = getattr(jaxsal, name)
        assert inspect.getdoc(thing), name
        if inspect.isfunction(thing) and name != "insertion":
            assert all(section in thing.__doc__ for section in ("Args:", "Returns:", "Raises:")), name


def test_type_checkers_the_loader_and_readers_see_the_same_names():
    """Three lists, since type checkers and linters follow neither a computed `__all__` nor a lazy import."""
    tree = ast.parse(Path(jaxsal.__file__).read_text())
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = [alias.name for node in typed.body for alias in node.names]
    assert sorted(imported) == sorted(jaxsal._HOMES) == sorted(jaxsal.__all__)


def public_functions():
    """The public functions, and the public methods of public classes, by name."""
    things = {name: getattr(jaxsal, name) for name in jaxsal.__all__}
    classes = {name: thing for name, thing in things.items() if inspect.isclass(thing)}
    methods = {
        f"{name}.{method}": getattr(thing, method)
        for name, thing in classes.items()
        for kind in inspect.getmro(thing)
        if kind.__module__.startswith("jaxsal")
        for method, member in vars(kind).items()
        if not method.startswith("_") and inspect.isroutine(getattr(member, "__func__", member))
    }
    return {name: thing for name, thing in (things | methods).items() if inspect.isroutine(thing)}


def test_options_are_typed_keywords():
    """An editor and a type checker see each: none hides in `**options`."""
    functions = public_functions()
    assert {"rise", "sidu", "view", "RiseLedger.map", "Classifier.from_model"} <= set(functions)
    for name, function in functions.items():
        parameters = [p for p in inspect.signature(function).parameters.values() if p.name not in ("self", "cls")]
        assert [p.name for p in parameters if p.kind is p.VAR_KEYWORD] == [], name
        assert [p.name for p in parameters if p.annotation is p.empty] == [], name


def test_key_first_options_by_keyword():
    for name in ("gradcam", "rise", "rise_ledger", "sidu", "score_masks", "deletion", "insertion"):
        parameters = list(inspect.signature(getattr(jaxsal, name)).parameters.values())
        positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        order = ["key", "score_fn", "classifier", "clip", "masks", "saliency", "target"]
        assert positional == sorted(positional, key=order.index)
        assert all(p.kind is p.KEYWORD_ONLY for p in parameters[len(positional) :])


def test_annotations_say_more_than_any():
    """What is left are options of methods that others add, values of pickles, and what foreign packages do not type."""
    annotations = [
        node.annotation
        for path in (ROOT / "jaxsal").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.arg | ast.AnnAssign)
    ]
    assert len([hint for hint in annotations if isinstance(hint, ast.Name) and hint.id == "Any"]) <= 30


def test_every_recipe_has_every_method():
    for recipe, method in itertools.product(RECIPES, (*get_args(Method), *get_args(Measure))):
        assert resolve_options(method, recipe, {}) == getattr(RECIPES[recipe], method)


def test_every_verb_shows_an_example_and_gives_an_output():
    jobs = get_args(get_type_hints(Data)["job"])
    for verb in (*(verb for verb in get_args(cli.Command) if verb is not Data), *jobs):
        assert "\nExample: jaxsal " in inspect.getdoc(verb)
        assert inspect.signature(verb.run).return_annotation is Output


@pytest.mark.process
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


# Reasons that another message wraps; of another process; messages that say the row of a table first, what a store
# lacks, which file is damaged, or whose ledger it is.
FREE_MESSAGES = {
    *("models/torch/files.py", "models/torch/unpickler.py", "models/pickles.py", "core/processes.py"),
    *("core/arrays.py", "datasets/paired.py", "datasets/prepared.py"),
    *("evaluation/reading.py", "training/loader.py"),
    *("saliency/ledger.py", "report/view.py"),
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
