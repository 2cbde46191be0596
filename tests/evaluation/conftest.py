"""The recordings that sweeps are of."""

import pytest

import sweeps


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with six paired recordings, where a module may keep stores of its own."""
    folder = tmp_path_factory.mktemp("sweep")
    sweeps.make_recordings(folder)
    return folder
