import itertools
import time

import numpy as np
import pytest

from jaxsal.core.files import DamagedError
from jaxsal.evaluation.parts import Part, Record, encode, merge_spans


def opened(content):
    return Part.of("parts/a-0.part", content)


def record(number, **arrays):
    return Record("scores", f"{number % 3:016x}", f"clip {number % 2}", (number, number + 2), {"n": number}, arrays)


def read_all(content, part=None):
    part = opened(content) if part is None else part
    return [part.record(row, content[part.bytes_of(row)]) for row in range(4)]


def records():
    values = np.random.default_rng(0).normal(size=(2, 3, 4))
    arrays = [
        dict(logits=values[:, :, 0].astype(np.float32), clip_logits=values[0, :, 0]),
        dict(),
        dict(empty=np.zeros((0, 3)), scalar=np.float64(1.5), flags=values > 0, words=np.array(["a", "bcd"])),
        dict(transposed=np.asfortranarray(values), big_endian=values.astype(">f4"), counts=np.arange(5, dtype=np.int8)),
    ]
    return [record(n, **{k: np.array(v, order="K") for k, v in some.items()}) for n, some in enumerate(arrays)]


def test_what_is_written_is_read_with_its_kind_of_number():
    described = {"0" * 16: {"checkpoint": "runs/demo"}}
    content = encode(records(), described, writer="ab", time=3.5)
    part = opened(content)
    assert (part.writer, part.time, part.described, part.size) == ("ab", 3.5, described, len(content))
    for found, expected in zip(read_all(content), records(), strict=True):
        assert found[:5] == expected[:5]
        for name, array in expected.arrays.items():
            assert found.arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(found.arrays[name], array)
    assert sorted(row for _, rows in part.places() for row in rows) == [0, 1, 2, 3]


def test_a_part_of_no_record_describes_series():
    part = opened(encode([], {"s": {"a": 1}}, writer="ab", time=0.0))
    assert part.described == {"s": {"a": 1}}
    assert not list(part.places())


@pytest.mark.parametrize("bit", range(8))
def test_no_altered_bit_goes_unseen(bit):
    content = encode(records(), {}, writer="ab", time=0.0)
    whole = opened(content)
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 1 << bit
        with pytest.raises(DamagedError):
            read_all(bytes(altered), whole if place >= whole.bytes_of(0).start else None)


def test_a_record_from_a_later_mask_on():
    whole = record(4, logits=np.arange(4.0).reshape(2, 2), clip_logits=np.arange(2.0))
    rest = whole.from_mask(5)
    assert (whole.span, rest.span) == ((4, 6), (5, 6))
    np.testing.assert_array_equal(rest.arrays["logits"], [[2.0, 3.0]])
    np.testing.assert_array_equal(rest.arrays["clip_logits"], [0.0, 1.0])


def test_spans_that_touch_or_overlap_are_one():
    random = np.random.default_rng(1)
    for _ in range(100):
        spans = [(int(a), int(a + 1 + b)) for a, b in random.integers(0, (40, 6), (8, 2))]
        numbers = sorted({number for span in spans for number in range(*span)})
        merged = merge_spans(spans)
        assert [number for span in merged for number in range(*span)] == numbers
        assert all(stop < start for (_, stop), (start, _) in itertools.pairwise(merged))


def test_the_header_of_many_records():
    many = [Record("scores", f"{n % 7:016x}", f"clip {n % 100}", (n, n + 1), {}, {}) for n in range(20_000)]
    content = encode(many, {}, writer="ab", time=0.0)
    before = time.perf_counter()
    part = opened(content)
    assert sum(len(rows) for _, rows in part.places()) == len(many)
    print(f"{len(many):,} records opened in {time.perf_counter() - before:.2f} s")
