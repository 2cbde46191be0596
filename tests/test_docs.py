"""The documentation: it builds without a warning, its Python runs, and its commands are ones that jaxsal takes."""

import dataclasses
import itertools
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

import jaxsal
import runs
import toys
from conftest import shape_checks_off
from jaxsal import recipes
from jaxsal.commands import cli
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explaining_groups, select_cases
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.plan import make_plan
from jaxsal.metrics.measures import MEASURES
from jaxsal.report.folder import explain_to_folder
from jaxsal.saliency.methods import METHODS

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *ROOT.glob("data/**/README.md"),
    *ROOT.glob("docs/**/*.md"),
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
    folders = ["jaxsal/**/*.py", "experiments/**/*.py", "docs/tutorials/*.ipynb", "experiments/**/*.toml"]
    files = [*PAGES, *(path for pattern in folders for path in ROOT.glob(pattern))]
    pattern = r"(?<!`)`jaxsal ([^`\n]+)`|^ *Example: jaxsal (.+)$|^# .*: jaxsal (.+)$"
    return {
        f"{path.relative_to(ROOT)}: {text}": shlex.split(text)
        for path in files
        for found in re.findall(pattern, path.read_text(), re.MULTILINE)
        for text in re.split(r" && jaxsal ", next(filter(None, found)))
    }


@pytest.mark.docs
@pytest.mark.skipif(not find_spec("sphinx"), reason='needs sphinx: pip install -e ".[docs]"')
def test_the_pages_build_without_a_warning(tmp_path):
    quick = ["-D", "toc_object_entries=0"]  # no line for each function beside the text
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", *quick, "docs", str(tmp_path)]
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
    assert len(helps) == 16
    assert max(len(line) for lines in helps for line in lines) <= 88
    public = (tmp_path / "reference" / "api.html").read_text()
    assert all(f'id="jaxsal.{name}"' in public for name in ("Classifier", "RiseLedger", "gradcam", "view"))
    assert 'href="options.html#jaxsal.recipes.study.RiseOptions"' in public


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") <= 150
    assert len(text.split()) <= 1500
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_commands_shown_are_commands():
    for words in (words for page in PAGES for words in commands(page)):
        if words[:1] != ["--tyro-print-completion"]:
            cli.read_verb(words)


def refusal(words, capsys):
    """Why words are no command; nothing if they are."""
    with suppress(SystemExit):
        cli.read_verb(words)
    return capsys.readouterr().err


def test_commands_mentioned_are_commands(capsys, monkeypatch):
    """A mention may leave out what a command needs, but names no verb, option or value that there is not."""
    monkeypatch.setenv("COLUMNS", "1000")
    found = mentions()
    assert any("experiments/sweeps/demo.toml" in place for place in found)
    assert any("jaxsal/commands/explain.py" in place for place in found)
    for place, words in found.items():
        if "VERB" in words or "{" in place or words[0].startswith("--tyro"):
            continue
        said = refusal(words, capsys)
        assert not said or re.search("must be given|must be followed by one of prepare", said), f"{place}: {said}"


def test_the_completion_script_names_the_verbs(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--tyro-print-completion", "bash"])
    assert stopped.value.code in (0, None)
    script = capsys.readouterr().out
    assert all(verb in script for verb in ("demo", "explain", "train", "evaluate"))


def table_of(page, first):
    """The rows of a page's table whose first head is `first`, cells as texts."""
    lines = (ROOT / "docs" / page).read_text().splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] if line.startswith("|") else [] for line in lines]
    start = next(number for number, row in enumerate(rows) if row[:1] == [first])
    return list(itertools.takewhile(bool, rows[start + 2 :]))


def test_the_table_of_methods_and_measures_is_that_of_the_registries():
    """Names, needs, and forward passes against each plan of one clip: N masks, B blocks, d channels, S steps."""
    classifier, clip = toys.pooling_classifier(channels=5), np.zeros((4, 4, 6, 5), np.float32)
    options = dict(num_masks=30, num_samples=3, grid_shape=(2, 2, 2), num_steps=4, measure=("all",))
    values = dict(N=30, B=2 * 2 * 2, G=3, d=5, S=4, R=128)
    methods, measures = table_of("reference/methods.md", "method"), table_of("reference/methods.md", "measure")
    assert [row[:2] for row in methods] == [[name, method.title] for name, method in METHODS.items() if not method.of]
    assert [row[:2] for row in measures] == [
        [n, "low" if m.good < 0 else "high"] for n, m in MEASURES.items() if n not in recipes.ALONE
    ]
    measuring = sum({MEASURES[name].measure: eval(passes, values) for name, _, passes in measures}.values())
    for name, _, needs, passes, random in methods:
        assert (needs == "yes") == METHODS[name].needs_parts
        assert (random == "yes") == METHODS[name].seeded
        chosen = dict(method=(name,), controls=()) if name in recipes.METHODS else dict(controls=(name,))
        groups = explaining_groups(
            classifier, clip.shape, [Case("a", "TV", 0, lambda: clip)], ExplainOptions(**chosen, **options)
        )
        cells = tuple(cell for cell in groups[0].cells if cell.method == name)
        plan, _ = make_plan([dataclasses.replace(groups[0], cells=cells)], None)
        assert plan.passes == 1 + eval(passes, values) + measuring, name


def test_the_table_of_rooms_is_that_of_the_package():
    rooms = [path.stem for path in Path(jaxsal.__file__).parent.iterdir() if not path.name.startswith(("_", "py."))]
    rows = table_of("reference/rooms.md", "room")
    assert sorted(name for name, *_ in rows) == sorted(rooms)
    named = re.findall(r"`(\w+/\w+\.py)`", (ROOT / "docs/reference/rooms.md").read_text())
    named += [f"{room}/{file}" for room, _, files in rows for file in re.findall(r"\w+\.py", files)]
    assert [name for name in named if not (ROOT / "jaxsal" / name).is_file()] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run of `jaxsal evaluate` on toys where the pages say runs/demo is, and a sample video."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "data").symlink_to(ROOT / "data")
    run, spec = folder / "runs" / "demo", runs.SPEC
    checkpoint = runs.save_untrained(run)
    cases = select_cases(spec, runs.clip_set().select(split="test"), 2)
    options = ExplainOptions(num_masks=8, grid_shape=(2, 2, 2), num_steps=3)
    with shape_checks_off():
        explain_to_folder(run, checkpoint, cases, options, command="jaxsal evaluate")
    return folder


@pytest.fixture
def registries():
    """What a page adds to the registries is taken out again."""
    kept = [(registry, dict(registry)) for registry in (METHODS, MEASURES, recipes.METHODS, recipes.ADDED_MEASURES)]
    yield
    for registry, before in kept:
        registry.clear()
        registry.update(before)


@pytest.mark.docs
@pytest.mark.parametrize(
    "page", ["guide", "howto/footage", "howto/model", "howto/cluster", "howto/results", "howto/extend"]
)
def test_the_python_of_a_page_runs(page, folder, monkeypatch, registries, no_shape_checks):
    if page == "howto/results":
        pytest.importorskip("xarray", reason='needs xarray: pip install -e ".[test]"')
    monkeypatch.chdir(folder)
    monkeypatch.setattr("jaxsal.datasets.catalog.synthetic_actions", lambda **_: runs.clip_set())
    code = blocks(ROOT / "docs" / f"{page}.md", "python")
    code = [block for block in code if "distributed.initialize()" not in block]
    names = {}
    for block in code:
        exec(compile(block, f"{page}.md", "exec"), names)
    if page == "howto/results":
        check_results(names)
    if page == "howto/extend":
        check_occlusion(names)


def check_results(names):
    (of_clip,) = (e for e in names["explanations"] if e.name == names["row"]["clip"])
    np.testing.assert_array_equal(names["saliency"], of_clip.maps["RISE"])
    np.testing.assert_array_equal(names["deletion"], of_clip.curves["RISE"][0].scores)
    assert names["profile"].shape == (4, 4)
    assert names["scores"].shape == (8,)
    assert names["of_class_1"].shape == (3,)
    assert len(names["confidence"]) == 4


def check_occlusion(names):
    """The map by scoring the same masks oneself; the measure by its bounds."""
    first, classifier = names["first"], names["spec"].classifier(names["checkpoint"].variables)
    family = names["BlockMasks"]((4, 16, 16), (2, 4, 4))
    scores = jax.nn.softmax(jaxsal.score_masks(classifier, first.clip, family, baseline="mean"))[:, first.target]
    lost = (first.probabilities[first.target] - scores).reshape(2, 4, 4)
    np.testing.assert_allclose(names["saliency"], np.kron(lost, np.ones((2, 4, 4))), atol=1e-6)
    of_others = {"Grad-CAM of another clip", "Patches of another clip"}
    assert set(names["values"]) == {"Grad-CAM", "Patches", "random", "smooth", *of_others}
    assert all(0.1 <= value <= 1 for value in names["values"].values())


RUN = ("report runs/demo", "data list", "convert runs/demo", "explain data/samples", "evaluate --checkpoint runs/demo")
PLANNED = ("demo", "paper --only", "train --data synthetic", "train --data recordings/")


def starting_with(start):
    """The commands of all pages that start so."""
    found = {" ".join(words): words for page in PAGES for words in commands(page)}
    chosen = [words for text, words in found.items() if f"{text} ".startswith(start)]
    assert chosen
    return chosen


@pytest.fixture
def one_device(monkeypatch):
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)


@pytest.mark.docs
@pytest.mark.parametrize("start", RUN)
def test_cheap_commands_run(start, folder, one_device, monkeypatch, tmp_path, capsys, no_shape_checks):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("jaxsal.datasets.catalog.synthetic_actions", lambda **_: runs.clip_set())
    if start.startswith("convert"):
        runs.save_untrained(tmp_path / "runs" / "demo", runs.RESNET)
        monkeypatch.chdir(tmp_path)
    for words in starting_with(start):
        smaller = ["--num-masks", "8", "--num-steps", "3"] if words[0] in ("explain", "evaluate") else []
        cli.main([*words, *smaller])
        assert capsys.readouterr().out


@pytest.mark.docs
@pytest.mark.parametrize("start", PLANNED)
def test_dear_commands_run_dry(start, folder, one_device, monkeypatch, capsys, no_shape_checks):
    """On a set of recordings that is there, in a folder without an earlier run; a network that is drawn is tiny."""
    for arch in ("resnet3d18", "pan") if start != "demo" else ():
        monkeypatch.setitem(runs.NETWORKS, arch, runs.NETWORKS["tiny"])
    runs.save_recordings(folder / "recordings")
    (folder / "fresh").mkdir(exist_ok=True)
    monkeypatch.chdir(folder / "fresh")
    if not Path("recordings").exists():
        Path("recordings").symlink_to(folder / "recordings")
    for words in starting_with(start):
        cli.main([*words, "--dry-run"])
        assert "Nothing was written or computed" in capsys.readouterr().out
    assert [path.name for path in Path().iterdir()] == ["recordings"]
