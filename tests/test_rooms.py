"""The rooms of the package: few, in one order, with imports that point one way and no circle."""

import ast
import functools
from graphlib import TopologicalSorter
from pathlib import Path

import jaxsal

PACKAGE = Path(jaxsal.__file__).parent
FLOORS = (
    {"core"},
    {"recipes"},
    {"classifier", "models", "datasets"},
    {"engine"},
    {"drawing"},
    {"saliency", "metrics", "training"},
    {"evaluation", "sweep"},
    {"report"},
    {"paper"},
    {"commands"},
)
"""From the ground up; a room imports from floors below its own, and from its neighbours as `NEIGHBOURS` says."""
NEIGHBOURS = {("classifier", "models"), ("sweep", "evaluation"), ("metrics", "saliency")}


def imports(path):
    """Modules of the package that a file imports, wherever the statement stands; those for type checkers left out."""
    found = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jaxsal"):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("jaxsal.")}
    return {name for name in found if PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py").is_file()}


@functools.cache
def modules():
    """What each module of the package imports."""
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): imports(path)
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    }


def room(module):
    """The entry at the top of the package that a module is in."""
    return module.split(".")[1]


def test_rooms_are_few():
    entries = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith("__")} - {"py"}
    assert entries == set().union(*FLOORS)
    assert len(entries) <= 15


def test_imports_point_one_way():
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    wrong = {
        (module, other)
        for module, others in modules().items()
        for other in others
        if room(module) != room(other)
        and floor[room(other)] >= floor[room(module)]
        and (room(module), room(other)) not in NEIGHBOURS
    }
    assert not wrong


def test_no_module_imports_itself_by_way_of_others():
    list(TopologicalSorter(modules()).static_order())


def test_files_are_of_one_subject():
    """A file that grows beyond this has two subjects."""
    long = {str(path): count for path in PACKAGE.rglob("*.py") if (count := path.read_text().count("\n")) > 300}
    assert not long
