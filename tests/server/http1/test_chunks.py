"""Bodies in chunks, however the network cuts them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterbutler.server.http1.chunks import MAX_LINE, MAX_TRAILERS, Dechunker
from waterbutler.server.http1.head import Malformed


def read(*pieces):
    chunks = Dechunker()
    content = b"".join(part for piece in pieces for part in chunks.feed(piece))
    return content, chunks.ended, chunks.rest


def test_chunks():
    whole = b'3\r\nabc\r\nA ; name="x"\r\n0123456789\r\n0\r\nX-Trailer: y\r\n\r\nGET'
    assert read(whole) == (b"abc0123456789", True, b"GET")


def test_a_body_that_is_not_complete():
    whole = b"3\r\nabc\r\n0\r\n\r\n"
    for end in range(len(whole)):
        assert not read(whole[:end])[1]


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    st.binary(max_size=5),
    st.lists(st.integers(0, 250), max_size=8),
)
def test_however_it_is_cut(contents, behind, cuts):
    whole = b"".join(b"%x\r\n%b\r\n" % (len(content), content) for content in contents)
    whole += b"0\r\n\r\n"
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[a:b] for a, b in pairwise(places)]
    pieces[-1] += behind
    assert read(*pieces) == (b"".join(contents), True, behind)


@pytest.mark.parametrize(
    "whole",
    [
        *(b"x\r\n", b"\r\n", b" 3\r\nabc\r\n", b"+3\r\n", b"0x3\r\n", b"-1\r\n", b"3\nabc\r\n"),
        *(
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n",
            b"3;\x00\r\n",
            b"3 3\r\n",
            b"3_0\r\n",
            b"f" * 16 + b"\r\n",
        ),
        *(b"0\r\nno trailer\r\n", b"0\r\n folded: x\r\n", b"0\r\nA: b\n\n", b"\xb2\r\n"),
        *(b"0;" + b"x" * MAX_LINE, b"0\r\n" + b"A: b\r\n" * MAX_TRAILERS),
    ],
)
def test_what_is_no_chunk(whole):
    with pytest.raises(Malformed):
        read(whole)
