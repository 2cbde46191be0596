import dataclasses

import pytest

import runs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(size=8), "`crop` must be at most `size`, 8; got 16"),
        (dict(classes=()), "`classes` must name at least one class; got none"),
        (dict(spectra="UV"), r"`spectra` must be one of .*IRTV.*got 'UV'"),
        (dict(width=0), "`width` must be at least 1; got 0"),
        (dict(arch="pan", num_frames=12), "`num_frames` must be 4 times 2, 4, 8 .* for pan; got 12"),
        (dict(frames="spread", stride=2), "`stride` must be 1 with `frames` spread, .*; got 2"),
        (dict(arch="pan", num_frames=32, frames="spread"), "`frames` must be window for pan, .*; got spread"),
        (dict(arch="pan", num_frames=30), "`num_frames` must be 4 times 2, 4, 8 .* for pan; got 30"),
    ],
)
def test_bad_specs(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(runs.SPEC, **change)
