"""Means of results by what varies."""

import math

from jaxsal.evaluation.means import as_texts, mean_rows, means_text


def row(clip, **values):
    usual = dict(cell="a", ledger="", checkpoint="runs/demo", spectrum="IR", clip=clip, label="run", method="rise")
    usual |= dict(target="run", probability=0.5, deletion=0.25, insertion=0.75, floor=math.nan, seconds=1.0)
    return usual | dict(num_masks=8, grid_shape=(1, 2, 2)) | values


def test_groups_are_of_the_columns_that_vary_and_never_of_clips():
    rows = [row("a"), row("b", probability=1.0, label="walk"), row("a", num_masks=16, probability=0.125, seconds=9.0)]
    rows += [row("a", method="gradcam", num_masks=None, grid_shape=None, deletion=math.nan)]
    third, first, second = mean_rows(rows[::-1])
    assert first == dict(method="rise", num_masks=8, clips=2, probability=0.75, deletion=0.25, insertion=0.75)
    assert (second["num_masks"], second["clips"], second["probability"]) == (16, 1, 0.125)
    assert (third["method"], third["num_masks"]) == ("gradcam", None)
    assert math.isnan(third["deletion"])


def test_what_does_not_vary_has_no_column_but_the_method():
    (mean,) = mean_rows([row("a"), row("b")])
    assert list(mean) == ["method", "clips", "probability", "deletion", "insertion"]
    assert mean_rows([]) == []


def test_texts_are_at_most_so_many():
    rows = mean_rows([row("a", grid_shape=(1, n, 2)) for n in range(5)])
    texts = as_texts(rows, 2)
    assert len(texts) == 3
    assert texts[1] == ["rise", "1x0x2", "1", "0.5", "0.25", "0.75"]
    assert as_texts([], 2) == []
    many = means_text(rows * 5).splitlines()
    assert (len(many), many[-1]) == (1 + 20 + 1, "and 5 more rows")
