"""PUT: new files, new contents, new folders, and all that is refused."""

import asyncio
from dataclasses import replace
from urllib.parse import quote

import pytest

from tests.harness import ALICE, BASE, BOB, FROZEN, NOBODY, named
from waterbutler.core import WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    ProviderFault,
    ProviderUnavailable,
    QuotaExceeded,
    TooLarge,
)
from waterbutler.testing.memory import MemoryProvider

# -- what works ------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"hello", b"x" * 300_000])
@pytest.mark.parametrize("query", ["?kind=file&name=a.txt", "?name=a.txt", "?name=a.txt&kind=file"])
async def test_a_new_file(server, body, query):
    """201, and the file as ``meta`` shows it; ``kind`` may be left out."""
    reply = await server.put(f"{BASE}/{query}", body)
    assert reply.status == 201
    assert reply.json.keys() == {"data"}
    assert reply.data == (await server.get(f"{BASE}/a.txt?meta")).data
    assert await server.content("/a.txt") == body


async def test_a_new_file_in_a_folder(server):
    """Its path is that of the folder, and its name."""
    await server.have("/ü folder/")
    reply = await server.put(f"{BASE}/%C3%BC%20folder/?kind=file&name=a+b%2B%C3%A4.txt", b"x")
    assert reply.status == 201
    assert reply.data["attributes"]["path"] == "/ü folder/a b+ä.txt"
    assert await server.content("/ü folder/a b+ä.txt") == b"x"


@pytest.mark.parametrize(
    "query", ["", "?kind=file", "?kind=file&unknown=1", "?direct=true&mode=render"]
)
async def test_a_new_content(server, query):
    """200, and a new version where there are versions."""
    await server.have("/a.txt", b"old")
    reply = await server.put(f"{BASE}/a.txt{query}", b"new")
    assert reply.status == 200
    assert reply.data["attributes"]["size"] == 3
    assert await server.content("/a.txt") == b"new"
    assert len((await server.get(f"{BASE}/a.txt?versions")).data) == 2


async def test_the_same_content_again(server):
    """Is an update like every other."""
    await server.have("/a.txt", b"same")
    assert (await server.put(f"{BASE}/a.txt", b"same")).status == 200


async def test_a_new_folder(server):
    """201, and the folder."""
    reply = await server.put(named("sub", "folder"))
    assert reply.status == 201
    data = reply.data
    assert data["id"] == "memory/sub/"
    assert data["attributes"]["kind"] == "folder"
    assert data["attributes"]["path"] == "/sub/"
    assert set(data["links"]) == {"move", "upload", "delete", "new_folder"}
    assert (await server.put(named("b", "folder", folder="/sub/"))).status == 201
    assert await server.names() == ["/sub/", "/sub/b/"]


async def test_a_folder_needs_no_length(server):
    """Many clients send no body and say nothing of it."""
    reply = await server.request("PUT", named("sub", "folder"))
    assert reply.status == 201


async def test_the_links_of_an_answer_work(server):
    """A client needs no URL but the first."""
    made = (await server.put(named("a #?%.txt"), b"1")).data["links"]
    target = made["upload"].removeprefix(server.url)
    assert (await server.put(target, b"22")).status == 200
    assert (await server.get(made["download"].removeprefix(server.url))).body == b"22"
    assert (await server.get(target)).body == b"22", "the old client downloads from here"
    assert (await server.delete(made["delete"].removeprefix(server.url))).status == 204


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
async def test_the_type_of_the_body_means_nothing(server, kind):
    """Clients in the field send odd ones: the bytes are stored as they are."""
    body = b'--x\r\n{"a": %zz=1&'
    reply = await server.put(named("a.bin"), body, {"Content-Type": kind})
    assert reply.status == 201
    assert await server.content("/a.bin") == body


async def test_a_body_in_chunks(server):
    """Its size is not known before."""
    async with server.connection() as connection:
        await connection.start("PUT", named("a.bin"), {**ALICE, "Transfer-Encoding": "chunked"})
        for _ in range(5):
            await connection.send(b"4\r\nabcd\r\n")
        await connection.send(b"0\r\n\r\n")
        reply = await connection.receive()
        assert (reply.status, reply.data["attributes"]["size"]) == (201, 20)
        again = await connection.request("GET", f"{BASE}/a.bin", ALICE)
        assert again.body == b"abcd" * 5


async def test_an_old_client_uploads(server):
    """HTTP/1.0."""
    reply = await server.request("PUT", named("a.txt"), ALICE, b"hello", version="HTTP/1.0")
    assert reply.status == 201
    assert await server.content("/a.txt") == b"hello"


async def test_a_connection_takes_many_uploads(server):
    """One after the other, good and bad."""
    async with server.connection() as connection:
        for number in range(3):
            reply = await connection.request("PUT", named(f"{number}"), ALICE, b"x" * 1000)
            assert reply.status == 201
            reply = await connection.request("PUT", named(f"{number}"), ALICE, b"x" * 1000)
            assert reply.status == 409
            reply = await connection.request("PUT", f"{BASE}/none", ALICE, b"x" * 200_000)
            assert reply.status == 404
    assert await server.names() == ["/0", "/1", "/2"]


# -- names that are taken --------------------------------------------------------------------------


async def assert_conflict(server, reply, path):
    """409 with exactly three members, and a link for a second try."""
    assert reply.status == 409
    document = reply.json
    assert set(document) == {"code", "message", "data"}
    assert document["code"] == 409
    assert path.strip("/").rpartition("/")[2] in document["message"]
    data = document["data"]
    if path.endswith("/"):
        parent = path[:-1].rpartition("/")[0] + "/"
        listed = {entry["id"]: entry for entry in (await server.get(BASE + quote(parent))).data}
        assert data == listed[f"memory{path}"]
    else:
        assert data == (await server.get(f"{BASE}{quote(path)}?meta")).data
        target = data["links"]["upload"].removeprefix(server.url)
        assert (await server.put(target, b"second try")).status == 200
        assert await server.content(path) == b"second try"


@pytest.mark.parametrize("body", [b"", b"new", b"x" * 1_000_000])
@pytest.mark.parametrize("path", ["/a.txt", "/folder/ü #.txt"])
async def test_a_file_has_the_name(server, body, path):
    """Nothing is stored, and what is there is shown with its links."""
    await server.have(path, b"old")
    folder, _, name = path.rpartition("/")
    reply = await server.put(named(name, folder=f"{quote(folder)}/"), body)
    assert await server.content(path) == b"old"
    await assert_conflict(server, reply, path)


@pytest.mark.parametrize(
    ("there", "kind"),
    [("/x/", "folder"), ("/x/", "file"), ("/x", "folder"), ("/x", "file")],
)
async def test_a_name_is_taken_for_both_kinds(server, there, kind):
    """Where a file and a folder cannot share it."""
    await server.have(there)
    await assert_conflict(server, await server.put(named("x", kind)), there)


async def test_a_name_taken_at_the_last_moment(server):
    """The storage refuses when the body is complete: the answer is the same."""
    async with server.connection() as connection:
        await connection.start("PUT", named("a.txt"), {**ALICE, "Content-Length": "4"})
        await connection.send(b"mi")
        while not server.storage.calls["write"]:
            await asyncio.sleep(0.005)
        await server.have("/a.txt", b"theirs")
        await connection.send(b"ne")
        reply = await connection.receive()
    assert await server.content("/a.txt") == b"theirs"
    await assert_conflict(server, reply, "/a.txt")


async def test_a_storage_that_does_not_say_what_has_the_name(server):
    """It is looked up."""
    await server.have("/taken.txt", b"old")
    refusal = AlreadyExists("The name 'taken.txt' is taken.")

    async def write(path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        async for _ in body:
            pass
        raise refusal

    server.storage.write = write
    reply = await server.put(f"{BASE}/taken.txt", b"new")
    del server.storage.write
    await assert_conflict(server, reply, "/taken.txt")


# -- what is refused before any storage is asked ---------------------------------------------------

LONG = "n" * 256
BAD_NAMES = {
    "empty": "",
    "dot": ".",
    "dots": "..",
    "slash": "a%2Fb",
    "only a slash": "%2F",
    "NUL": "nul%00",
    "NUL inside": "a%00b",
    "256 bytes": LONG,
    "256 bytes of UTF-8": quote("é" * 128),
    "invalid UTF-8": "%FF",
    "cut UTF-8": "a%C3",
    "a surrogate": "%ED%A0%80",
    "overlong": "%C0%AF",
}


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
async def test_names_that_nothing_can_have(server, name, kind):
    """400, and no storage is asked."""
    reply = await server.put(f"{BASE}/?kind={kind}&name={name}", b"x" if kind == "file" else b"")
    assert reply.status == 400
    assert reply.message
    assert not server.calls


@pytest.mark.parametrize(
    "name", ["n" * 255, "é" * 127, "a b", "\\", "ü", "...", ".hidden", "a\tb", "%"]
)
async def test_names_that_look_odd_and_are_fine(server, name):
    """255 bytes are allowed."""
    reply = await server.put(named(name), b"x")
    assert reply.status == 201
    assert reply.data["attributes"]["name"] == name


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/?kind=other&name=a", 400),
        ("/?kind=File&name=a", 400),
        ("/?kind=&name=a", 400),
        ("/?kind=folder%00&name=a", 400),
        ("/", 400),
        ("/?kind=file", 400),
        ("/?kind=folder", 400),
        ("/folder/", 400),
        ("/a.txt?name=b.txt", 400),
        ("/a.txt?name=", 400),
        ("/a.txt?name", 400),
        ("/a.txt?kind=file&name=a.txt", 400),
        ("/a.txt?kind=folder", 400),
        ("/a.txt?kind=folder&name=b", 400),
        ("/a.txt?kind=other", 400),
        ("/%2e%2e/?name=a", 400),
        ("/./?name=a", 400),
        ("//?name=a", 400),
        ("/a//b/?name=a", 400),
        ("/%00/?name=a", 400),
        ("/%FF/?name=a", 400),
        ("/%FF", 400),
        (f"/{LONG}", 400),
        ("/?name=a&displayName=%FF", 400),
        ("/?name=a&view_only=%FF", 400),
        ("/?" + "&".join(f"p{n}=1" for n in range(101)), 400),
    ],
)
async def test_what_makes_no_sense(server, target, status):
    """400, and no storage is asked."""
    reply = await server.put(BASE + target, b"")
    assert reply.status == status
    assert reply.message
    assert not server.calls


async def test_a_file_without_a_length(server):
    """411: it comes neither with a size nor in chunks."""
    reply = await server.request("PUT", named("a.txt"))
    assert reply.status == 411
    assert reply.message
    assert not server.calls


@pytest.mark.parametrize("headers", [{"Content-Length": "1"}, {"Transfer-Encoding": "chunked"}])
async def test_a_folder_with_a_body(server, headers):
    """413, in chunks too."""
    async with server.connection() as connection:
        await connection.start("PUT", named("sub", "folder"), {**ALICE, **headers})
        await connection.send(b"x" if "Content-Length" in headers else b"1\r\nx\r\n0\r\n\r\n")
        reply = await connection.receive()
    assert reply.status == 413
    assert reply.message
    assert not server.calls


async def test_a_length_that_is_no_number(server):
    """400, in JSON, and only one answer."""
    async with server.connection() as connection:
        await connection.start("PUT", named("a.txt"), {**ALICE, "Content-Length": "ten"})
        reply = await connection.receive()
        assert reply.status == 400
        assert reply.message
        assert await connection.ended()
    assert await server.names() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "4", "Transfer-Encoding": "chunked"},
        {"Transfer-Encoding": "gzip"},
        {"Transfer-Encoding": "chunked, chunked"},
        {"Content-Length": "4, 5"},
        {"Content-Length": "-4"},
        {"Content-Length": "+4"},
        {"Content-Length": "4_0"},
        {"Content-Length": "9" * 30},
        {"Content-Length": "9" * 5000},
        {"Content-Length": "³"},
    ],
)
async def test_a_body_whose_end_is_not_clear(server, headers):
    """400, once, and nothing is stored: another program might see another end."""
    async with server.connection() as connection:
        await connection.start("PUT", named("a.txt"), {**ALICE, **headers})
        await connection.send(b"abcd")
        reply = await connection.receive()
        assert reply.status == 400
        assert reply.message
        assert await connection.ended()
    assert await server.names() == []


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"-1\r\nab", b"2\r\nabc\r\n", b"g" * 100 + b"\r\n"])
async def test_chunks_that_are_none(server, chunk):
    """400, and nothing is stored."""
    async with server.connection() as connection:
        await connection.start("PUT", named("a.txt"), {**ALICE, "Transfer-Encoding": "chunked"})
        await connection.send(b"4\r\nabcd\r\n" + chunk)
        reply = await connection.receive()
        assert reply.status == 400
        assert reply.message
        assert await connection.ended()
    assert await server.names() == []


# -- where something must be there -----------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/nothing.txt",
        "/folder",
        "/no/thing.txt",
        "/nothing/?name=a",
        "/no/thing/?name=a",
        "/file.txt/?name=a",
        "/file.txt/inside",
        "/file.txt/inside/?name=a",
        "/nothing/?kind=folder&name=a",
        "/file.txt/?kind=folder&name=a",
    ],
)
async def test_the_place_must_be_there(server, target):
    """404, with the kind that the slash says."""
    await server.have("/folder/")
    await server.have("/file.txt")
    reply = await server.put(BASE + target, b"")
    assert reply.status == 404
    assert reply.message
    assert await server.names() == ["/file.txt", "/folder/"]


# -- rights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "status"), [(NOBODY, 401), (BOB, 403)])
@pytest.mark.parametrize("target", [named("a.txt"), named("sub", "folder"), f"{BASE}/old.txt"])
async def test_writing_needs_the_right_to_write(server, target, who, status):
    """Also for what would be refused anyway."""
    await server.have("/old.txt", b"old")
    reply = await server.request("PUT", target, who, b"")
    assert reply.status == status
    assert not server.calls
    assert await server.names() == ["/old.txt"]


async def test_a_storage_for_reading_refuses_everything(server):
    """405, and what is possible instead."""
    await server.have("/old.txt", b"old", "frozen")
    for target in (named("a.txt", base=FROZEN), f"{FROZEN}/old.txt"):
        reply = await server.put(target, b"data")
        assert reply.status == 405
        assert reply.message
        assert reply.headers["Allow"] == "GET, HEAD, OPTIONS"
    reply = await server.put(named("sub", "folder", base=FROZEN))
    assert reply.status == 405
    assert await server.content("/old.txt", "frozen") == b"old"
    assert await server.names(storage="frozen") == ["/old.txt"]


# -- limits and storages that fail -----------------------------------------------------------------


@pytest.mark.parametrize(("size", "status"), [(1000, 201), (1001, 413), (300_000, 413)])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_largest_upload(make_server, size, status, chunked):
    """What is larger is refused in JSON, whether its size was said or not."""
    server = await make_server(options={"max_upload_size": 1000})
    async with server.connection() as connection:
        length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
        await connection.start("PUT", named("a.bin"), {**ALICE, **length})
        body = b"x" * size
        await connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (size, body) if chunked else body)
        reply = await connection.receive()
    assert reply.status == status
    if status == 413:
        assert "1000" in reply.message
        assert await server.names() == []


class Limited(MemoryProvider):
    """Takes small files only, and must know their size."""

    capabilities = replace(MemoryProvider.capabilities, max_file_size=100, unknown_size=False)


async def test_the_largest_file_of_a_storage(make_server):
    """The storage's own limit."""
    server = await make_server(storages={"memory": Limited()})
    assert (await server.put(named("a"), b"x" * 100)).status == 201
    reply = await server.put(named("b"), b"x" * 101)
    assert reply.status == 413
    assert "100" in reply.message


async def test_a_storage_that_must_know_the_size(make_server):
    """411 for chunks."""
    server = await make_server(storages={"memory": Limited()})
    async with server.connection() as connection:
        await connection.start("PUT", named("a"), {**ALICE, "Transfer-Encoding": "chunked"})
        await connection.send(b"1\r\nx\r\n0\r\n\r\n")
        reply = await connection.receive()
    assert reply.status == 411
    assert reply.message


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (QuotaExceeded("The storage is full."), 507),
        (TooLarge("The storage takes no such files."), 413),
        (ProviderUnavailable("Down.", retry_after=100), 503),
        (ProviderFault("Nonsense."), 502),
    ],
)
@pytest.mark.parametrize("after", [None, 0, 5, 10])
@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_a_storage_that_refuses(server, error, status, after, size):
    """Before, during or after the body: the client is told, and nothing is stored."""
    server.storage.fail("write", error, after=after, times=9)
    reply = await server.put(named("a.bin"), b"x" * size)
    assert reply.status == status
    assert reply.message == error.message
    assert await server.names() == []


async def test_an_error_that_nobody_expected(server, expected, log):
    """500 in JSON, without its text, which is in the log."""
    expected.add("ZeroDivisionError")

    async def write(path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        raise ZeroDivisionError("a secret is 5")

    server.storage.write = write
    reply = await server.put(named("a.bin"), b"x" * 1000)
    assert reply.status == 500
    assert reply.message == "Internal Server Error"
    event = next(event for event in log if event["event"] == "unexpected error")
    assert event["request_id"] == reply.headers["X-Waterbutler-Request-Id"]
