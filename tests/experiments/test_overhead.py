import jax
import numpy as np
import pytest
from overhead import TARGETS, summary, table, timed_method

import toys
from jaxsal.saliency import sidu as sidu_module

CLIP = jax.random.uniform(jax.random.key(0), (4, 6, 9, 3))


def test_ratios_are_taken_turn_by_turn_beside_the_target():
    row = summary("RISE", 17, dict(method=np.array([2.0, 3.0, 8.0]), bare=np.array([1.0, 2.0, 4.0])))
    assert row["ratio"] == 2.0
    assert row["ratio_range"] == [1.5, 2.0]
    assert table([row]).splitlines()[-1] == "| RISE | 17 | 3.000 | 2.000 | 2.000 (1.500 to 2.000) | 1.03 |"


@pytest.mark.parametrize(("method", "passes"), [("RISE", (12, 1)), ("SIDU", (3, 1)), ("deletion", (12, 0))])
def test_bare_passes_are_as_many_as_the_method_takes(method, passes, monkeypatch):
    """SIDU's classifier has three channels, whose masks all differ."""
    seen = []
    score = sidu_module.score_masks
    monkeypatch.setattr(sidu_module, "score_masks", lambda *a, **k: (seen.append(k["ids"]), score(*a, **k))[1])
    timed = timed_method(method, toys.pooling_classifier(), CLIP, block=12, chunk_size=4)
    assert (timed.batched, timed.alone) == passes
    timed.run()
    assert [len(set(ids.tolist())) for ids in seen] == ([3] if method == "SIDU" else [])
    assert method in TARGETS
