"""Files that are sent with forms: stored while they arrive, or not at all."""

import asyncio
import tracemalloc

import pytest

from tests.harness import LARGE
from tests.testing.flat import FlatProvider
from tests.web.browser import MULTIPART, Page, multipart, part
from waterbutler.core import Entry, Path
from waterbutler.core.errors import ProviderUnavailable, QuotaExceeded
from waterbutler.testing.memory import MemoryProvider

ROOT = "/files/guid0/memory/"
MEBIBYTE = 1 << 20


async def test_a_file_is_uploaded(alice, server):
    """Byte for byte; then the folder is shown."""
    data = bytes(range(256)) * 5000
    page = await alice.open(ROOT)
    page = await alice.upload(page, page.form("upload"), ("data.bin", data))
    assert page.url == f"{ROOT}?done=uploaded"
    assert "The upload is complete" in page.text
    assert await server.content("/data.bin") == data


async def test_several_files_are_uploaded_at_once(alice, server):
    """Empty ones too."""
    page = await alice.open(ROOT)
    files = [("a.txt", b"one"), ("b.txt", b""), ("c.txt", b"three" * 50000)]
    page = await alice.upload(page, page.form("upload"), *files)
    assert page.status == 200
    assert {name: await server.content(f"/{name}") for name, _ in files} == dict(files)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("ünïcödé 文件.txt", "ünïcödé 文件.txt"),
        ('he said "hi".txt', 'he said "hi".txt'),
        ("semi; colon=1.txt", "semi; colon=1.txt"),
        ("/home/somebody/a.txt", "a.txt"),
        ("C:\\Users\\a.txt", "a.txt"),
        ("<b>.txt", "<b>.txt"),
    ],
)
async def test_a_file_keeps_its_name(alice, server, sent, stored):
    """Without the way to it, which some programs send."""
    page = await alice.open(ROOT)
    page = await alice.upload(page, page.form("upload"), (sent, b"data"))
    assert page.status == 200
    assert await server.names() == [f"/{stored}"]


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 16])
async def test_pieces_of_any_size_are_put_together(alice, server, size):
    """A boundary, or what looks like one, may lie across two of them."""
    page = await alice.open(ROOT)
    csrf = page.form("upload").fields["csrf"]
    data = b"\r\n------form-boundary-5d1\r\n--\r\n------form-boundary-5d1cX\r\n-" * 3
    body = multipart({"csrf": csrf}, ("a.bin", data))
    reply = await send(alice, (body[at : at + size] for at in range(0, len(body), size)), len(body))
    assert reply.status == 303
    assert await server.content("/a.bin") == data


async def test_a_taken_name_offers_to_replace_or_to_rename(alice, server):
    """With what has the name; the old content stays until then."""
    await server.have("/a.txt", b"old content")
    page = await alice.open(ROOT)
    page = await alice.upload(page, page.form("upload"), ("a.txt", b"new"))
    assert page.status == 409
    assert "The name is taken" in page.text
    assert "11 bytes" in page.text
    assert await server.content("/a.txt") == b"old content"
    replace, rename = [form for form in page.forms if form.files]
    assert rename.fields["name"] == "a (1).txt"
    after = await alice.upload(page, rename, ("a.txt", b"new"))
    assert after.status == 200
    assert await server.names() == ["/a (1).txt", "/a.txt"]
    after = await alice.upload(page, replace, ("whatever.txt", b"replaced"))
    assert after.url == f"{ROOT}?done=replaced"
    assert await server.content("/a.txt") == b"replaced"


async def test_only_what_was_shown_is_replaced(alice, server):
    """If it has changed meanwhile, that is told instead."""
    await server.have("/a.txt", b"old")
    page = await alice.open(ROOT)
    page = await alice.upload(page, page.form("upload"), ("a.txt", b"new"))
    await server.have("/a.txt", b"by somebody else")
    page = await alice.upload(page, page.form("upload"), ("a.txt", b"new"))
    assert page.status == 412
    assert await server.content("/a.txt") == b"by somebody else"


async def test_one_file_replaces_one_file(alice, server):
    """A second one has no place to go to."""
    await server.have("/a.txt", b"old")
    page = await alice.open(ROOT)
    csrf = page.form("upload").fields["csrf"]
    body = multipart({"csrf": csrf}, ("1", b"first"), ("2", b"second"))
    assert (await alice.post_multipart(f"{ROOT}a.txt", body)).status == 400
    assert await server.content("/a.txt") == b"first"


async def test_a_folder_that_has_the_name_is_not_replaced(alice, server):
    """Only another name is offered."""
    await server.have("/a.txt/inner")
    page = await alice.open(ROOT)
    page = await alice.upload(page, page.form("upload"), ("a.txt", b"new"))
    assert page.status == 409
    assert [form.action for form in page.forms if form.files] == [ROOT]


async def test_what_was_stored_before_a_refusal_is_told(alice, server):
    """Files before the refused one are there, those after it are not."""
    await server.have("/b.txt", b"old")
    page = await alice.open(ROOT)
    files = [("a.txt", b"1"), ("b.txt", b"2"), ("c.txt", b"3")]
    page = await alice.upload(page, page.form("upload"), *files)
    assert page.status == 409
    assert "Uploaded before that: a.txt." in page.text
    assert await server.names() == ["/a.txt", "/b.txt"]


@pytest.mark.parametrize("files", [[("", b"")], []])
async def test_a_form_without_a_file_is_told(alice, server, files):
    """Browsers send an empty one where none was chosen."""
    page = await alice.open(ROOT)
    page = await alice.upload(page, page.form("upload"), *files)
    assert page.status == 400
    assert "No file was chosen" in page.text


@pytest.mark.parametrize("name", ["..", "x" * 256])
async def test_a_bad_name_offers_another(alice, server, name):
    """Nothing is stored."""
    page = await alice.open(ROOT)
    page = await alice.upload(page, page.form("upload"), (name, b"data"))
    assert page.status == 400
    assert page.form("upload").fields["name"]
    assert await server.names() == []


@pytest.mark.parametrize("path", ["none/", "none.txt"])
async def test_uploads_go_to_what_exists(alice, server, path):
    """A folder to put a file into, or a file to replace."""
    page = await alice.open(ROOT)
    csrf = page.form("upload").fields["csrf"]
    reply = await alice.post_multipart(ROOT + path, multipart({"csrf": csrf}, ("a", b"data")))
    assert reply.status == 404
    assert await server.names() == []


async def test_a_storage_that_must_know_the_size_is_told(make_server, alice):
    """It follows from the size of the form."""
    alice.server = server = await make_server(storages={"flat": FlatProvider()})
    await alice.sign_in("alice")
    page = await alice.open("/files/guid0/flat/")
    for name, data in (("a.txt", b"data"), ("empty.txt", b""), ("b.txt", b"\r\n-\r\n" * 30000)):
        page = await alice.upload(page, page.form("upload"), (name, data))
        assert page.status == 200
        assert await server.content(f"/{name}", "flat") == data


async def test_the_limit_of_the_server_holds(make_server, alice):
    """A larger file leaves nothing behind."""
    alice.server = server = await make_server(options={"max_upload_size": 100000})
    await alice.sign_in("alice")
    page = await alice.open(ROOT)
    page = await alice.upload(page, page.form("upload"), ("a.bin", b"x" * 100001))
    assert page.status == 413
    assert await server.names() == []
    page = await alice.open(ROOT)
    page = await alice.upload(page, page.form("upload"), ("a.bin", b"x" * 100000))
    assert page.status == 200


@pytest.mark.parametrize(
    ("error", "status"), [(QuotaExceeded("It is full."), 507), (ProviderUnavailable("Down."), 503)]
)
@pytest.mark.parametrize("after", [None, 100000])
async def test_a_storage_that_fails_is_told_in_words(alice, server, error, status, after):
    """At once or in the middle; nothing stays."""
    page = await alice.open(ROOT)
    for call in range(1, 10):
        server.storage.fail("write", error, at=call, after=after)
    page = await alice.upload(page, page.form("upload"), ("a.bin", b"x" * MEBIBYTE))
    assert page.status == status
    assert error.message in page.text
    assert await server.names() == []


@pytest.mark.parametrize("cut", [1, 8, 60, 2000])
async def test_a_form_that_ends_in_the_middle_stores_nothing(alice, server, cut):
    """Although the request itself is complete."""
    page = await alice.open(ROOT)
    csrf = page.form("upload").fields["csrf"]
    body = multipart({"csrf": csrf}, ("a.txt", b"x" * 5000))
    reply = await alice.post_multipart(ROOT, body[: -cut - 2])
    assert reply.status == 400
    assert b"ends in the middle" in reply.body
    assert await server.names() == []


async def test_who_leaves_in_the_middle_leaves_nothing(alice, server):
    """The storage is told."""
    page = await alice.open(ROOT)
    csrf = page.form("upload").fields["csrf"]
    body = multipart({"csrf": csrf}, ("a.bin", b"x" * MEBIBYTE))
    async with server.connection() as connection:
        await connection.start("POST", ROOT, head(alice, len(body)))
        await connection.send(body[: len(body) // 2])
        while not server.storage.calls["write"]:
            await asyncio.sleep(0.001)
        connection.reset()
    while server.context.state._active:
        await asyncio.sleep(0.001)
    assert await server.names() == []


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=", b"x", 400),
        (f"multipart/form-data; boundary={'b' * 300}", b"x", 400),
        (MULTIPART["Content-Type"], b"", 400),
        (MULTIPART["Content-Type"], b"nonsense", 400),
        (MULTIPART["Content-Type"], multipart({})[:-4] + b"x", 400),
        (MULTIPART["Content-Type"], part("csrf", b"x" * 10000), 413),
        (MULTIPART["Content-Type"], part("csrf", b"\xff"), 400),
        (MULTIPART["Content-Type"], part("a", b"") * 1001, 413),
        (MULTIPART["Content-Type"], part("a", b"").replace(b'; name="a"', b""), 400),
        (MULTIPART["Content-Type"], part("a", b"").replace(b"form-data", b"x" * 70000), 400),
    ],
)
async def test_malformed_forms_are_refused(alice, kind, body, status):
    """Before anything is stored."""
    assert (await alice.fetch("POST", ROOT, {"Content-Type": kind}, body)).status == status


async def test_a_refusal_can_be_read_while_the_browser_still_sends(alice, server):
    """The page comes although most of a large file is still on its way."""
    await server.have("/a.bin")
    page = await alice.open(ROOT)
    csrf = page.form("upload").fields["csrf"]
    start, end = body_around(csrf, "a.bin")

    def body():
        yield start
        for _ in range(LARGE // MEBIBYTE):
            yield b"x" * MEBIBYTE
        yield end

    reply = await send(alice, body(), len(start) + LARGE + len(end))
    page = Page(reply, ROOT)
    assert page.status == 409
    assert page.has_form("upload")


class Counting(MemoryProvider):
    """Counts what is written to it, and keeps nothing."""

    count = 0

    async def write(self, path, body, *, mode=None, content_type=None, modified=None):
        async for chunk in body:
            self.count += len(chunk)
            await asyncio.sleep(0)
        return Entry(path=Path.parse("/big.bin"), size=self.count)


async def test_memory_does_not_grow_with_the_file(make_server, alice):
    """Fifty megabytes pass through much less."""
    storage = Counting()
    alice.server = await make_server(storages={"counting": storage})
    await alice.sign_in("alice")
    page = await alice.open("/files/guid0/counting/")
    start, end = body_around(page.form("upload").fields["csrf"], "big.bin")
    block = b"x" * MEBIBYTE

    def body():
        yield start
        for _ in range(50):
            yield block
        yield end

    tracemalloc.start()
    try:
        total = len(start) + 50 * MEBIBYTE + len(end)
        reply = await send(alice, body(), total, "/files/guid0/counting/")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reply.status == 303
    assert storage.count == 50 * MEBIBYTE
    assert peak < 8 * MEBIBYTE


def body_around(csrf, name):
    """What comes before and after the bytes of a file in a form."""
    start, _, end = multipart({"csrf": csrf}, (name, b"|")).partition(b"|")
    return start, end


def head(browser, size):
    """The headers of a form with a file."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    origin = {"Host": browser.server.netloc, "Origin": browser.server.url, "Cookie": cookies}
    return {**origin, **MULTIPART, "Accept": "text/html", "Content-Length": str(size)}


async def send(browser, pieces, size, url=ROOT):
    """Send a form piece by piece."""
    async with browser.server.connection() as connection:
        await connection.start("POST", url, head(browser, size))
        try:
            for piece in pieces:
                await connection.send(piece)
        except ConnectionError:
            pass
        return await connection.receive("POST")
