"""Conditional requests: what the client has, what it wants to change, what changes meanwhile."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tornado.httputil import HTTPHeaders

from tests.harness import ALICE, BASE, named
from waterbutler.core import Entry, Path
from waterbutler.core.errors import PreconditionFailed
from waterbutler.server import conditions

PAST = "Sat, 01 Jan 2000 00:00:00 GMT"
FUTURE = "Fri, 01 Jan 2100 00:00:00 GMT"


def date(moment):
    return format_datetime(moment.astimezone(UTC), usegmt=True)


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": "{tag}"}, 304),
        ({"If-None-Match": "W/{tag}"}, 304),
        ({"If-None-Match": '"x", {tag}'}, 304),
        ({"If-None-Match": '"x",{tag},"y"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-None-Match": "{bare}"}, 200),
        ({"If-None-Match": ""}, 200),
        ({"If-None-Match": '"other"', "If-Modified-Since": FUTURE}, 200),
        ({"If-None-Match": "{tag}", "If-Modified-Since": PAST}, 304),
        ({"If-Modified-Since": "{date}"}, 304),
        ({"If-Modified-Since": FUTURE}, 304),
        ({"If-Modified-Since": PAST}, 200),
        ({"If-Modified-Since": "nonsense"}, 200),
        ({"If-Modified-Since": "Sat, 99 Jan 2000 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "Sat, 01 Jan 99999 00:00:00 GMT"}, 200),
        ({"If-Match": "{tag}"}, 200),
        ({"If-Match": '"x", {tag}'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": "W/{tag}"}, 412),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": ""}, 412),
        ({"If-Match": "{tag}", "If-Unmodified-Since": PAST}, 200),
        ({"If-Match": '"other"', "If-None-Match": "{tag}"}, 412),
        ({"If-Match": "{tag}", "If-None-Match": "{tag}"}, 304),
        ({"If-Unmodified-Since": "{date}"}, 200),
        ({"If-Unmodified-Since": FUTURE}, 200),
        ({"If-Unmodified-Since": PAST}, 412),
        ({"If-Unmodified-Since": "nonsense"}, 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reading(server, method, headers, status):
    """The client gets the file, the news that it has it, or that it is another one."""
    await server.have("/a.txt", b"hello")
    known = (await server.get(f"{BASE}/a.txt")).headers
    tag = known["ETag"]
    given = {
        name: value.format(tag=tag, bare=tag.strip('"'), date=known["Last-Modified"])
        for name, value in headers.items()
    }
    reply = await server.request(method, f"{BASE}/a.txt", {**ALICE, **given})
    assert reply.status == status
    if status == 304:
        assert reply.body == b""
        assert reply.headers["ETag"] == tag
        assert reply.headers["Last-Modified"] == known["Last-Modified"]
        assert reply.headers["Cache-Control"] == "private, no-cache"
        assert "Content-Type" not in reply.headers
        assert reply.headers.get("Content-Length", known["Content-Length"]) == "5"
    if status == 412 and method == "GET":
        assert reply.message


async def test_a_connection_stays_usable_after_304(server):
    """There is no body that somebody waits for, and the file that was opened is closed."""
    await server.have("/a.txt", b"hello")
    tag = (await server.get(f"{BASE}/a.txt")).headers["ETag"]
    async with server.connection() as connection:
        for _ in range(3):
            headers = {**ALICE, "If-None-Match": tag}
            assert (await connection.request("GET", f"{BASE}/a.txt", headers)).status == 304
        assert (await connection.request("GET", f"{BASE}/a.txt", ALICE)).body == b"hello"


async def test_tags_change_with_the_content(server):
    """And differ between files."""
    await server.have("/a.txt", b"one")
    await server.have("/b.txt", b"one")
    first = (await server.get(f"{BASE}/a.txt")).headers["ETag"]
    other = (await server.get(f"{BASE}/b.txt")).headers["ETag"]
    await server.have("/a.txt", b"two")
    second = (await server.get(f"{BASE}/a.txt")).headers["ETag"]
    assert len({first, second, other}) == 3


# -- writing ---------------------------------------------------------------------------------------

WRITE_CONDITIONS = [
    ({"If-Match": "{tag}"}, True),
    ({"If-Match": '"x", {tag}'}, True),
    ({"If-Match": "*"}, True),
    ({"If-Match": '"other"'}, False),
    ({"If-Match": "W/{tag}"}, False),
    ({"If-None-Match": "*"}, False),
    ({"If-None-Match": "{tag}"}, False),
    ({"If-None-Match": '"other"'}, True),
    ({"If-Unmodified-Since": "{date}"}, True),
    ({"If-Unmodified-Since": PAST}, False),
]


def filled(headers, known):
    return {
        name: value.format(tag=known["ETag"], date=known["Last-Modified"])
        for name, value in headers.items()
    }


@pytest.mark.parametrize(("headers", "holds"), WRITE_CONDITIONS)
@pytest.mark.parametrize("size", [3, 1_000_000])
async def test_new_contents(server, headers, holds, size):
    """Only of the file that the client knows."""
    await server.have("/a.txt", b"old")
    known = (await server.get(f"{BASE}/a.txt")).headers
    reply = await server.put(f"{BASE}/a.txt", b"x" * size, filled(headers, known))
    assert reply.status == (200 if holds else 412)
    content = await server.content("/a.txt")
    assert content == (b"x" * size if holds else b"old")
    if not holds:
        assert reply.message
        assert not server.storage.calls["write"], "it is refused before the body is read"


@pytest.mark.parametrize(("headers", "holds"), WRITE_CONDITIONS)
async def test_deleting(server, headers, holds):
    """Only the file that the client knows."""
    await server.have("/a.txt", b"old")
    known = (await server.get(f"{BASE}/a.txt")).headers
    reply = await server.delete(f"{BASE}/a.txt", filled(headers, known))
    assert reply.status == (204 if holds else 412)
    assert await server.names() == ([] if holds else ["/a.txt"])


async def test_deleting_a_folder(server):
    """By the tag that its attributes show."""
    await server.have("/f/a.txt")
    (folder,) = (await server.get(f"{BASE}/")).data
    tag = folder["attributes"]["etag"]
    assert (await server.delete(f"{BASE}/f/", {"If-Match": '"other"'})).status == 412
    assert (await server.delete(f"{BASE}/f/", {"If-Match": f'"{tag}"'})).status == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": "*"}, 201),
        ({"If-None-Match": '"x"'}, 201),
        ({"If-Match": "*"}, 412),
        ({"If-Match": '"x"'}, 412),
        ({"If-Unmodified-Since": FUTURE}, 201),
    ],
)
async def test_new_files(server, headers, status):
    """There is nothing that could match."""
    reply = await server.put(named("a.txt"), b"new", headers)
    assert reply.status == status
    assert await server.content("/a.txt") == (b"new" if status == 201 else None)


@pytest.mark.parametrize("headers", [{"If-None-Match": "*"}, {}])
async def test_a_new_file_whose_name_is_taken(server, headers):
    """409 with what has the name, which says more than 412."""
    await server.have("/a.txt", b"old")
    assert (await server.put(named("a.txt"), b"new", headers)).status == 409


@pytest.mark.parametrize("headers", [{"If-Match": "*"}, {"If-None-Match": "*"}])
async def test_what_is_not_there_is_not_there(server, headers):
    """404 for a file that should be updated."""
    assert (await server.put(f"{BASE}/a.txt", b"new", headers)).status == 404
    assert (await server.delete(f"{BASE}/a.txt", headers)).status == 404


# -- what changes while the body comes -------------------------------------------------------------


async def upload_meanwhile(server, target, headers, change):
    """The answer to an upload, in the middle of which ``change`` is called."""
    async with server.connection() as connection:
        await connection.start("PUT", target, {**ALICE, "Content-Length": "6", **headers})
        await connection.send(b"new")
        while not server.storage.calls["write"]:
            await asyncio.sleep(0.002)
        await change()
        await connection.send(b"new")
        return await connection.receive()


@pytest.mark.parametrize("condition", ["If-Match", "If-Unmodified-Since"])
async def test_a_file_that_changes_while_the_body_comes(server, condition):
    """412 and nothing of the body is stored: the condition is checked again at the end."""
    await server.have("/a.txt", b"old")
    known = (await server.get(f"{BASE}/a.txt")).headers
    header = {
        "If-Match": known["ETag"],
        "If-Unmodified-Since": date(datetime.now(UTC) - timedelta(seconds=1)),
    }[condition]
    if condition == "If-Unmodified-Since":
        old = server.storages["memory"]._root.children["a.txt"]
        object.__setattr__(old.blobs[0], "modified", datetime(2001, 1, 1, tzinfo=UTC))

    async def change():
        await server.have("/a.txt", b"theirs")

    reply = await upload_meanwhile(server, f"{BASE}/a.txt", {condition: header}, change)
    assert reply.status == 412
    assert reply.message
    assert await server.content("/a.txt") == b"theirs"


async def test_a_file_that_appears_while_the_body_comes(server):
    """Is not written over by who wanted to make a new one."""

    async def change():
        await server.have("/a.txt", b"theirs")

    for headers in ({"If-None-Match": "*"}, {}):
        await server.storages["memory"].delete(Path())
        server.storage.calls.clear()
        reply = await upload_meanwhile(server, named("a.txt"), headers, change)
        assert reply.status == (412 if headers else 409)
        assert await server.content("/a.txt") == b"theirs"


async def test_a_file_that_is_deleted_while_the_body_comes(server):
    """412: what the client wanted to replace is gone."""
    await server.have("/a.txt", b"old")
    tag = (await server.get(f"{BASE}/a.txt")).headers["ETag"]

    async def change():
        await server.storages["memory"].delete(Path.parse("/a.txt"))

    reply = await upload_meanwhile(server, f"{BASE}/a.txt", {"If-Match": tag}, change)
    assert reply.status == 412
    assert await server.names() == []


async def test_many_conditional_uploads_at_once(server):
    """The check at the end does not wait for the uploads that wait for it."""
    number = 70
    for name in range(number):
        await server.have(f"/{name}", b"old")
    tags = {
        entry["attributes"]["name"]: entry["attributes"]["etag"]
        for entry in (await server.get(f"{BASE}/")).data
    }
    connections = [await server.connect() for _ in range(number)]
    for name, connection in enumerate(connections):
        headers = {**ALICE, "Content-Length": "6", "If-Match": f'"{tags[str(name)]}"'}
        await connection.start("PUT", f"{BASE}/{name}", headers)
        await connection.send(b"new")
    await asyncio.sleep(0.05)
    for connection in connections:
        await connection.send(b"new")
    replies = [await connection.receive() for connection in connections]
    assert {reply.status for reply in replies} == {200}
    for connection in connections:
        await connection.close()


# -- the rules themselves --------------------------------------------------------------------------


def test_a_condition_on_nothing():
    """Nothing matches nothing, and everything may be made."""
    conditions.check_write(HTTPHeaders({"If-None-Match": "*"}), None, None)
    with pytest.raises(PreconditionFailed):
        conditions.check_write(HTTPHeaders({"If-Match": "*"}), None, None)


def test_a_file_of_which_nothing_is_known():
    """Matches no tag and no date."""
    assert not conditions.not_modified(HTTPHeaders({"If-None-Match": "*"}), None, None)
    assert not conditions.not_modified(HTTPHeaders({"If-Modified-Since": FUTURE}), None, None)
    with pytest.raises(PreconditionFailed):
        conditions.check(HTTPHeaders({"If-Match": "*"}), None, None)
    conditions.check_write(HTTPHeaders(), Entry(path=Path.parse("/a")), None)


def test_fractions_of_a_second_do_not_count():
    """Headers have none."""
    moment = datetime(2024, 5, 6, 7, 8, 9, 999999, tzinfo=UTC)
    assert conditions.http_date(moment) == "Mon, 06 May 2024 07:08:09 GMT"
    headers = HTTPHeaders({"If-Modified-Since": conditions.http_date(moment)})
    assert conditions.not_modified(headers, None, moment)
    headers = HTTPHeaders({"If-Unmodified-Since": conditions.http_date(moment)})
    conditions.check(headers, None, moment)
