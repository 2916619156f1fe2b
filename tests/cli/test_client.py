"""The client against answers that a healthy server rarely gives."""

import hashlib
import json
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from waterbutler.client import Address, Client, RemoteEntry, download, download_tree, upload
from waterbutler.client.client import Found
from waterbutler.client.entries import Extra
from waterbutler.client.files import save
from waterbutler.core import ByteStream
from waterbutler.core import Path as CorePath
from waterbutler.core.errors import (
    AlreadyExists,
    BadPath,
    Corrupted,
    Forbidden,
    NotFound,
    ProviderFault,
    QuotaExceeded,
    Unauthenticated,
)
from waterbutler.http import Reply


class Wire:
    """Stands where the HTTP client does; answers from a function."""

    def __init__(self, answer):
        self._answer = answer
        self.sent = []

    async def start(self):
        pass

    async def aclose(self):
        pass

    async def open(self, method, url, *, headers=None, body=None, redirects=0):
        parts = urlsplit(url)
        query = parse_qs(parts.query, keep_blank_values=True)
        data = await body.read(1 << 30) if body is not None else None
        self.sent.append((method, unquote(parts.path), query, headers, data))
        status, headers, content = self._answer(method, unquote(parts.path), query, headers, data)
        if not isinstance(content, ByteStream):
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            content = ByteStream.of(content)
        return Reply(status, headers, content, "server")


def client(answer) -> Client:
    made = Client("http://server", "token")
    made._http = Wire(answer)
    return made


def item(name, *, path=None, parent="/", kind="file", **more):
    slash = "/" if kind == "folder" else ""
    materialized = f"{parent}{name}{slash}"
    attributes = {"name": name, "kind": kind, "materialized": materialized, "extra": {}}
    return {"attributes": {**attributes, "path": path or materialized, **more}}


def found(name="f", **more) -> Found:
    entry = {"name": name, "kind": "file", "path": f"/{name}", "materialized": f"/{name}"}
    fields = {**entry, **more}
    fields.setdefault("etag", "tag")
    address = Address.parse(f"r/p/{name}")
    return Found(address, address.path, RemoteEntry(**fields))


def hashed(content: bytes) -> Extra:
    return Extra({"sha256": hashlib.sha256(content).hexdigest()})


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path"),
    [("r/p", "/"), ("r/p/", "/"), ("r/p/a", "/a"), ("r/p/a b/c/", "/a b/c/")],
)
def test_addresses_are_read(text, path):
    address = Address.parse(text)
    assert (address.resource, address.provider, str(address.path)) == ("r", "p", path)


@pytest.mark.parametrize("text", ["", "r", "r/", "/p", "r-/p", "r/p//a", "r/p/../a", "r/p/a//b"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(BadPath):
        Address.parse(text)


# -- storages that go by ids -------------------------------------------------------------------

BY_IDS = {
    "/": [item("docs", kind="folder", path="/id1/"), item("docs", path="/id2")],
    "/id1/": [item("a.txt", path="/id3", parent="/docs/")],
}


def by_ids(method, path, query, headers, body):
    where = path.removeprefix("/v1/resources/r/providers/p")
    if method == "GET" and where in BY_IDS:
        return 200, {}, {"data": BY_IDS[where]}
    if method in {"PUT", "POST", "DELETE"}:
        return 201, {}, {"data": item("new")}
    return 404, {}, {"code": 404, "message": "Nothing."}


@pytest.mark.parametrize(
    ("text", "wire"),
    [("r/p/docs", "/id2"), ("r/p/docs/", "/id1/"), ("r/p/docs/a.txt", "/id3"), ("r/p", "/")],
)
async def test_names_are_found_where_urls_have_ids(text, wire):
    assert str((await client(by_ids).find(Address.parse(text))).wire) == wire


@pytest.mark.parametrize("text", ["r/p/nothing", "r/p/docs/a.txt/", "r/p/nothing/below"])
async def test_names_that_are_missing_are_not_found_where_urls_have_ids(text):
    with pytest.raises(NotFound):
        await client(by_ids).find(Address.parse(text))


async def test_what_is_done_is_done_to_ids():
    made = client(by_ids)
    source = await made.find(Address.parse("r/p/docs/a.txt"))
    folder = await made.folder(Address.parse("r/p/docs/"))
    await made.transfer("copy", source, folder, name="b")
    _, path, _, _, body = made._http.sent[-1]
    assert path.endswith("/providers/p/id3")
    assert json.loads(body)["path"] == "/id1/"


# -- errors and jobs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (409, AlreadyExists),
        (507, QuotaExceeded),
        (500, ProviderFault),
        (302, ProviderFault),
    ],
)
@pytest.mark.parametrize("body", [{"code": 1, "message": "Because."}, b"<html>", b"\xff"])
async def test_statuses_are_errors_with_the_servers_words(status, kind, body):
    with pytest.raises(kind) as caught:
        await client(lambda *_: (status, {}, body)).list(found())
    if isinstance(body, dict):
        assert "Because." in caught.value.message
    assert "r/p/f" in caught.value.message


async def test_an_answer_of_something_else_is_a_fault():
    with pytest.raises(ProviderFault):
        await client(lambda *_: (200, {}, b"<html>")).list(found())


async def test_a_long_transfer_gives_the_url_of_its_job():
    made = client(lambda *_: (202, {"Location": "/v1/jobs/1"}, {"data": {}}))
    folder = Found(Address.parse("r/p"), CorePath())
    assert await made.transfer("move", found(), folder) == "/v1/jobs/1"


# -- downloads ---------------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 40


def broken(content: bytes, after: int) -> ByteStream:
    async def chunks():
        yield content[:after]

    return ByteStream(chunks(), size=len(content))


async def test_a_download_that_breaks_goes_on_the_next_time(tmp_path):
    file = found(size=len(CONTENT), extra=hashed(CONTENT))
    with pytest.raises(Corrupted):
        await download(client(lambda *_: (200, {}, broken(CONTENT, 700))), file, tmp_path / "f")
    assert not (tmp_path / "f").exists()

    def rest(method, path, query, headers, body):
        assert headers["Range"] == "bytes=700-"
        assert headers["If-Range"] == '"tag"'
        return 206, {"Content-Range": f"bytes 700-10239/{len(CONTENT)}"}, CONTENT[700:]

    passed = []
    await download(client(rest), file, tmp_path / "f", progress=passed.append)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert sum(passed) == len(CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


async def test_a_server_that_sends_everything_again_is_understood(tmp_path):
    file = found(size=len(CONTENT), extra=hashed(CONTENT))
    with pytest.raises(Corrupted):
        await download(client(lambda *_: (200, {}, broken(CONTENT, 700))), file, tmp_path / "f")
    await download(client(lambda *_: (200, {}, CONTENT)), file, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT


async def test_another_range_than_was_asked_for_is_refused(tmp_path):
    file = found(size=len(CONTENT), extra=hashed(CONTENT))
    with pytest.raises(Corrupted):
        await download(client(lambda *_: (200, {}, broken(CONTENT, 700))), file, tmp_path / "f")
    wrong = (206, {"Content-Range": "bytes 0-9/10240"}, CONTENT[:10])
    with pytest.raises(Corrupted):
        await download(client(lambda *_: wrong), file, tmp_path / "f")


async def test_content_with_another_hash_is_refused_and_the_old_file_stays(tmp_path):
    (tmp_path / "f").write_text("old")
    file = found(size=3, extra=hashed(b"abc"))
    with pytest.raises(Corrupted):
        await download(client(lambda *_: (200, {}, b"abd")), file, tmp_path / "f")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "old"


async def test_the_longest_names_have_room_for_their_parts(tmp_path):
    name = "ü" * 127 + "x"
    file = found(name, size=3)
    await download(client(lambda *_: (200, {}, b"abc")), file, tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"abc"


async def test_a_saved_body_that_ends_early_leaves_nothing(tmp_path):
    reply = Reply(200, {}, broken(CONTENT, 10), "server")
    with pytest.raises(Corrupted):
        await save(reply, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["..", "a/b", "/etc/x", ""])
async def test_a_server_cannot_write_outside_of_the_folder(tmp_path, name):
    listing = {"data": [item(name, path="/id")]}
    target = tmp_path / "in"
    with pytest.raises(BadPath):
        await download_tree(
            client(lambda *_: (200, {}, listing)),
            Found(Address.parse("r/p"), CorePath()),
            target,
        )
    assert list(tmp_path.iterdir()) == [target]


# -- uploads -----------------------------------------------------------------------------------


def storing(hashes):
    def answer(method, path, query, headers, body):
        if method == "PUT":
            return 201, {}, {"data": item("f", extra={"hashes": hashes})}
        if "meta" in query:
            return 404, {}, {"message": "Nothing."}
        return 200, {}, {"data": []}

    return answer


async def test_an_upload_is_compared_with_what_the_server_has(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"abc")
    good = {"md5": hashlib.md5(b"abc").hexdigest(), "sha512": "unknown here"}
    await upload(client(storing(good)), tmp_path / "f", Address.parse("r/p/f"))
    with pytest.raises(Corrupted):
        await upload(client(storing({"md5": "0" * 32})), tmp_path / "f", Address.parse("r/p/f"))


async def test_a_digest_is_sent_when_asked_for(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"abc")
    made = client(storing({}))
    await upload(made, tmp_path / "f", Address.parse("r/p/f"), digest=True)
    _, _, query, headers, body = made._http.sent[-1]
    assert query == {"kind": ["file"], "name": ["f"]}
    assert headers["Content-Digest"] == "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:"
    assert body == b"abc"
