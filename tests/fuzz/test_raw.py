"""What is no request, or several, or half of one: bytes as they come."""

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz import strategies as some
from tests.fuzz.sizes import examples
from tests.fuzz.wire import Request
from tests.fuzz.world import ALICE, TOKENS

FILE = b"/v1/resources/demo/providers/filesystem/raw.txt"
NEW = b"/v1/resources/demo/providers/filesystem/?kind=file&name=raw.txt"
TOKEN = b"Authorization: Bearer " + TOKENS["alice"].encode()

_ends = some.mostly(st.just(b"\r\n"), st.sampled_from([b"\n", b"\r", b"\r\r\n", b"", b"\0\r\n"]), 9)
_blanks = some.mostly(st.just(b" "), st.sampled_from([b"", b"\t", b"  ", b"\x0b"]), 9)
_methods = some.mostly(
    st.sampled_from([b"GET", b"PUT", b"POST"]),
    st.sampled_from([b"", b"get", b"G ET", b"PRI", b"CONNECT", b"\x16\x03\x01", b"X" * 5000]),
)
_targets = some.mostly(
    st.sampled_from([b"/status", FILE, NEW, b"/", b"/v2/auth"]),
    st.one_of(
        st.sampled_from([b"*", b"http://evil.example/status", b"evil.example:443", b"//x", b"?"]),
        some.words,
    ),
)
_versions = some.mostly(
    st.just(b"HTTP/1.1"),
    st.sampled_from([b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.1 ", b"HTTP/1.10", b""]),
)
_fields = st.one_of(
    st.sampled_from(
        [
            *(b"Host: 127.0.0.1", TOKEN, b"Content-Length: 5", b"Transfer-Encoding: chunked"),
            *(b"Content-Length: 5, 5", b"Content-Length: +5", b"Content-Length: -1"),
            *(b"Content-Length: 0x5", b"Content-Length: " + b"9" * 30, b"Content-Length: \xb2"),
            *(b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, identity"),
            *(b"Transfer-Encoding : chunked", b"Transfer-Encoding:\x0bchunked", b"TE: trailers"),
            *(b"Connection: close", b"Connection: keep-alive", b"Connection: Transfer-Encoding"),
            *(b"Expect: 100-continue", b"Host: a", b"Host: \x00", b" folded: yes", b"No colon"),
            *(b": no name", b"X-Bad\x00Name: 1", b"X-Large: " + b"x" * 70_000, b"Upgrade: h2c"),
            *(b"Content-Length : 5", b"Content_Length: 5", b"X-Bare: a\rb", b"X-Bell: \x07"),
        ]
    ),
    st.tuples(some.words, some.words).map(b": ".join),
)
_bodies = st.one_of(
    st.just(b""),
    st.just(b"12345"),
    some.words,
    st.sampled_from(
        [
            *(b"5\r\n12345\r\n0\r\n\r\n", b"5;a=b\r\n12345\r\n0\r\nX: y\r\n\r\n", b"0\r\n\r\n"),
            *(
                b"-5\r\n12345\r\n0\r\n\r\n",
                b"0x5\r\n12345\r\n0\r\n\r\n",
                b"5 \r\n12345\r\n0\r\n\r\n",
            ),
            *(b"F" * 20 + b"\r\n", b"5\n12345\n0\n\n", b"5\r\n123456\r\n0\r\n\r\n", b"\r\n"),
            *(b"5" + b"0" * 99 + b"\r\n", b"5;" + b"x" * 70_000 + b"\r\n12345\r\n0\r\n\r\n"),
            *(b"0\r\n" + b"X: y\r\n" * 9000 + b"\r\n", b"5_0\r\n12345\r\n0\r\n\r\n"),
        ]
    ),
)


@st.composite
def nearly_requests(draw):
    """A request in which everything may be wrong."""
    line = b"".join(draw(part) for part in (_methods, _blanks, _targets, _blanks, _versions, _ends))
    usual = st.sampled_from([[b"Host: 127.0.0.1"], [b"Host: 127.0.0.1", TOKEN]])
    fields = draw(some.mostly(usual, st.just([]), 9)) + draw(st.lists(_fields, max_size=3))
    head = b"".join(field + draw(_ends) for field in fields)
    return line + head + draw(_ends) + draw(_bodies)


def survives(world, data, cut=None):
    """Send bytes and nothing more: what comes is HTTP, the connection ends, and the server lives.

    Returns:
        The answers.
    """
    wire = world.connect()
    try:
        for piece in (data[:cut], data[cut:]) if cut is not None else (data,):
            wire.send(piece)
        wire.end()
        found = wire.rest()
    finally:
        wire.close()
    for answer in found:
        if answer.whole:
            world.check(answer)
    world.alive()
    world.check_around()
    return found


@examples(50)
@given(st.lists(nearly_requests(), min_size=1, max_size=3).map(b"".join), st.integers(0, 200))
def test_what_is_nearly_a_request_is_answered_or_ended(world, data, cut):
    """However wrong it is, and in how many pieces it comes."""
    survives(world, data, cut)


@examples(15)
@given(st.binary(max_size=200))
@example(b"\r\n" * 1000)
@example(b"GET / HTTP/1.1\r\n" + b"a" * 200_000)
def test_what_is_no_request_is_ended(world, data):
    """With an answer, if a line of it is complete, or without one."""
    survives(world, data)


def test_answers_to_head_have_no_body(world):
    """What follows the answer is the next answer."""
    wire = world.connect()
    wire.send(b"HEAD /status HTTP/1.1\r\nHost: a\r\n\r\nGET /status HTTP/1.1\r\nHost: a\r\n\r\n")
    assert wire.receive("HEAD").status == 200
    assert wire.receive().json["status"] == "up"
    wire.close()


_requests = st.one_of(
    st.just(("status", b"", None)),
    st.just(("nothing", b"", None)),
    st.tuples(st.just("put"), st.binary(max_size=300), st.none()),
    st.tuples(
        st.just("put"), st.binary(max_size=300), st.lists(st.integers(1, 99), max_size=9).map(tuple)
    ),
)


@examples(25)
@given(st.lists(_requests, min_size=1, max_size=6), st.lists(st.integers(1, 400), max_size=8))
def test_requests_in_one_go_are_answered_in_order(world, asked, cuts):
    """Each body is what was sent as its request's, wherever pieces of the whole begin and end."""
    world.fill()
    (world.mount / "raw.txt").write_bytes(b"")
    data = b"".join(encoded(each) for each in asked)
    wire = world.connect()
    try:
        for cut in cuts:
            wire.send(data[:cut])
            data = data[cut:]
        wire.send(data)
        kept = b""
        for kind, body, _ in asked:
            answer = wire.receive()
            assert answer is not None
            world.check(answer)
            kept = body if kind == "put" else kept
            assert answer.status == (404 if kind == "nothing" else 200), answer
        got = wire.ask(Request("GET", FILE, list(ALICE)))
        assert got.body == kept
    finally:
        wire.close()
    world.check_around()


def encoded(asked):
    """A request of a row of them."""
    kind, body, pieces = asked
    if kind == "put":
        return Request("PUT", FILE, list(ALICE), body, pieces).encoded()
    return Request("GET", b"/status" if kind == "status" else b"/nothing").encoded()


@examples(15)
@given(
    st.binary(max_size=50),
    st.sampled_from([b"", b";name", b";name=value", b';q="a b"', b" ;x"]),
    st.sampled_from([b"", b"X-Trailer: 1\r\n", b"Content-Length: 5\r\n", b"bad\r\n"]),
)
def test_what_stands_beside_chunks_is_no_part_of_the_body(world, body, extension, trailer):
    """It is understood or refused; in no case does it become a part of the file, or a request."""
    world.fill()
    (world.mount / "raw.txt").write_bytes(b"before")
    head = Request("PUT", FILE, [*ALICE, (b"Transfer-Encoding", b"chunked")]).encoded()
    sizes = b"%x%s\r\n" % (len(body), extension)
    chunk = sizes + body + b"\r\n" if body else b""
    data = head + chunk + b"0" + extension + b"\r\n" + trailer + b"\r\n"
    last = Request("GET", b"/nothing", [(b"Connection", b"close")]).encoded()
    wire = world.connect()
    wire.send(data + last)
    found = wire.rest()
    wire.close()
    kept = (world.mount / "raw.txt").read_bytes()
    if found[0].status == 200:
        assert [answer.status for answer in found] == [200, 404]
        assert kept == body
    else:
        assert [answer.status for answer in found] == [400]
        assert kept == b"before"


@examples(15)
@given(st.binary(min_size=1, max_size=300), st.integers(0, 299), st.booleans())
def test_a_body_that_is_cut_is_not_stored(world, body, length, in_chunks):
    """The file is as it was, however the body was framed."""
    world.fill()
    (world.mount / "raw.txt").write_bytes(b"before")
    pieces = (50,) * 9 if in_chunks else None
    whole = Request("PUT", FILE, list(ALICE), body, pieces).encoded()
    head = whole.index(b"\r\n\r\n") + 4
    survives(world, whole[: head + min(length, len(whole) - head - 1)])
    assert (world.mount / "raw.txt").read_bytes() == b"before"
