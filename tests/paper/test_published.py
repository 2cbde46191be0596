"""The study's own numbers, and cells where there is none."""

from jaxsal.paper.published import published, remarks


def test_published_numbers_and_empty_cells():
    assert published("networks", "pan", "IR", "IR", "", "accuracy") == (0.9, 0.9)
    assert published("results-ir", "pan", "IRTV", "IR", "rise", "deletion") == (0.17, 0.18)
    assert published("results-ir", "pan", "IRTV", "IR", "random", "deletion") is None
    assert published("rise-grid", "resnet3d18", "IRTV", "TV", "2x8x8", "insertion") == (0.60, 0.64)
    assert published("rise-grid", "resnet3d18", "IRTV", "TV", "4x8x8", "insertion") is None
    assert remarks("results-ir") == ["a span over the three methods"]
    assert remarks("sidu-threshold") == []
