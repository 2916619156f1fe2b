"""The v0 dialect: files, folders and archives, named by parameters."""

import asyncio
import io
import json
import os
import re
import zipfile
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

from tests.harness import ALICE, BASE, BOB, LARGE, LINK_KEY, NOBODY, SMALL
from waterbutler.auth import COOKIE
from waterbutler.core.errors import ProviderFault
from waterbutler.testing.memory import MemoryProvider

FLAT = {
    *("extra", "kind", "name", "path", "provider", "materialized", "etag"),
    *("contentType", "modified", "modified_utc", "created_utc", "size", "sizeInt"),
}
FLAT_FOLDER = {"extra", "kind", "name", "path", "provider", "materialized", "etag"}
URLS = ("/file", "/data", "/revisions", "/zip", "/ops/copy", "/ops/move")
USES = [
    ("GET", "/file"),
    ("PUT", "/file"),
    ("POST", "/file"),
    ("DELETE", "/file"),
    ("GET", "/data"),
    ("GET", "/revisions"),
    ("GET", "/zip"),
]
"""Each verb whose parameters are in the query."""


def at(url, path="/a.txt", **further):
    return f"{url}?{urlencode({'nid': 'guid0', 'provider': 'memory', 'path': path, **further})}"


async def ask(server, method, target, headers=None):
    """A request with a body where the method has one."""
    body = b"x" if method == "PUT" else b"" if method == "POST" else None
    return await server.request(method, target, {**ALICE, **(headers or {})}, body)


# -- files -----------------------------------------------------------------------------------------


async def test_a_download(server):
    """The bytes, under the file's name or another one, with what v1 says of them."""
    await server.have("/f/ä b.csv", b"a,b\n")
    old = await server.get(at("/file", "/f/ä b.csv"))
    new = await server.get(f"{BASE}/f/%C3%A4%20b.csv")
    assert (old.status, old.body) == (200, b"a,b\n")
    same = ("ETag", "Content-Length", "Content-Type", "Content-Disposition", "Accept-Ranges")
    assert all(old.headers[name] == new.headers[name] for name in same)
    named = await server.get(at("/file", "/f/ä b.csv", displayName="other.md"))
    assert 'filename="other.md"' in named.headers["Content-Disposition"]
    assert named.headers["Content-Type"] == "text/x-markdown"


async def test_a_part_of_a_download(server):
    """As in v1, with its validators."""
    await server.have("/a.txt", b"0123456789")
    part = await server.get(at("/file"), {"Range": "bytes=2-4"})
    assert (part.status, part.body) == (206, b"234")
    assert part.headers["Content-Range"] == "bytes 2-4/10"
    assert (await server.get(at("/file"), {"Range": "bytes=10-"})).status == 416
    known = {"If-None-Match": part.headers["ETag"]}
    assert (await server.get(at("/file"), known)).status == 304


async def test_a_version(server):
    """``version`` rules over ``revision``, and an empty one is none."""
    await server.have("/a.txt", b"one")
    await server.have("/a.txt", b"two")
    newest, oldest = (entry["version"] for entry in (await server.get(at("/revisions"))).data)
    for further, body in (
        ({"version": oldest}, b"one"),
        ({"revision": oldest}, b"one"),
        ({"version": newest, "revision": oldest}, b"two"),
        ({"version": "", "revision": ""}, b"two"),
    ):
        assert (await server.get(at("/file", **further))).body == body
    assert (await server.get(at("/data", version=oldest))).data["size"] == 3
    assert (await server.get(at("/file", version="nothing"))).status == 404


class Linking(MemoryProvider):
    """A storage that makes links."""

    capabilities = replace(MemoryProvider.capabilities, sign=True)

    async def sign(self, path, *, version=None, filename=None, expires=None):
        return f"https://storage.example.org{path}?name={filename}"


@pytest.mark.parametrize(
    ("value", "status"),
    [
        *((None, 302), ("", 302), ("true", 302), ("True", 302), ("false", 200), ("False", 200)),
        *(("1", 400), ("no", 400), ("true ", 400)),
    ],
)
async def test_whether_the_storage_may_send_it(make_server, value, status):
    """It may, unless ``accept_url`` says no; other words are refused."""
    server = await make_server(storages={"memory": Linking()})
    await server.have("/a.txt")
    further = {} if value is None else {"accept_url": value}
    reply = await server.get(at("/file", **further))
    assert reply.status == status
    if status == 302:
        assert reply.headers["Location"] == "https://storage.example.org/a.txt?name=a.txt"
    if status == 400:
        assert "accept_url" in reply.message


async def test_an_upload(server):
    """A new file is 201, a file that is replaced 200; the answer is flat."""
    await server.have("/f/")
    made = await server.put(at("/file", "/f/ü.txt"), b"one")
    assert made.status == 201
    assert set(made.json) == FLAT
    assert (made.json["name"], made.json["path"], made.json["size"]) == ("ü.txt", "/f/ü.txt", 3)
    replaced = await server.put(at("/file", "/f/ü.txt"), b"other")
    assert (replaced.status, replaced.json["size"]) == (200, 5)
    assert await server.content("/f/ü.txt") == b"other"


async def test_an_upload_where_it_cannot_be(server):
    """Beside a folder of the same name, in no folder, with a slash at its end."""
    await server.have("/f/")
    taken = await server.put(at("/file", "/f"), b"x")
    assert (taken.status, taken.json["data"]["kind"]) == (409, "folder")
    assert (await server.put(at("/file", "/nothing/a.txt"), b"x")).status == 404
    assert (await server.put(at("/file", "/f/"), b"x")).status == 400
    assert await server.names() == ["/f/"]


@pytest.mark.parametrize(
    ("headers", "status", "content"),
    [({}, 201, b"first"), ({"If-None-Match": "*"}, 412, b"second")],
    ids=["whatever is there", "nothing may be there"],
)
async def test_two_uploads_at_once(server, headers, status, content):
    """Both may write: a name that is taken meanwhile is no conflict, but breaks a condition."""
    target = at("/file", "/new.txt")
    async with server.connection() as one:
        await one.start("PUT", target, {**ALICE, **headers, "Content-Length": "5"})
        await one.send(b"fi")
        while not server.storage.calls["write"]:
            await asyncio.sleep(0.005)
        assert (await server.put(target, b"second")).status == 201
        await one.send(b"rst")
        assert (await one.receive("PUT")).status == status
    assert await server.content("/new.txt") == content


async def test_an_upload_in_chunks_arrives_while_it_is_sent(server):
    """The storage has the first chunk before the last one is there."""
    async with server.connection() as client:
        headers = {**ALICE, "Transfer-Encoding": "chunked"}
        await client.start("PUT", at("/file", "/new.txt"), headers)
        await client.send(b"3\r\nabc\r\n")
        while not server.storage.calls["write"]:
            await asyncio.sleep(0.005)
        await client.send(b"3\r\ndef\r\n0\r\n\r\n")
        assert (await client.receive("PUT")).status == 201
    assert await server.content("/new.txt") == b"abcdef"


async def test_an_upload_that_ends_early(server):
    """Nothing of it stays."""
    await server.have("/a.txt", b"old")
    for path in ("/new.txt", "/a.txt"):
        client = await server.connect()
        await client.start("PUT", at("/file", path), {**ALICE, "Content-Length": "100"})
        await client.send(b"half")
        while not server.storage.calls["write"]:
            await asyncio.sleep(0.005)
        await client.close()
    while server.context.state._active:
        await asyncio.sleep(0.005)
    assert await server.names() == ["/a.txt"]
    assert await server.content("/a.txt") == b"old"


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_refused_upload_is_answered(server, size):
    """However much the client still sends, it can read why."""
    body = bytes(size)
    async with server.connection() as client:
        reply = await client.request("PUT", at("/file"), BOB, body)
    assert (reply.status, "message" in reply.json) == (403, True)
    assert not server.calls.get("write")


async def test_digests_and_conditions_of_an_upload(server):
    """As in v1."""
    await server.have("/a.txt", b"old")
    bad = {"Content-MD5": "CArvg5uV+s9z7FmTdektRw=="}
    assert (await server.put(at("/file"), b"new", bad)).status == 400
    assert (await server.put(at("/file"), b"new", {"If-None-Match": "*"})).status == 412
    assert (await server.put(at("/file"), b"new", {"If-Match": '"other"'})).status == 412
    assert (await server.put(at("/file", "/b"), b"new", {"If-Match": "*"})).status == 412
    assert await server.content("/a.txt") == b"old"
    etag = (await server.get(at("/file"))).headers["ETag"]
    assert (await server.put(at("/file"), b"new", {"If-Match": etag})).status == 200


async def test_an_upload_has_a_size(make_server):
    """A length or chunks, and not more than the server takes."""
    server = await make_server(options={"max_upload_size": 10})
    async with server.connection() as client:
        assert (await client.request("PUT", at("/file"), ALICE)).status == 411
    assert (await server.put(at("/file"), b"x" * 11)).status == 413
    assert (await server.put(at("/file"), b"x" * 10)).status == 201


async def test_a_new_folder(server):
    """Its name is the last one of the path."""
    made = await ask(server, "POST", at("/file", "/new/"))
    assert (made.status, set(made.json)) == (201, FLAT_FOLDER)
    assert (made.json["name"], made.json["kind"]) == ("new", "folder")
    assert (await ask(server, "POST", at("/file", "/new/inner/"))).status == 201
    taken = await ask(server, "POST", at("/file", "/new/"))
    assert (taken.status, taken.message) == (409, "The name 'new' is taken.")
    assert set(taken.json["data"]) == FLAT_FOLDER
    assert (await ask(server, "POST", at("/file", "/nothing/inner/"))).status == 404
    assert await server.names() == ["/new/", "/new/inner/"]


@pytest.mark.parametrize(
    ("path", "body", "status"), [("/new", b"", 400), ("/", b"", 400), ("/new/", b"x", 413)]
)
async def test_what_is_no_new_folder(server, path, body, status):
    """A file's path, the root, and one with a body."""
    reply = await server.request("POST", at("/file", path), ALICE, body)
    assert reply.status == status
    assert reply.message
    assert not server.calls


async def test_a_deletion(server):
    """Files and folders; the root only if that is confirmed."""
    await server.have("/a.txt")
    await server.have("/f/b.txt")
    assert (await server.delete(at("/file"))).status == 204
    assert (await server.delete(at("/file"))).status == 404
    assert (await server.delete(at("/file", "/f/"), {"If-Match": '"other"'})).status == 412
    for further in ({}, {"confirm_delete": ""}, {"confirm_delete": "yes"}):
        refused = await server.delete(at("/file", "/", **further))
        assert (refused.status, "confirm_delete" in refused.message) == (400, True)
    assert await server.names() == ["/f/", "/f/b.txt"]
    assert (await server.delete(at("/file", "/", confirm_delete=1))).status == 204
    assert await server.names() == []


# -- descriptions ----------------------------------------------------------------------------------


async def test_data_of_a_file(server):
    """What v1 has in ``attributes``, but the resource."""
    await server.have("/f/a.txt", b"data")
    flat = (await server.get(at("/data", "/f/a.txt"))).data
    attributes = (await server.get(f"{BASE}/f/a.txt?meta=")).data["attributes"]
    assert set(flat) == FLAT
    assert flat == {name: attributes[name] for name in FLAT}


async def test_data_of_a_folder(server):
    """A list; folders in it have no size."""
    await server.have("/f/a.txt")
    await server.have("/f/g/")
    entries = {entry["name"]: entry for entry in (await server.get(at("/data", "/f/"))).data}
    assert {name: set(entry) for name, entry in entries.items()} == {
        "a.txt": FLAT,
        "g": FLAT_FOLDER,
    }
    assert entries["g"]["path"] == "/f/g/"
    assert len((await server.get(at("/data", "/"))).data) == 1
    assert (await server.get(at("/data", "/f/g/"))).data == []


@pytest.mark.parametrize("path", ["/nothing", "/nothing/", "/f", "/f/a.txt/"])
async def test_data_of_nothing(server, path):
    """There is no such thing, or one of the other kind."""
    await server.have("/f/a.txt")
    assert (await server.get(at("/data", path))).status == 404


async def test_revisions(server):
    """Flat, newest first; a storage without them has none."""
    for body in (b"1", b"22"):
        await server.have("/a.txt", body)
    newest, oldest = (await server.get(at("/revisions"))).data
    members = {"extra", "version", "modified", "modified_utc", "versionIdentifier", "size"}
    assert set(newest) == set(oldest) == members
    assert (newest["size"], oldest["size"]) == (2, 1)
    assert isinstance(newest["version"], str)
    assert (await server.get(at("/revisions", "/"))).status == 400


# -- archives --------------------------------------------------------------------------------------


async def test_archives(server):
    """Of folders, of the root, and of a single file."""
    await server.have("/f/a.txt", b"one")
    await server.have("/f/g/b.txt", b"two")
    for path, name, members in (
        ("/f/", "f.zip", ["a.txt", "g/b.txt"]),
        ("/", "memory-archive.zip", ["f/a.txt", "f/g/b.txt"]),
        ("/f/a.txt", "a.txt.zip", ["a.txt"]),
    ):
        reply = await server.get(at("/zip", path))
        assert reply.headers["Content-Type"] == "application/zip"
        assert f'filename="{name}"' in reply.headers["Content-Disposition"]
        assert reply.headers["Transfer-Encoding"] == "chunked"
        archive = zipfile.ZipFile(io.BytesIO(reply.body))
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == members
    for path in ("/nothing", "/nothing/", "/f/a.txt/", "/f"):
        assert (await server.get(at("/zip", path))).status == 404


async def test_an_archive_that_fails_is_broken_off(server):
    """It never looks complete."""
    await server.have("/f/a.bin", os.urandom(1_000_000))
    server.storage.fail("read", ProviderFault("Broken."), after=500_000)
    reply = await server.get(at("/zip", "/f/a.bin"))
    assert (reply.status, reply.whole) == (200, False)


# -- who may ---------------------------------------------------------------------------------------


async def test_who_may_read(server):
    """Headers, cookies, the two parameters, as in v1."""
    await server.have("/a.txt")
    account = next(account for account in server.accounts if account.id == "bob")
    session = server.sessions.issue("bob", account.token_sha256)
    for headers, further, status in (
        (BOB, {}, 200),
        (NOBODY, {}, 401),
        (NOBODY, {"view_only": LINK_KEY}, 200),
        (NOBODY, {"view_only": ""}, 401),
        (NOBODY, {"cookie": session}, 200),
        (NOBODY, {"cookie": "bad"}, 401),
        ({"Cookie": f"{COOKIE}={session}"}, {}, 200),
        ({"Authorization": "Bearer wrong"}, {}, 401),
    ):
        for url in ("/file", "/data", "/revisions", "/zip"):
            reply = await server.request("GET", at(url, **further), headers)
            assert reply.status == status, (url, headers, further)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_who_may_write(server, method):
    """Only who has the right, and not with a link to read."""
    await server.have("/f/")
    target = at("/file", "/new/" if method == "POST" else "/new.txt")
    body = b"x" if method == "PUT" else b""
    for headers, status in ((BOB, 403), (NOBODY, 401)):
        assert (await server.request(method, target, headers, body)).status == status
    linked = await server.request(method, f"{target}&view_only={LINK_KEY}", NOBODY, body)
    assert linked.status in {401, 403}
    frozen = target.replace("memory", "frozen")
    refused = await server.request(method, frozen, ALICE, body)
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, OPTIONS")
    assert await server.names() == ["/f/"]


# -- what every answer has -------------------------------------------------------------------------


def assert_deprecated(reply):
    assert re.fullmatch(r"@\d+", reply.headers["Deprecation"])
    assert '/openapi.json>; rel="deprecation"' in reply.headers["Link"]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
async def test_every_answer_says_that_there_is_something_newer(server, url, method):
    """Successes, refusals, wrong methods and preflights."""
    await server.have("/a.txt")
    body = b"x" if method in {"PUT", "POST", "PATCH"} else None
    reply = await server.request(method, at(url), {**ALICE, "Origin": "https://x.example"}, body)
    assert_deprecated(reply)
    assert reply.headers["X-Waterbutler-Request-Id"]
    assert reply.headers["Access-Control-Allow-Origin"] == "https://x.example"
    allowed = {"/file": "GET, PUT, POST, DELETE", "/ops/copy": "POST", "/ops/move": "POST"}
    possible = allowed.get(url, "GET")
    if method == "OPTIONS":
        assert (reply.status, reply.headers["Allow"]) == (204, f"{possible}, OPTIONS")
    elif method not in possible.split(", "):
        assert (reply.status, reply.headers["Allow"]) == (405, f"{possible}, OPTIONS")
        assert method == "HEAD" or reply.message
    else:
        assert reply.status < 500


@pytest.mark.parametrize(
    ("url", "path", "successor"),
    [
        ("/file", "/f/ü.txt", "/f/%C3%BC.txt"),
        ("/data", "/f/ü.txt", "/f/%C3%BC.txt?meta="),
        ("/data", "/f/", "/f/"),
        ("/revisions", "/f/ü.txt", "/f/%C3%BC.txt?versions="),
        ("/zip", "/f/", "/f/?zip="),
    ],
)
async def test_the_successor_answers_the_same(server, url, path, successor):
    """The link leads to what v1 has, and holds nothing that was shown to sign in."""
    await server.have("/f/ü.txt", b"data")
    reply = await server.get(at(url, path, view_only=LINK_KEY))
    links = ", ".join(reply.headers.get_list("Link"))
    assert f'<{server.url}{BASE}{successor}>; rel="successor-version"' in links
    assert LINK_KEY not in links
    assert (await server.get(BASE + successor)).status == reply.status == 200


async def test_nothing_else_is_deprecated(server):
    """v1 and the server's own answers."""
    for target in (f"{BASE}/", "/status", "/nowhere", "/files/", "/file/", "/data/x"):
        assert "Deprecation" not in (await server.get(target)).headers
    assert (await server.get("/file/")).status == 404


async def test_the_log_tells_the_dialect(server, log):
    """And no parameter."""
    await server.have("/a.txt")
    await server.get(at("/file", cookie="", displayName="secret-name"))
    assert 'dialect="v0"' in server.metrics.render().decode()
    assert "secret-name" not in json.dumps([event for event in log if event["event"] == "request"])


# -- requests that make no sense -------------------------------------------------------------------


@pytest.mark.parametrize(("method", "url"), USES)
@pytest.mark.parametrize("name", ["nid", "provider", "path"])
@pytest.mark.parametrize("value", [None, ""])
async def test_a_parameter_that_is_missing(server, method, url, name, value):
    """400, with its name; no storage is asked."""
    pairs = {"nid": "guid0", "provider": "memory", "path": "/a", name: value}
    query = urlencode({key: it for key, it in pairs.items() if it is not None})
    reply = await ask(server, method, f"{url}?{query}")
    assert (reply.status, f"'{name}'" in reply.message) == (400, True)
    assert_deprecated(reply)
    assert not server.calls


BAD = [
    ("nid", "gu-id"),
    ("nid", "a/b"),
    ("provider", "mem.ory"),
    ("path", "a.txt"),
    ("path", "//"),
    ("path", "/a//b"),
    ("path", "/../a"),
    ("path", "/./a"),
    ("path", "/nul\0"),
    ("path", "/" + "x" * 256),
]


@pytest.mark.parametrize(("method", "url"), USES)
@pytest.mark.parametrize(("name", "value"), BAD)
async def test_a_parameter_that_makes_no_sense(server, method, url, name, value):
    """400 before anything is asked, and never 500."""
    slash = "/" if (method, url) == ("POST", "/file") and name == "path" else ""
    further = {"nid": "guid0", "provider": "memory", "path": "/a", name: value + slash}
    reply = await ask(server, method, f"{url}?{urlencode(further)}")
    assert reply.status == 400
    assert reply.message
    assert not server.calls


@pytest.mark.parametrize(("method", "url"), USES)
@pytest.mark.parametrize("query", ["", "?", "?nid", "?%FF=1", "?path=/%FF", "?" + "a=1&" * 101])
async def test_a_query_that_makes_no_sense(server, method, url, query):
    """400 as well."""
    reply = await ask(server, method, url + query)
    assert reply.status == 400
    assert reply.message


async def test_a_path_is_decoded_once(server):
    """A percent sign, a plus and an ampersand in a name stay what they are."""
    name = "/50% + a&b%2F.txt"
    assert (
        await server.put(f"/file?nid=guid0&provider=memory&path={quote(name)}", b"x")
    ).status == 201
    assert await server.names() == [name]


@pytest.mark.parametrize(
    "further", [{"nid": "nothing"}, {"provider": "nothing"}, {"path": "/nothing"}]
)
async def test_what_is_not_there(server, further):
    """404."""
    query = urlencode({"nid": "guid0", "provider": "memory", "path": "/a.txt", **further})
    for url in ("/file", "/data", "/revisions", "/zip"):
        reply = await server.get(f"{url}?{query}")
        assert (reply.status, bool(reply.message)) == (404, True)


async def test_parameters_that_say_nothing(server):
    """Are ignored: clients send what only some storages know."""
    await server.have("/a.txt")
    reply = await server.get(at("/data", branch="x", method="delete", _="1", action="delete"))
    assert reply.data["name"] == "a.txt"


async def test_a_failing_storage(server):
    """Its error is told with its own status."""
    await server.have("/a.txt")
    for url, operation in (("/file", "read"), ("/data", "stat"), ("/zip", "stat")):
        server.storage.fail(
            operation, ProviderFault("nonsense"), at=server.storage.calls[operation] + 1
        )
        reply = await server.get(at(url))
        assert (reply.status, reply.message) == (502, "nonsense")


# -- a renderer ------------------------------------------------------------------------------------


async def test_the_renderer_speaks_v0(server):
    """It asks ``/data`` where it was given ``/file``, then reads the file, and is not sent on."""
    await server.have("/plot.csv", b"a,b\n")
    given = at("/file", "/plot.csv", accept_url="false", mode="render", cookie="", view_only="")
    described = await server.get(given.replace("/file?", "/data?"))
    assert described.status == 200
    data = described.data
    assert {"name", "size", "contentType", "etag", "provider", "path"} <= set(data)
    assert (data["name"], data["size"], data["path"]) == ("plot.csv", 4, "/plot.csv")
    read = await server.get(given, {"X-Cos-Mfr-Render-Request": "1"})
    assert (read.status, read.body) == (200, b"a,b\n")
    assert read.headers["Content-Length"] == "4"
    assert read.headers["Content-Type"] == "text/csv"
