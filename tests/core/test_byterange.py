"""Byte ranges and spans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterbutler.core import ByteRange, Span
from waterbutler.core.errors import BadRange, RangeNotSatisfiable

numbers = st.integers(min_value=0, max_value=200)
ranges = st.one_of(
    st.builds(ByteRange, numbers),
    st.builds(lambda one, two: ByteRange(min(one, two), max(one, two)), numbers, numbers),
    st.builds(lambda count: ByteRange(suffix=count), numbers),
)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"last": 5},
        {"first": 1, "suffix": 1},
        {"first": 0, "last": 1, "suffix": 1},
        {"last": 5, "suffix": 1},
        {"first": -1},
        {"first": 0, "last": -1},
        {"suffix": -1},
        {"first": 5, "last": 4},
    ],
    ids=str,
)
def test_ranges_that_make_no_sense(arguments):
    """A range has one of three forms."""
    with pytest.raises(BadRange):
        ByteRange(**arguments)


@pytest.mark.parametrize(
    ("range", "total", "start", "stop"),
    [
        (ByteRange(0), 10, 0, 10),
        (ByteRange(0, 0), 10, 0, 1),
        (ByteRange(3, 5), 10, 3, 6),
        (ByteRange(3), 10, 3, 10),
        (ByteRange(9), 10, 9, 10),
        (ByteRange(0, 9), 10, 0, 10),
        (ByteRange(5, 99), 10, 5, 10),
        (ByteRange(suffix=1), 10, 9, 10),
        (ByteRange(suffix=10), 10, 0, 10),
        (ByteRange(suffix=99), 10, 0, 10),
    ],
    ids=lambda value: value.header() if isinstance(value, ByteRange) else str(value),
)
def test_resolve(range, total, start, stop):
    """The last byte belongs to a range, the stop does not belong to a span."""
    assert range.resolve(total) == Span(start, stop, total)


@pytest.mark.parametrize(
    ("range", "total"),
    [
        (ByteRange(10), 10),
        (ByteRange(10, 20), 10),
        (ByteRange(suffix=0), 10),
        (ByteRange(0), 0),
        (ByteRange(0, 0), 0),
        (ByteRange(suffix=5), 0),
    ],
    ids=lambda value: value.header() if isinstance(value, ByteRange) else str(value),
)
def test_no_byte_is_in_the_range(range, total):
    """The error says how large the file is."""
    with pytest.raises(RangeNotSatisfiable) as caught:
        range.resolve(total)
    assert caught.value.total == total


@given(ranges, numbers)
def test_spans_lie_inside(range, total):
    """A span is never empty and never reaches over an edge."""
    try:
        span = range.resolve(total)
    except RangeNotSatisfiable:
        return
    assert 0 <= span.start < span.stop <= span.total == total
    assert span.length == span.stop - span.start


@pytest.mark.parametrize(
    ("range", "text"),
    [
        (ByteRange(0), "bytes=0-"),
        (ByteRange(0, 0), "bytes=0-0"),
        (ByteRange(5, 9), "bytes=5-9"),
        (ByteRange(suffix=7), "bytes=-7"),
    ],
)
def test_header(range, text):
    """How a range is asked for."""
    assert range.header() == text


def test_span():
    """How a part is answered."""
    assert Span(5, 10, 20).content_range() == "bytes 5-9/20"
    assert Span(5, 10, 20).length == 5
    assert not Span(5, 20, 20).is_whole
    assert not Span(0, 19, 20).is_whole
    assert Span(0, 20, 20).is_whole
