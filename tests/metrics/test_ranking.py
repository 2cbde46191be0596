"""The table of real differences on values whose differences are known, with clusters, ties and gaps."""

import numpy as np

from jaxsal.metrics.ranking import against_controls, differences, standings

ACTORS = [f"actor {number // 2}" for number in range(24)]
GOOD = {"insertion": 1, "deletion": -1}


def values(seed=0):
    """`best` is really better than the others, which differ by chance; `flat` is what noise gets."""
    rng = np.random.default_rng(seed)
    actor = np.repeat(rng.normal(size=12), 2)  # shared by all methods, so that pairs cancel it
    own = {name: actor + 0.1 * rng.normal(size=24) for name in ("best", "second", "third", "flat")}
    own["best"] += 1
    own["flat"][3] = np.nan
    return {"insertion": own, "deletion": {name: -found for name, found in own.items()}}


def test_only_real_differences_have_a_winner_whatever_the_sign_of_the_measure():
    found = differences(values(), ["best", "second", "third"], ACTORS, GOOD)
    winners = {(one.measure, one.first, one.second): one.winner for one in found}
    assert winners == {
        (measure, *pair): winner
        for measure in GOOD
        for pair, winner in [(("best", "second"), "best"), (("best", "third"), "best"), (("second", "third"), "")]
    }
    assert all(one.contrast.p_holm >= one.contrast.p_value for one in found)


def test_a_clip_twice_is_no_second_actor():
    """The p-value of 12 actors is at least 2 / 2^12, although there are 24 clips."""
    one, _ = differences(values(), ["best", "second"], ACTORS, GOOD)
    assert one.contrast.p_value == 2 / 2**12


def test_standings():
    own, methods = values(), ["best", "second", "third"]
    pairs = differences(own, methods, ACTORS, GOOD)
    controlled = against_controls(own, {method: ["flat"] for method in methods}, ACTORS, GOOD)
    found = standings(own, methods, ACTORS, GOOD, pairs, controlled)
    for measure in GOOD:
        best = found["best", measure]
        assert (best.rank, best.better_than, best.worse_than, best.lost_to) == (1, 2, 0, ())
        assert {found[method, measure].rank for method in methods} == {1, 2, 3}
        assert [found[method, measure].lost_to for method in methods[1:]] == [("flat",)] * 2
        assert (found["second", measure].better_than, found["second", measure].worse_than) == (0, 1)


def test_equal_methods_share_their_rank_and_win_nothing():
    own = {"insertion": {"one": np.arange(24.0), "other": np.arange(24.0)}}
    pairs = differences(own, ["one", "other"], ACTORS, GOOD)
    found = standings(own, ["one", "other"], ACTORS, GOOD, pairs, [])
    assert [pairs[0].winner, found["one", "insertion"].rank, found["other", "insertion"].rank] == ["", 1.5, 1.5]
