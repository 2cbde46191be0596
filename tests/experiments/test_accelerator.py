import json
import time

import accelerator
import numpy as np
import pytest
from accelerator_numbers import Bench, Table, of_hlo

pytestmark = pytest.mark.usefixtures("no_shape_checks")


def test_a_dry_run_writes_what_it_finds(tmp_path):
    accelerator.main(accelerator.Config(quick=True, minutes=9, steps=("program",), output=tmp_path))
    (found,) = json.loads((tmp_path / "accelerator.json").read_text())["steps"].values()
    assert found["outcome"] == "done"
    assert [row["layout"] for row in found["rows"]] == ["default"]
    assert "the compiled loop" in (tmp_path / "accelerator.md").read_text()


def bench(seconds):
    return Bench(quick=False, limit=time.monotonic() + seconds)


def step(run):
    return accelerator.Step("toy", "Does it run?", 60, run)


def test_a_step_that_does_not_fit_is_passed_over():
    outcome = accelerator.run_step(step(lambda bench: pytest.fail("run")), bench(50))["outcome"]
    assert outcome.startswith("passed over: ")
    assert accelerator.run_step(step(lambda bench: Table([], [])), bench(70))["outcome"] == "done"


@pytest.mark.filterwarnings("ignore")
def test_a_step_that_fails_does_not_end_the_run():
    def fail(bench):
        raise ValueError("no such layout")

    assert accelerator.run_step(step(fail), bench(70))["outcome"] == "failed: ValueError: no such layout"


def test_unknown_steps_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`steps` must be of .*'program'.*; got \\['speed'\\]"):
        accelerator.main(accelerator.Config(steps=("speed",), output=tmp_path))


def test_copies_and_layouts_are_read_from_a_program():
    text = """
      %a = f32[2,3,4]{2,1,0} copy(%b)
      ROOT %t = bf16[5,7]{1,0:T(8,128)} transpose(%c), dimensions={1,0}
      %d = f32[8]{0} convolution(%e, %f), window={size=3}, dim_labels=b012f_012io->b012f, metadata={}
    """
    found = of_hlo(text)
    assert found == dict(convolutions="{'b012f_012io->b012f': 1}", copies_and_transposes=2, largest_copy=35)
    assert np.prod((5, 7)) == found["largest_copy"]
