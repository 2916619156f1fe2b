"""``/openapi.json`` as clients and caches see it."""

from tests.harness import NOBODY
from tests.server.openapi.description import described
from waterbutler.server.openapi import handler


async def test_the_document_is_there_for_everybody(server):
    """Who is not signed in gets it, with the URL of this server in it."""
    answer = await server.request("GET", "/openapi.json", NOBODY)
    assert answer.status == 200
    assert answer.json == {**described(), "servers": [{"url": server.url}]}


async def test_the_document_is_sent_once(server):
    """A client that has it is told so, and only then."""
    first = await server.request("GET", "/openapi.json", NOBODY)
    tag = first.headers["ETag"]
    again = await server.request("GET", "/openapi.json", {"If-None-Match": tag})
    other = await server.request("GET", "/openapi.json", {"If-None-Match": '"other"'})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    assert other.status == 200
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "public, no-cache"


async def test_the_headers_come_without_the_document(server):
    """HEAD says how large it is."""
    whole = await server.request("GET", "/openapi.json", NOBODY)
    head = await server.request("HEAD", "/openapi.json", NOBODY)
    assert head.status == 200
    for name in ("Content-Length", "Content-Type", "ETag", "Cache-Control"):
        assert head.headers[name] == whole.headers[name]
    assert int(head.headers["Content-Length"]) == len(whole.body)


async def test_the_document_cannot_be_changed(server):
    """Other methods are refused, with those that there are."""
    answer = await server.request("PUT", "/openapi.json", NOBODY, b"{}")
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_the_document_is_made_once(server, make_server):
    """It is made anew only for another set-up, which has another tag."""
    handler.rendered.cache_clear()
    other = await make_server()
    tags = {
        (await asked.request("GET", "/openapi.json", NOBODY)).headers["ETag"]
        for asked in (server, server, other)
    }
    assert len(tags) == 2
    assert handler.rendered.cache_info().misses == 2
