"""The promised names: one page, one list, and a call of each as a user writes it."""

import ast
import re
from pathlib import Path

import jaxsal

ROOT = Path(__file__).parents[1]


def test_the_page_the_package_and_the_typed_calls_have_the_same_names():
    page = (ROOT / "docs/reference/api.md").read_text()
    listed = re.findall(r"^\| `jaxsal\.(\w+)` \|", page, re.MULTILINE)
    calls = ast.parse((ROOT / "tests/typed_calls.py").read_text())
    called = {node.attr for node in ast.walk(calls) if isinstance(node, ast.Attribute) and is_package(node.value)}
    assert sorted(listed) == sorted(called) == sorted([*jaxsal.__all__, "__version__"])


def is_package(node):
    return isinstance(node, ast.Name) and node.id == "jaxsal"


def test_the_version_is_the_installed_one():
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", jaxsal.__version__)
    assert f'version = "{jaxsal.__version__}"' in (ROOT / "pyproject.toml").read_text()
