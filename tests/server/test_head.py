"""HEAD: the headers of GET, and what renderers read from them."""

import json

import pytest

from tests.harness import ALICE, BASE, NOBODY
from waterbutler.core.errors import ProviderUnavailable

METADATA = "X-Waterbutler-Metadata"

ONLY_GET = {"Transfer-Encoding", "Date", "X-Waterbutler-Request-Id"}
"""What belongs to one answer, or says how its body is cut."""


def comparable(headers):
    return {
        name: value
        for name, value in headers.get_all()
        if name not in ONLY_GET and name != METADATA
    }


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "A.MD", 'ü "q".bin', "noext", "empty"])
@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("?displayName=other.csv", {}),
        ("?direct", {}),
        ("", {"Origin": "https://example.org"}),
        ("", {"Want-Repr-Digest": "md5=1"}),
        ("", {"If-None-Match": '"something else"'}),
        ("", {"If-None-Match": "*"}),
        ("", {"If-Match": '"something else"'}),
        ("", {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}),
        ("", {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
        ("?version=999", {}),
    ],
)
async def test_the_headers_are_those_of_get(server, name, query, headers):
    """Status and headers are the same, there is only no body."""
    await server.have(f"/{name}", b"" if name == "empty" else b"some data")
    (entry,) = (await server.get(f"{BASE}/")).data
    target = entry["links"]["download"].removeprefix(server.url) + query
    got = await server.get(target, headers)
    head = await server.head(target, headers)
    assert head.status == got.status
    assert comparable(head.headers) == comparable(got.headers)
    assert head.body == b""


@pytest.mark.parametrize("target", ["/nothing", "/nothing/", "/a.txt/", "/f", "/%2e%2e", "/a%00"])
async def test_the_headers_of_an_error_are_those_of_get(server, target):
    """The length of the body that is not there, too."""
    await server.have("/a.txt")
    await server.have("/f/")
    got = await server.get(BASE + target)
    head = await server.head(BASE + target)
    assert got.status == head.status >= 400
    assert comparable(head.headers) == comparable(got.headers)


@pytest.mark.parametrize("query", ["", "?zip"])
async def test_a_folder_has_headers_too(server, query):
    """The type that GET would have, and the folder itself in the metadata."""
    await server.have("/f/a.txt")
    got = await server.get(f"{BASE}/f/{query}")
    head = await server.head(f"{BASE}/f/{query}")
    assert head.status == 200
    assert comparable(head.headers) == comparable(got.headers)
    assert "Content-Length" not in head.headers
    document = json.loads(head.headers[METADATA])
    assert document["attributes"]["kind"] == "folder"
    assert document["attributes"]["path"] == "/f/"


async def test_what_renderers_need_is_in_the_metadata(server):
    """The same object that ``meta`` shows, in ASCII."""
    await server.have("/ü\u2028\x7f\t.txt", b"12345")
    (entry,) = (await server.get(f"{BASE}/")).data
    target = entry["links"]["download"].removeprefix(server.url)
    head = await server.head(target)
    text = head.headers[METADATA]
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == (await server.get(f"{target}?meta")).data
    attributes = json.loads(text)["attributes"]
    for key in ("name", "size", "contentType", "etag", "resource", "provider", "path"):
        assert key in attributes


@pytest.mark.parametrize("value", ["render", "export", "RENDER", "Export", " render "])
async def test_a_renderer_says_what_it_will_do(server, log, value):
    """It is allowed and logged as what it is."""
    await server.have("/a.txt")
    head = await server.head(f"{BASE}/a.txt", {"X-Cos-Mfr-Request-Action": value})
    assert head.status == 200
    assert METADATA in head.headers
    assert log[-1]["action"] == value.strip().lower()


@pytest.mark.parametrize("value", ["", "delete", "render,export"])
async def test_a_renderer_that_says_nonsense_is_refused(server, value):
    """Before any storage is asked."""
    head = await server.head(f"{BASE}/a.txt", {"X-Cos-Mfr-Request-Action": value})
    assert head.status == 400
    assert not server.calls


async def test_no_file_is_opened(server):
    """A description is enough."""
    await server.have("/a.txt")
    await server.head(f"{BASE}/a.txt")
    assert server.calls.get("read", 0) == 0


async def test_a_range_means_nothing(server):
    """HEAD is about the whole file."""
    await server.have("/a.txt", b"hello")
    head = await server.head(f"{BASE}/a.txt", {"Range": "bytes=0-1"})
    assert head.status == 200
    assert head.headers["Content-Length"] == "5"
    assert head.headers["Accept-Ranges"] == "bytes"


async def test_the_connection_stays_usable(server):
    """No body comes that a client would take for the next answer."""
    await server.have("/a.txt", b"hello")
    async with server.connection() as connection:
        for target in ("/a.txt", "/", "/nothing", "/a.txt"):
            await connection.request("HEAD", BASE + target, ALICE)
        reply = await connection.request("GET", f"{BASE}/a.txt", ALICE)
        assert reply.body == b"hello"


async def test_rights_are_asked(server):
    """Like everywhere."""
    await server.have("/a.txt")
    assert (await server.request("HEAD", f"{BASE}/a.txt", NOBODY)).status == 401


async def test_a_storage_that_is_down(server):
    """The status says so."""
    server.storage.fail("stat", ProviderUnavailable("Down.", retry_after=100), times=9)
    head = await server.head(f"{BASE}/a.txt")
    assert head.status == 503
    assert head.headers["Retry-After"] == "100"
