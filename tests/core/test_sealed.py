"""JSON under a checksum."""

import json

import pytest

from jaxsal.core.files import DamagedError
from jaxsal.core.sealed import parse, read_json, unsealed, write_json

FIELDS = dict(mean=[0.406, 0.5], names=("a", "ä"), nested={"b": None})


def test_what_is_written_is_read(tmp_path):
    write_json(tmp_path / "a.json", FIELDS)
    assert read_json(tmp_path / "a.json", "") == json.loads(json.dumps(FIELDS))
    assert unsealed(FIELDS) == FIELDS  # of before there were checksums


def test_a_changed_value_names_the_file_and_the_way_out(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, FIELDS)
    path.write_text(path.read_text().replace("0.406", "0.404"))
    with pytest.raises(DamagedError, match=r"a\.json is damaged: it does not have its checksum\. Run it again\."):
        read_json(path, "Run it again.")


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff{}", b"[" * 100_000, b'{"a": 1'])
def test_what_is_no_object(content):
    with pytest.raises(DamagedError, match="it is no"):
        parse(content)
