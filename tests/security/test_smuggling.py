"""Two readers of one stream of bytes must not disagree about where a request ends.

A proxy and this server see the same bytes. What could be framed in two ways is refused with 400 and
the connection is closed: nothing behind it is read as a request.
"""

import pytest

from tests.harness import ALICE, BASE, named
from tests.security.wire import SMUGGLED, head, say, seen

TOKEN = f"Authorization: {ALICE['Authorization']}"
CHUNKED = "Transfer-Encoding: chunked"
BODY = b"5\r\nhello\r\n0\r\n\r\n"

AMBIGUOUS = {
    # Lengths that say two things, or nothing.
    "two lengths": ["Content-Length: 5", "Content-Length: 6"],
    "two lengths, the second is shorter": ["Content-Length: 50", "Content-Length: 5"],
    "the same length twice": ["Content-Length: 5", "Content-Length: 5"],
    "a list of lengths": ["Content-Length: 5, 6"],
    "a list of the same length": ["Content-Length: 5, 5"],
    "a length with a sign": ["Content-Length: +5"],
    "a length below nothing": ["Content-Length: -5"],
    "a length of minus nothing": ["Content-Length: -0"],
    "a length with a space in it": ["Content-Length: 5 5"],
    "a length in base 16": ["Content-Length: 0x5"],
    "a length with an underscore": ["Content-Length: 5_0"],
    "a length with a fraction": ["Content-Length: 5.0"],
    "a length with an exponent": ["Content-Length: 5e0"],
    "a length in other digits": ["Content-Length: ٥".encode()],
    "a length with a vertical tab": ["Content-Length: \x0b5"],
    "no length": ["Content-Length:"],
    "a length that fits nowhere": ["Content-Length: " + "9" * 400],
    "a length that wraps around": ["Content-Length: 18446744073709551621"],
    # A length and chunks.
    "a length and chunks": ["Content-Length: 5", CHUNKED],
    "chunks and a length": [CHUNKED, "Content-Length: 5"],
    "no length and chunks": ["Content-Length: 0", CHUNKED],
    # Codings that one reader knows and the other does not.
    "chunks twice": [CHUNKED, CHUNKED],
    "a list of chunks": ["Transfer-Encoding: chunked, chunked"],
    "compressed chunks": ["Transfer-Encoding: gzip, chunked"],
    "chunks, then compressed": ["Transfer-Encoding: chunked, gzip"],
    "chunks, then something": [CHUNKED, "Transfer-Encoding: cow"],
    "identity": ["Transfer-Encoding: identity"],
    "identity and a length": ["Transfer-Encoding: identity", "Content-Length: 5"],
    "a coding nobody knows": ["Transfer-Encoding: xchunked"],
    "an empty coding": ["Transfer-Encoding:"],
    "an empty coding and a length": ["Transfer-Encoding:", "Content-Length: 5"],
    "a comma before": ["Transfer-Encoding: ,chunked"],
    "a comma behind": ["Transfer-Encoding: chunked,"],
    "a quoted coding": ['Transfer-Encoding: "chunked"'],
    "a coding with a parameter": ["Transfer-Encoding: chunked;q=1"],
    "a vertical tab before": ["Transfer-Encoding: \x0bchunked"],
    "a vertical tab behind": ["Transfer-Encoding: chunked\x0b"],
    "a no-break space before": [b"Transfer-Encoding: \xa0chunked"],
    "a Kelvin sign in it": ["Transfer-Encoding: chun\u212aed".encode()],
    # Names that one reader takes for another.
    "a space before the colon": ["Transfer-Encoding : chunked"],
    "a tab before the colon": ["Content-Length\t: 5"],
    "a NUL in the name": [b"Transfer-Encoding\x00: chunked"],
    "a NUL before the name": [b"\x00Transfer-Encoding: chunked"],
    "a space in the name": ["Transfer Encoding: chunked"],
    "a space before the name": [" Transfer-Encoding: chunked"],
    "a name beyond ASCII": [b"Transfer-Encoding\xa0: chunked"],
    "no name": [": chunked"],
    "no colon": ["Transfer-Encoding chunked"],
    # Lines that one reader ends where the other goes on.
    "a folded coding": ["Transfer-Encoding:", " chunked"],
    "a folded coding with a tab": ["Transfer-Encoding:\r\n\tchunked"],
    "a folded length": ["Content-Length: 5", " 0"],
    "a coding behind a bare LF": ["X-A: a\nTransfer-Encoding: chunked"],
    "a length behind a bare LF": ["X-A: a\nContent-Length: 5"],
    "a coding behind a bare CR": ["X-A: a\rTransfer-Encoding: chunked"],
    "a length that ends with CR CR LF": ["Content-Length: 5\r"],
    "a NUL in a value": [b"Content-Length: 5\x00"],
    "an end of two bare LF": ["X-A: a\n\nGET /smuggled HTTP/1.1", "X: "],
    "an end of LF CR LF": ["X-A: a\n\r\nGET /smuggled HTTP/1.1", "X: "],
}

MALFORMED = {
    "no request line": b"\x00\x01\x02\x03\r\n\r\n",
    "only bare LF": b"GET /status HTTP/1.1\nHost: x\n\n",
    "the first line ends with a bare LF": b"GET /status HTTP/1.1\nHost: x\r\n\r\n",
    "the last line ends with a bare LF": b"GET /status HTTP/1.1\r\nHost: x\n\r\n",
    "the first line ends with CR CR LF": b"GET /status HTTP/1.1\r\r\nHost: x\r\n\r\n",
    "two spaces": b"GET  /status HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab": b"GET\t/status HTTP/1.1\r\nHost: x\r\n\r\n",
    "a vertical tab": b"GET /status\x0bHTTP/1.1\r\nHost: x\r\n\r\n",
    "a space behind": b"GET /status HTTP/1.1 \r\nHost: x\r\n\r\n",
    "a space before": b" GET /status HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the target": b"GET /sta tus HTTP/1.1\r\nHost: x\r\n\r\n",
    "a NUL in the target": b"GET /status\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bare CR in the target": b"GET /status\r HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method with a colon": b"GET: /status HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method beyond ASCII": b"G\xc9T /status HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /status\r\nHost: x\r\n\r\n",
    "a small version": b"GET /status http/1.1\r\nHost: x\r\n\r\n",
    "a long version": b"GET /status HTTP/1.10\r\nHost: x\r\n\r\n",
    "another version": b"GET /status HTTP/2.0\r\nHost: x\r\n\r\n",
    "the preface of version 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a hello of TLS": b"\x16\x03\x01\x00\x05hello\r\n\r\n",
    "no host": b"GET /status HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /status HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "the same host twice": b"GET /status HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    "a host with a space": b"GET /status HTTP/1.1\r\nHost: x y\r\n\r\n",
    "a host with a slash": b"GET /status HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "a host with a user": b"GET /status HTTP/1.1\r\nHost: u@x\r\n\r\n",
    "a folded host": b"GET /status HTTP/1.1\r\nHost: x\r\n y\r\n\r\n",
    "a line that begins with a space": b"GET /status HTTP/1.1\r\n Host: x\r\n\r\n",
    "a NUL in a value": b"GET /status HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
    "a control in a value": b"GET /status HTTP/1.1\r\nHost: x\r\nX-A: a\x01b\r\n\r\n",
    "chunks in an old version": (
        b"GET /status HTTP/1.0\r\nConnection: keep-alive\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
}

CHUNKS = {
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "no digit": b"g\r\nhello\r\n0\r\n\r\n",
    "a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "below nothing": b"-5\r\nhello\r\n0\r\n\r\n",
    "minus nothing": b"5\r\nhello\r\n-0\r\n\r\n",
    "base 16, said twice": b"0x5\r\nhello\r\n0\r\n\r\n",
    "an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "a space before": b" 5\r\nhello\r\n0\r\n\r\n",
    "a space behind": b"5 \r\nhello\r\n0\r\n\r\n",
    "a tab behind": b"5\t\r\nhello\r\n0\r\n\r\n",
    "other digits": "٥\r\nhello\r\n0\r\n\r\n".encode(),
    "a NUL": b"5\x00\r\nhello\r\n0\r\n\r\n",
    "a size that wraps around in 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a size that wraps around in 32 bits twice": b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a size of many zeros": b"0" * 5000 + b"5\r\nhello\r\n0\r\n\r\n",
    "a size without an end": b"1" * 100_000,
    "an extension with a value": b'5;a="\r\n"\r\nhello\r\n0\r\n\r\n',
    "an extension with a bare LF": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a size that ends with a bare LF": b"5\nhello\r\n0\r\n\r\n",
    "a size that ends with a bare CR": b"5\rhello\r\n0\r\n\r\n",
    "a size that ends with CR CR LF": b"5\r\r\nhello\r\n0\r\n\r\n",
    "a chunk that is longer": b"5\r\nhello!\r\n0\r\n\r\n",
    "a chunk that is shorter": b"5\r\nhell\r\n0\r\n\r\n",
    "a chunk that ends with a bare LF": b"5\r\nhello\n0\r\n\r\n",
    "a chunk that ends with two LF": b"5\r\nhello\n\n0\r\n\r\n",
    "a last size with a bare LF": b"5\r\nhello\r\n0\n\r\n",
    "an end of bare LF": b"5\r\nhello\r\n0\r\n\n\n",
    "an end of other bytes": b"5\r\nhello\r\n0\r\nXX",
    "a folded header behind": b"5\r\nhello\r\n0\r\nX-A: a\r\n b\r\n\r\n",
}


async def test_what_the_others_here_differ_from(server, log):
    """Requests in one piece: two that are as they should be are two requests."""
    length = head("PUT", named("length.txt"), TOKEN, "Content-Length: 5") + b"hello"
    chunks = head("PUT", named("chunks.txt"), TOKEN, CHUNKED) + BODY
    mixed = head("PUT", named("mixed.txt"), TOKEN, "tRANSFER-eNCODING:   CHUNKED  ") + (
        b"00A\r\nhellohello\r\n000\r\n\r\n"
    )
    heard = await say(server, length + chunks + mixed + SMUGGLED)
    assert heard.statuses == [201, 201, 201, 404]
    assert seen(log)[-1] == "/smuggled"
    assert await server.content("/length.txt") == b"hello"
    assert await server.content("/chunks.txt") == b"hello"
    assert await server.content("/mixed.txt") == b"hellohello"


@pytest.mark.parametrize(
    "body",
    [
        b"5;a\r\nhello\r\n0\r\n\r\n",
        b'5 ; a="b"\r\nhello\r\n0;c\r\n\r\n',
        b"5\r\nhello\r\n0\r\nX-A: a\r\n\r\n",
        b"5\r\nhello\r\n0\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_chunks_may_carry_means_nothing(server, body):
    """Extensions and trailers are read over, as RFC 9112 (7.1.1, 7.1.2) wants it."""
    start = head("PUT", named("a.txt"), TOKEN, CHUNKED)
    heard = await say(server, start + body + SMUGGLED)
    assert heard.statuses == [201, 404]
    assert await server.content("/a.txt") == b"hello"


@pytest.mark.parametrize("case", AMBIGUOUS)
async def test_a_head_that_can_be_read_in_two_ways_is_refused(server, log, case):
    """And what follows is no request, however long its body was meant to be."""
    for method, target in (("PUT", named("a.txt")), ("GET", BASE + "/")):
        start = head(method, target, TOKEN, *AMBIGUOUS[case])
        heard = await say(server, start + BODY + SMUGGLED)
        assert heard.refused, heard
        assert "/smuggled" not in seen(log)
    assert await server.names() == []


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_head_that_is_none_is_refused(server, log, case):
    """What follows is no request either."""
    heard = await say(server, MALFORMED[case] + SMUGGLED)
    assert heard.refused, heard
    assert "/smuggled" not in seen(log)


@pytest.mark.parametrize("case", CHUNKS)
async def test_chunks_that_can_be_read_in_two_ways_are_refused(server, log, case):
    """Nothing is stored, and what follows is no request."""
    start = head("PUT", named("a.txt"), TOKEN, CHUNKED)
    heard = await say(server, start, CHUNKS[case] + SMUGGLED)
    assert heard.refused, heard
    assert "/smuggled" not in seen(log)
    assert await server.names() == []


async def test_a_body_that_nobody_wants_is_read_as_strictly(server, log):
    """A request that is refused anyway is answered once, and its body is no request."""
    for body in CHUNKS.values():
        heard = await say(server, head("PUT", named("a.txt"), CHUNKED) + body + SMUGGLED)
        assert heard.statuses in ([400], [401]), body
        assert "/smuggled" not in seen(log), body


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("PUT", named("a.txt"), 201),
        ("GET", BASE + "/", 200),
        ("DELETE", BASE + "/nothing", 404),
        ("POST", BASE + "/", 400),
        ("OPTIONS", BASE + "/", 204),
        ("PUT", "/nowhere", 404),
        ("BREW", BASE + "/", 405),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_no_request(server, log, method, target, status, chunked):
    """Whatever the method, whether or not somebody wants the body."""
    framing = CHUNKED if chunked else f"Content-Length: {len(SMUGGLED)}"
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED) if chunked else SMUGGLED
    heard = await say(server, head(method, target, TOKEN, framing, "Connection: close") + body)
    assert heard.statuses == [411 if chunked and method == "POST" else status]
    assert "/smuggled" not in seen(log)


@pytest.mark.parametrize("framing", ["Content-Length: 60", CHUNKED])
async def test_a_body_that_was_not_waited_for_is_no_request(server, log, framing):
    """A client that was refused before its body may send it all the same."""
    start = head("PUT", named("a.txt"), framing, "Expect: 100-continue")
    heard = await say(server, start, SMUGGLED, SMUGGLED)
    assert heard.statuses == [401]
    assert seen(log) == [named("a.txt").partition("?")[0]]


async def test_what_follows_a_body_is_a_request_of_its_own(server, log):
    """More bytes than were promised are not part of the file."""
    start = head("PUT", named("a.txt"), TOKEN, "Content-Length: 5")
    heard = await say(server, start + b"hello" + b" rest" + SMUGGLED)
    assert heard.statuses == [201, 400]
    assert await server.content("/a.txt") == b"hello"
    assert "/smuggled" not in seen(log)


async def test_another_protocol_is_not_spoken(server, log):
    """An upgrade is ignored: the next request is read as before."""
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    heard = await say(server, head("GET", "/status", *lines) + SMUGGLED)
    assert heard.statuses == [200, 404]


@pytest.mark.parametrize("name", ["Transfer_Encoding", "X-Transfer-Encoding", "Content_Length"])
async def test_a_name_that_only_looks_alike_frames_nothing(server, log, name):
    """A proxy that writes underscores for hyphens is no reader of ours."""
    heard = await say(server, head("GET", "/status", f"{name}: chunked") + SMUGGLED)
    assert heard.statuses == [200, 404]
