import json
import time

import accelerator
import accelerator_methods
import accelerator_numbers
import numpy as np
import pytest
from accelerator_bench import Bench
from accelerator_numbers import of_hlo, reference, what_is_wrong

import runs

pytestmark = pytest.mark.usefixtures("no_shape_checks")
NAMES = [step.name for step in accelerator.STEPS]


@pytest.mark.nightly
def test_the_reference_is_that_of_the_networks():
    """Of the quickest to compile; on a CPU in float32 the numbers differ by rounding alone."""
    stored = np.load(accelerator_numbers.REFERENCE)
    found = reference(["resnet3d18"], [4])
    assert {f"{name} {width} logits" for name in accelerator_numbers.SUBJECTS for width in (4, 64)} < set(stored)
    assert set(found) == {"resnet3d18 4 logits", "resnet3d18 4 map"}
    for name, values in found.items():
        np.testing.assert_allclose(values, stored[name], atol=1e-4 * np.abs(stored[name]).max())


def test_a_dry_run_goes_through_all_steps(tmp_path, monkeypatch):
    """With a network that compiles fast, and without processes of their own."""
    assert "tiny" in runs.NETWORKS
    np.savez(tmp_path / "reference.npz", **reference(["tiny"], [4]))
    monkeypatch.setattr(accelerator_numbers, "REFERENCE", tmp_path / "reference.npz")
    monkeypatch.setattr(accelerator_methods, "rise_alone", lambda *_: dict(peak_mb=2.0, program_mb=1.0))
    accelerator.main(accelerator.Config(quick=True, networks=("tiny",), output=tmp_path))

    found = json.loads((tmp_path / "accelerator.json").read_text())["steps"]
    assert {name: state["outcome"] for name, state in found.items()} == dict.fromkeys(NAMES, "done")
    assert found["correctness"]["follows"] == ["All 3 sets of logits are within their bounds of a CPU's."]
    assert found["correctness"]["rows"][0]["spearman_of_map"] > 0.999
    assert [row["layout"] for row in found["program"]["rows"] if "masks_per_second" in row] == [
        "default",
        "NHWC",
        "NCHW",
    ]
    assert found["torch"]["rows"] == [dict(variant="torch", left_out="no --torch-python was given")]
    assert not [row for state in found.values() for row in state["rows"] if "refused" in row]
    assert len({row["gflop"] for row in found["forms"]["rows"]}) == 3  # three programs, not one three times
    report = (tmp_path / "accelerator.md").read_text()
    assert all(step.question in report for step in accelerator.STEPS)
    assert "RISE of 16 masks takes" in report


BENCH = Bench(("tiny",), quick=False)


def step(rows, seconds=60):
    return accelerator.Step("toy", "Does it run?", seconds, rows, lambda rows: [f"{len(rows)} rows."])


def last_states(steps, seconds):
    found = dict()
    for name, state in accelerator.run(steps, BENCH, time.monotonic() + seconds):
        found[name] = state
    return found


def test_a_step_that_does_not_fit_is_passed_over():
    ran = last_states([step(lambda bench: pytest.fail("run"))], 20)["toy"]
    assert ran["outcome"].startswith("passed over: 20 s left of 30 s")
    assert last_states([step(lambda bench: iter([{}]))], 40)["toy"]["outcome"] == "done"


def test_a_step_ends_when_the_next_ones_need_the_time_and_keeps_its_rows():
    def endless(bench):
        while True:
            time.sleep(0.02)
            yield {"number": 1}

    second = step(lambda bench: iter([{}]), seconds=100)._replace(name="second")
    found = last_states([step(endless, seconds=0.1), second], 100.05)
    assert found["toy"]["outcome"].endswith("rows, when its time was over")
    assert found["toy"]["follows"] == [f"{len(found['toy']['rows'])} rows."]
    assert found["second"]["outcome"] == "done"


@pytest.mark.filterwarnings("ignore")
def test_a_step_that_fails_keeps_its_rows_and_does_not_end_the_run():
    def fail(bench):
        yield {"number": 1}
        raise ValueError("no such layout")

    state = last_states([step(fail)], 70)["toy"]
    assert (state["outcome"], state["rows"]) == ("failed: ValueError: no such layout", [{"number": 1}])


def test_a_conclusion_that_fails_leaves_the_rows():
    toy = step(lambda bench: iter([{"number": 1}]))._replace(follows=lambda rows: rows[0]["missing"])
    state = last_states([toy], 70)["toy"]
    assert (state["outcome"], state["rows"]) == ("done", [{"number": 1}])
    assert state["follows"] == ["Nothing follows: KeyError: 'missing'"]


def test_steps_that_are_run_later_join_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(accelerator, "STEPS", [step(lambda bench: iter([{}]))._replace(name=name) for name in "ab"])
    for name in "ab":
        accelerator.main(accelerator.Config(steps=(name,), quick=True, output=tmp_path))
    found = json.loads((tmp_path / "accelerator.json").read_text())["steps"]
    assert {name: state["outcome"] for name, state in found.items()} == dict(a="done", b="done")


def test_a_row_that_does_not_end_ends_the_process(tmp_path, monkeypatch):
    """The interpreter's own watchdog, which needs no help of what hangs, is on during the run alone."""
    calls = []
    monkeypatch.setattr(accelerator.faulthandler, "dump_traceback_later", lambda *args, **named: calls.append(named))
    monkeypatch.setattr(accelerator.faulthandler, "cancel_dump_traceback_later", lambda: calls.append("off"))
    monkeypatch.setattr(accelerator, "record", lambda *_: calls.append("run"))
    accelerator.main(accelerator.Config(quick=True, output=tmp_path))
    assert calls == [dict(exit=True), "run", "off"]


def test_a_whole_run_needs_an_accelerator(tmp_path):
    with pytest.raises(SystemExit, match="JAX has no accelerator, only .*Install jax\\[cuda13\\], or take --quick"):
        accelerator.main(accelerator.Config(output=tmp_path))


def test_numbers_that_json_cannot_hold_are_written_as_text():
    assert accelerator.writable(dict(error=float("nan"), bound=0.1, name="exact")) == dict(
        error="nan", bound=0.1, name="exact"
    )


def test_unknown_steps_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`steps` must be of .*'program'.*; got \\['speed'\\]"):
        accelerator.main(accelerator.Config(steps=("speed",), output=tmp_path))


def test_logits_that_are_off_are_named():
    row = dict(network="pan 64", precision="bfloat16", error_of_logits=0.2, bound=0.05)
    nan = row | dict(precision="exact", error_of_logits=float("nan"))
    assert what_is_wrong([row, nan]) == [
        "pan 64, bfloat16: logits are off by 2.0e-01.",
        "pan 64, exact: logits are off by nan.",
    ]


def test_copies_and_layouts_are_read_from_a_program():
    """What is before the loop, or in no computation of it, does not count as copied in it."""
    text = """HloModule toy

%fused (p: bf16[5,7]) -> bf16[7,5] {
  ROOT %t = bf16[7,5]{1,0:T(8,128)} transpose(%p), dimensions={1,0}
}

%body.1 (q: (s32[], f32[2])) -> (s32[], f32[2]) {
  %u = bf16[7,5]{1,0} fusion(%v), kind=kLoop, calls=%fused
  %d = f32[8]{0} convolution(%e, %f), window={size=3}, dim_labels=b012f_012io->b012f, metadata={}
  ROOT %c = f32[8]{0} custom-call(%g, %h), custom_call_target="__cudnn$convForward", dim_labels=bf01_oi01->bf01
}

ENTRY %main (x: f32[2,3,40]) -> f32[2] {
  %a = f32[2,3,40]{2,1,0} copy(%x)
  ROOT %w = (s32[], f32[2]) while(%i), condition=%condition, body=%body.1
}
"""
    assert of_hlo(text) == dict(
        convolutions="1 b012f_012io->b012f, 1 bf01_oi01->bf01",
        calls="1 __cudnn$convForward",
        copies_in_loop=1,
        largest_copy_in_loop=35,
    )
