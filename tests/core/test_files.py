import pytest

from jaxsal.core.files import write_atomically


def test_a_file_is_whole_or_as_it_was(tmp_path):
    """What fails while it is written leaves the file of before, and nothing beside it."""
    path = tmp_path / "new" / "a.bin"
    with write_atomically(path) as file:
        file.write(b"first")
        assert not path.exists()
    with pytest.raises(OSError, match="full"):
        fail_amid(path)
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def fail_amid(path):
    with write_atomically(path) as file:
        file.write(b"second")
        raise OSError("full")
