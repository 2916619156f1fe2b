"""What clients send: mostly something that leads somewhere, with something odd in it."""

from __future__ import annotations

import json
from typing import TypeVar
from urllib.parse import quote, quote_from_bytes

from hypothesis import strategies as st

from tests.fuzz.wire import Headers, Request
from tests.fuzz.world import SCRIPT

_INJECTION = b"a\r\nX-Injected: yes\r\n\r\n"
_NASTY = [
    *(
        b"..",
        b".",
        b"...",
        b"../..",
        b"../../folder",
        b"/",
        b"//",
        b"/etc/passwd",
        b"\\",
        b"..\\..",
    ),
    *(b"\0", b"a\0b", b"\n", b"\r\n", _INJECTION, b"\x1b[2J", b"\x7f", b"\x85", b"\t", b" ", b"~"),
    *(b"\xff", b"\xc0\xae\xc0\xae", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", "\u2028\u202e".encode()),
    *(b"link-out", b"link-out/file.txt", b"link-file", b"link-far", b"file.txt", b"folder", b"new"),
    *(b"n" * 255, b"n" * 256, "é".encode() * 127, "e\u0301".encode(), "\U0001f600".encode()),
    *(b"con", b"nul.txt", b"C:", b"a:b", b".hidden", b"-rf", b"*", b"?", b"#", b"%", b"%2e%2e"),
    *(b"<svg onload=x>", b"'\"><svg onload=x>", b"{{7*7}}", b"$(id)", b"' or 1=1 --", b"%s%n"),
    *(b"0", b"-1", b"1", b"true", b"null", b"[]", b"9" * 25, b"1e999", b"9" * 5000, b"NaN"),
    b"../file.txt",
]
assert any(SCRIPT in atom for atom in _NASTY)

T = TypeVar("T")


def mostly(
    usual: st.SearchStrategy[T], odd: st.SearchStrategy[T], times: int = 3
) -> st.SearchStrategy[T]:
    """What is usual so many times as often as what is odd."""
    return st.sampled_from([*[usual] * times, odd]).flatmap(lambda chosen: chosen)


words = st.one_of(
    st.sampled_from(_NASTY),
    st.binary(max_size=12),
    st.text(max_size=12).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
"""Bytes that some layer may take for something else than what they are."""

texts = words.map(lambda word: word.decode("utf-8", "replace"))


def escaped(word: bytes, safe: str = "") -> bytes:
    """A word as it may stand in a target."""
    return quote_from_bytes(word, safe).encode()


def raw(word: bytes) -> bytes:
    """The same with as few escapes as can be: only what would end the target is escaped."""
    return b"".join(
        b"%%%02X" % byte if byte <= 32 or byte == 127 else bytes([byte]) for byte in word
    )


def written(word: bytes) -> st.SearchStrategy[bytes]:
    """The ways to write a word into a target."""
    return st.sampled_from([escaped(word), escaped(word, "/"), raw(word), escaped(raw(word))])


pieces = words.flatmap(written)


def paths(*known: str) -> st.SearchStrategy[bytes]:
    """Paths: those that lead somewhere, and those in which something is odd."""
    sure = st.sampled_from([quote(path).encode() for path in known])
    odd = st.lists(st.one_of(sure.map(lambda path: path.strip(b"/")), pieces), max_size=4)
    slashes = st.sampled_from([b"", b"/"])
    made = st.tuples(odd, slashes).map(lambda each: b"/" + b"/".join(each[0]) + each[1])
    return mostly(sure, made)


def queries(*names: str, **known: list[str]) -> st.SearchStrategy[bytes]:
    """Queries with parameters of these names; ``known`` ones have values that mean something."""
    every = [*names, *known]

    def pair(name: str) -> st.SearchStrategy[bytes]:
        values = pieces
        if name in known:
            usual = st.sampled_from(known[name]).map(lambda value: quote(value).encode())
            values = mostly(usual, pieces)
        return st.tuples(st.just(quote(name).encode()), values).map(b"=".join)

    named = st.sampled_from(every).flatmap(pair)
    joined = st.lists(mostly(named, pieces, 9), max_size=3).map(b"&".join)
    return mostly(st.just(b""), joined.map(lambda text: b"?" + text), 1)


HEADERS: dict[bytes, list[bytes]] = {
    b"Range": [b"bytes=0-9", b"bytes=-5", b"bytes=5-2", b"bytes=0-,5-9", b"bytes=" + b"9" * 5000],
    b"If-Range": [b'"x"', b"Tue, 01 Jan 2030 00:00:00 GMT", b"W/"],
    b"If-Match": [b"*", b'"x", W/"y"', b'"' * 999],
    b"If-None-Match": [b"*", b'W/"x"'],
    b"If-Modified-Since": [b"Mon, 01 Jan 0001 00:00:00 +9999", b"Tue, 01 Jan 2030 00:00:00 GMT"],
    b"If-Unmodified-Since": [b"Fri, 31 Dec 9999 23:59:59 -9999", b"0"],
    b"Content-MD5": [b"CArvg5uV+s9z7FmTdektRw==", b"====", b"\xe9"],
    b"Content-Digest": [b"sha-256=:AAAA:", b"md5=:CArvg5uV+s9z7FmTdektRw==:", b"x=:AA==:;a=1"],
    b"Repr-Digest": [b"sha=::", b"," * 99],
    b"Want-Repr-Digest": [b"sha-512=0, md5=1", b"md5", b"\xff=:"],
    b"Content-Type": [b"application/json", b"text/html; charset=utf-99", b"multipart/form-data"],
    b"Content-Encoding": [b"gzip", b"identity"],
    b"Accept": [b"text/html", b"text/html;q=0.1, application/json;q=x", b"*/*;" * 99],
    b"Accept-Encoding": [b"gzip, br"],
    b"Cookie": [b"waterbutler_session=1.YQ.99999999999.00", b"waterbutler_session=1.%.%.%", b"=;"],
    b"Authorization": [b"Basic !!!", b"Basic Og==", b"Bearer", b"Bearer " + b"x" * 9000, b"Digest"],
    b"Origin": [b"http://[", b"null", b"https://evil.example", b"http://127.0.0.1"],
    b"Referer": [b"http://[", b"javascript:alert(1)"],
    b"Sec-Fetch-Site": [b"cross-site", b"same-origin"],
    b"X-CSRFToken": [b"\xe9", b"0" * 64],
    b"Expect": [b"100-continue", b"200-ok"],
    b"X-Forwarded-For": [b"::1, 1.2.3.4", b"unknown"],
    b"X-Forwarded-Proto": [b"gopher"],
    b"X-Http-Method-Override": [b"DELETE"],
    b"X-Cos-Mfr-Request-Action": [b"render", b"destroy"],
    b"X-Cos-Mfr-Render-Request": [b"1"],
    b"Upgrade": [b"h2c", b"websocket"],
    b"User-Agent": [b"\xf0\x9f\x98\x80"],
}
"""Headers that some handler reads, with values that are unusual."""

_values = words.map(lambda word: bytes(byte for byte in word if byte >= 32 and byte != 127).strip())


def headers(**more: list[bytes]) -> st.SearchStrategy[Headers]:
    """Some headers; ``more`` are known to one dialect only."""
    known = HEADERS | {name.replace("_", "-").encode(): values for name, values in more.items()}

    def pair(name: bytes) -> st.SearchStrategy[tuple[bytes, bytes]]:
        return st.tuples(st.just(name), mostly(st.sampled_from(known[name]), _values))

    several = st.lists(st.sampled_from(sorted(known)).flatmap(pair), max_size=3)
    return mostly(st.just([]), several, 1)


_leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
anything = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
_broken = st.sampled_from(
    [
        *(b"", b"{", b"nul", b"\xff", b"[" * 50_000, b'{"a":' * 50_000, b"1" * 5000, b'"\\ud800"'),
        *(b'{"a":"\xff"}', b'{"\xff":1}'),
        *(b'{"action":"copy","action":"move"}', b"\xef\xbb\xbf{}", b"{}{}", b"\0", b'{"a":1e999}'),
    ]
)


def _encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def documents(**members: st.SearchStrategy[object]) -> st.SearchStrategy[bytes]:
    """JSON bodies: some or all members as they should be, or anything in their places, or no JSON.

    Names of members have ``__`` where the documents have a dot.
    """
    names = {name.replace("__", "."): value for name, value in members.items()}
    loose = {name: mostly(value, anything) for name, value in names.items()}
    right = st.fixed_dictionaries(names).map(_encoded)
    wrong = st.one_of(
        st.fixed_dictionaries(loose).map(_encoded),
        st.fixed_dictionaries({}, optional=loose).map(_encoded),
        _broken,
    )
    return mostly(right, wrong, 1)


@st.composite
def requests(
    draw: st.DrawFn,
    methods: list[str],
    target: st.SearchStrategy[bytes],
    headers: st.SearchStrategy[Headers],
    bodies: dict[str, st.SearchStrategy[bytes]],
) -> Request:
    """Requests; those whose method has a body have it, sent whole or in chunks, and others may.

    Args:
        methods: The methods, more often those that come more often.
        target: The targets.
        headers: What is sent besides.
        bodies: The bodies that a method has.
    """
    method = draw(st.sampled_from(methods))
    usual = bodies.get(method, st.none())
    body = draw(mostly(usual, st.one_of(st.none(), st.binary(max_size=100), *bodies.values()), 9))
    sizes = mostly(st.none(), st.lists(st.integers(1, 50), max_size=3).map(tuple), 5)
    pieces = draw(sizes) if body is not None else None
    return Request(method, draw(target), draw(headers), body, pieces)
