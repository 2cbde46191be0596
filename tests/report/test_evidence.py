"""The tables of a demo: one network by itself, and several together, whose clips have the same names."""

import numpy as np

from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.metrics.curve import Curve
from jaxsal.report.evidence import Evidence, evidence_sheets, evidence_text

SHAPE = (1, 4, 4)


def evidence(seed, num_clips=8):
    """Clips of two classes; a map on the actor, and curves whose areas are drawn."""
    rng = np.random.default_rng(seed)
    masks = {f"clip{number}": np.arange(16).reshape(SHAPE) % 4 == number % 4 for number in range(num_clips)}

    def curve():
        area = rng.random()
        return Curve(np.array([0.0, 1.0]), np.array([area, area]), np.float32(area), 2, np.float32(area))

    explained = [
        Explanation(
            name=name,
            spectrum="IR",
            label=number % 2,
            target=number % 2,
            clip=np.zeros((*SHAPE, 3), np.float32),
            probabilities=np.array([0.5, 0.5], np.float32),
            maps={"RISE": mask.astype(np.float32), "smooth": np.zeros(SHAPE, np.float32)},
            curves={title: (curve(), curve()) for title in ("RISE", "smooth")},
            seconds={"RISE": 0.0, "smooth": 0.0},
            options=ExplainOptions(),
            baselines={},
            actor=f"actor{number}",
        )
        for number, (name, mask) in enumerate(masks.items())
    ]
    return Evidence({"time_mean": explained, "reverse": explained}, masks, {"IR": (0.75, num_clips)})


def test_one_network_has_tables_of_each_baseline_and_of_the_actor():
    sheets = evidence(0).sheets()

    names = [sheet.name for sheet in sheets]
    assert names == [f"{b}_{n}" for b in ("time_mean", "reverse") for n in ("table", "contrasts")] + [
        "actor",
        "actor_contrasts",
    ]
    assert "baseline reverse" in evidence_text(sheets)
    assert evidence(0).accuracy_lines() == ["Test accuracy IR: 0.750 of 8 clips of actors not trained on."]


def test_clips_of_several_networks_count_once_each_and_keep_their_own_actors():
    one, two = evidence(0), evidence(1)

    together = {sheet.name: sheet for sheet in evidence_sheets([one, two])}

    alone = [{sheet.name: sheet for sheet in network.sheets()} for network in (one, two)]
    for name in ("time_mean_contrasts", "actor_contrasts"):
        numbers = [sheets[name].lines[0] for sheets in (*alone, together)]
        assert [line[3] for line in numbers] == [8, 8, 16]
        differences = [line[4].mean for line in numbers]
        np.testing.assert_allclose(differences[2], np.mean(differences[:2]), rtol=1e-6)
    by_map = {line[1]: line[3].mean for line in together["actor"].lines}
    assert by_map["RISE"] == 1
    assert by_map["RISE of another clip"] == alone[0]["actor"].lines[1][3].mean  # of the same network alone
