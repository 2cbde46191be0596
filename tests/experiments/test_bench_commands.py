"""The benchmarks' commands in docstrings and pages are ones that the scripts take."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
import tyro

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "experiments" / "bench"
SCRIPTS = sorted(path.stem for path in BENCH.glob("*.py") if "tyro.cli(Config)" in path.read_text())
PAGES = [ROOT / "README.md", BENCH / "README.md", *ROOT.glob("docs/**/*.md")]


def shown():
    """The commands of docstrings, and what pages show in backquotes: a script's name and its words."""
    texts = [(path, path.read_text().replace("\\\n", " ")) for path in (*PAGES, *BENCH.glob("*.py"))]
    pattern = r"^ *python experiments/bench/(\w+)\.py(.*)$|`(\w+)\.py( [^`]*)?`"
    return [
        (path.name, first or second, shlex.split(words or more, comments=True))
        for path, text in texts
        for first, words, second, more in re.findall(pattern, text, re.MULTILINE)
        if (first or second) in SCRIPTS
    ]


@pytest.mark.parametrize("name", SCRIPTS)
def test_commands_of_a_script(name, capsys):
    """In a page's text the peer's Python may be left out."""
    config = importlib.import_module(name).Config
    needed = ["--torch-python", "python"] if "torch_python" in config.__dataclass_fields__ else []
    found = [(place, words) for place, script, words in shown() if script == name]
    assert any(place == f"{name}.py" for place, _ in found)
    assert any(place == "README.md" for place, _ in found)
    for place, words in found:
        try:
            tyro.cli(config, args=words if "--torch-python" in words or place == f"{name}.py" else words + needed)
        except SystemExit:
            pytest.fail(f"{place}: {name}.py {shlex.join(words)}\n{capsys.readouterr().err}")
