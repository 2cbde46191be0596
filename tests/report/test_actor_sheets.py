"""Whether maps find the actor: means of every map, and each method against another clip's map and the centre."""

import numpy as np
import pytest

from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.report.actor_sheets import actor_sheets

SHAPE = (1, 8, 8)


def explained(number, *, finds):
    """A clip whose actor is in a corner, a class for each corner; RISE's map is on him or in the next corner."""
    corners = np.zeros((4, *SHAPE), np.float32)
    for corner, (row, column) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        corners[corner, 0, row : row + 4, column : column + 4] = 1
    own = number % 4
    explanation = Explanation(
        name=f"clip{number}",
        spectrum="IR",
        label=own,
        target=0,
        clip=np.zeros((*SHAPE, 3), np.float32),
        probabilities=np.ones(1, np.float32),
        maps={"RISE": corners[own if finds else (number + 1) % 4]},
        curves={},
        seconds={},
        options=ExplainOptions(),
        baselines={},
    )
    return explanation, corners[own] > 0


@pytest.mark.parametrize("finds", [True, False])
def test_a_method_that_finds_the_actor_beats_another_clips_map_and_the_centre(finds):
    clips = [explained(number, finds=finds) for number in range(12)]

    means, contrasts = actor_sheets([[one for one, _ in clips]], {one.name: mask for one, mask in clips})

    by_map = {line[1]: line[3:] for line in means.lines}
    assert list(by_map) == ["RISE", "RISE of another clip", "centre"]
    assert [measure.mean for measure in by_map["RISE"]] == ([1, 1] if finds else [pytest.approx(1 / 3), 0])
    assert by_map["centre"][0].mean == pytest.approx(0.5, abs=0.05)
    assert [line[:3] for line in contrasts.lines] == [("IR", "RISE", "other"), ("IR", "RISE", "centre")]
    count = 2 if finds else 0
    assert f"better than every control in {count} of 2 cells" in contrasts.footnote
    if finds:
        assert contrasts.lines[0][5] == pytest.approx(2 / 2**12)
        assert contrasts.lines[0][6] == pytest.approx(2 * 2 / 2**12)  # Holm over two measures


def test_clips_without_a_mask_are_left_out_and_one_clip_alone_is_not_tested():
    (first, mask), (second, _) = explained(0, finds=True), explained(1, finds=True)

    (means,) = actor_sheets([[first, second]], {"clip0": mask})

    assert {line[2] for line in means.lines} == {1}
