"""Heads of requests: what is understood, and what is refused because it could be misunderstood."""

import pytest

from waterbutler.server.http1.head import (
    Malformed,
    Request,
    framing_of,
    parse_head,
    seen_through_proxy,
)

HOST = b"Host: example.org\r\n"


def head(*lines, line=b"GET / HTTP/1.1"):
    return parse_head(b"\r\n".join([line, *lines, b""]))


def request(*lines, line=b"GET /a%2Fb?x=1&x=&y HTTP/1.1"):
    return Request(*head(*lines, line=line))


def test_what_a_head_says():
    line, headers = head(b"hOsT:example.org", b"X-Odd: \t a b \t", b"Accept: a", b"accept: b")
    assert line == ("GET", "/", "HTTP/1.1")
    assert headers["Host"] == "example.org"
    assert headers.get("x-odd") == "a b"
    assert headers.get("Accept") == "a,b"
    assert headers.get_list("Accept") == ["a", "b"]
    assert headers.get("Missing") is None
    assert headers.get("Missing", "else") == "else"


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"GET", b"GET /", b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b" GET / HTTP/1.1"),
        *(b"GET / HTTP/2.0", b"GET / http/1.1", b"G(T / HTTP/1.1", b"GET /a b HTTP/1.1"),
        *(b"GET /\x00 HTTP/1.1", b"GET /\x7f HTTP/1.1", b"GET\t/ HTTP/1.1", b"GET / HTTP/1.10"),
        b"X" * 65 + b" / HTTP/1.1",
    ],
)
def test_lines_that_are_no_request(line):
    with pytest.raises(Malformed):
        head(HOST.strip(), line=line)


@pytest.mark.parametrize(
    "field",
    [
        *(b"no colon", b": no name", b"Space : x", b" Folded: x", b"\tFolded: x", b"A\x00: x"),
        *(b"A: x\x00y", b"A: x\ny", b"A: x\ry", b"A: x\x7f", b"A(b): x", b"A: x\x0b", b""),
    ],
)
def test_lines_that_are_no_header(field):
    with pytest.raises(Malformed):
        head(HOST.strip(), field)


@pytest.mark.parametrize("hosts", [(), (b"Host: a", b"Host: a"), (b"Host: a/b",), (b"Host: a b",)])
def test_exactly_one_host(hosts):
    with pytest.raises(Malformed):
        head(*hosts)


def test_an_old_client_needs_no_host():
    assert head(line=b"GET / HTTP/1.0")[0].version == "HTTP/1.0"


@pytest.mark.parametrize(
    ("fields", "size"),
    [((), 0), ((b"Content-Length: 0",), 0), ((b"Content-Length: 12",), 12)],
)
def test_the_size_of_a_body(fields, size):
    assert framing_of(head(HOST.strip(), *fields)[1], "HTTP/1.1").size == size


def test_a_body_in_chunks():
    headers = head(HOST.strip(), b"Transfer-Encoding: Chunked")[1]
    assert framing_of(headers, "HTTP/1.1").size is None


@pytest.mark.parametrize(
    "fields",
    [
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        *(
            (b"Content-Length: 5", b"Content-Length: 6"),
            (b"Content-Length: 5", b"Content-Length: 5"),
        ),
        *((b"Content-Length: +5",), (b"Content-Length: 5 5",), (b"Content-Length: 0x5",)),
        *((b"Content-Length:",), (b"Content-Length: -1",), (b"Content-Length: " + b"9" * 19,)),
        *((b"Content-Length: \xb2",), (b"Transfer-Encoding: gzip, chunked",)),
        *((b"Transfer-Encoding: chunked, chunked",), (b"Transfer-Encoding: identity",)),
        *((b"Transfer-Encoding: xchunked",), (b"Transfer-Encoding:",)),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    ],
)
def test_bodies_whose_end_is_not_clear(fields):
    with pytest.raises(Malformed):
        framing_of(head(HOST.strip(), *fields)[1], "HTTP/1.1")


def test_an_old_client_knows_no_chunks():
    headers = head(b"Transfer-Encoding: chunked", line=b"PUT / HTTP/1.0")[1]
    with pytest.raises(Malformed):
        framing_of(headers, "HTTP/1.0")


def test_the_parts_of_a_request():
    asked = request(HOST.strip())
    assert (asked.method, asked.path, asked.query) == ("GET", "/a%2Fb", "x=1&x=&y")
    assert asked.query_arguments == {"x": [b"1", b""], "y": [b""]}
    assert asked.full_url() == "http://example.org/a%2Fb?x=1&x=&y"


def test_a_target_with_a_host_in_it():
    """As clients of proxies write it; the host of the target counts (RFC 9112, 3.2.2)."""
    asked = request(HOST.strip(), line=b"GET http://other.example:81/a?b HTTP/1.1")
    assert (asked.uri, asked.path, asked.query, asked.host) == (
        "/a?b",
        "/a",
        "b",
        "other.example:81",
    )
    assert request(HOST.strip(), line=b"GET http://other.example HTTP/1.1").uri == "/"


@pytest.mark.parametrize(
    ("line", "wish", "kept"),
    [
        *((b"GET / HTTP/1.1", None, True), (b"GET / HTTP/1.1", b"close", False)),
        *((b"GET / HTTP/1.1", b"Upgrade, Close", False), (b"GET / HTTP/1.0", None, False)),
        *((b"GET / HTTP/1.0", b"Keep-Alive", True), (b"GET / HTTP/1.1", b"keep-alive", True)),
    ],
)
def test_who_keeps_the_connection(line, wish, kept):
    fields = [HOST.strip()] + ([b"Connection: " + wish] if wish else [])
    assert request(*fields, line=line).keeps_connection is kept


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ((), ("10.0.0.1", "http")),
        ((b"X-Forwarded-For: 1.2.3.4, 5.6.7.8",), ("5.6.7.8", "http")),
        ((b"X-Forwarded-For: nonsense",), ("10.0.0.1", "http")),
        ((b"X-Real-Ip: ::1", b"X-Forwarded-For: 1.2.3.4"), ("::1", "http")),
        ((b"X-Forwarded-Proto: http, https",), ("10.0.0.1", "https")),
        ((b"X-Scheme: javascript",), ("10.0.0.1", "http")),
    ],
)
def test_what_a_proxy_says(fields, seen):
    assert seen_through_proxy(head(HOST.strip(), *fields)[1], "10.0.0.1") == seen
