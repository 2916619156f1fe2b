"""Paths that lead out of a storage: by their letters, by links, and by what changes meanwhile."""

import io
import json
import ntpath
import os
import posixpath
import threading
import zipfile
from urllib.parse import quote

import pytest

from tests.gateway.client import SECOND, Gateway
from tests.gateway.conftest import services
from tests.harness import ALICE, BASE, TOKENS
from tests.long import TIMES
from tests.security.wire import head, say
from waterbutler.plugins import Context, Mount, Registry
from waterbutler_filesystem import FilesystemProvider

__all__ = ["services"]

LONG = bool(TIMES)

SECRET = b"what nobody may see"
TOKEN = f"Authorization: {ALICE['Authorization']}"
UP = [
    *("..", "%2e%2e", ".%2e", "%252e%252e", "..%00", "%2e%2e%2f", "..%5c", "..\\", "/.."),
    *("%c0%ae%c0%ae", "%uff0e%uff0e", "\uff0e\uff0e", "..;", "...", "%2e%2e%2f%2e%2e"),
    *("x%2f..%2f..", ".", "%2e", "..%0a", "%09..", "..%20", "..%c2%a0"),
]
"""Ways to write the folder above; some are names like others, and stay inside."""

NAMES = [
    "..\\..\\evil.txt",
    "C:evil.txt",
    "c:",
    "con\\",
    "a\\..\\..\\b",
    "...",
    ".. ",
    "\x7f",
    "a\x01b",
]
"""Names that some program that unpacks takes for paths."""


@pytest.fixture
def inside(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_bytes(SECRET)
    (tmp_path / "secret.txt").write_bytes(SECRET)
    return folder


@pytest.fixture
def server(make_server, services, inside, outside, io_loop):
    """A server with a folder of this machine as its storage ``memory``, and all dialects."""
    mount = Mount(provider="filesystem", name="memory", settings={"folder": str(inside)})
    storage = FilesystemProvider.open(mount, Context(Registry(), inside))
    return io_loop.run_sync(lambda: make_server(storages={"memory": storage}, gateway=services))


@pytest.fixture
def unharmed(tmp_path, inside, outside):
    """Fails if anything outside of the storage has changed."""
    yield
    assert (outside / "secret.txt").read_bytes() == SECRET
    assert (tmp_path / "secret.txt").read_bytes() == SECRET
    assert os.listdir(outside) == ["secret.txt"]
    own = {"inside", "outside", "secret.txt"}
    assert {
        name for name in os.listdir(tmp_path) if not name.startswith(("tokens", "segm", "thumb"))
    } == own


async def raw(server, method, target, body=b""):
    """One request whose target is sent byte by byte."""
    target = target.encode().decode("latin-1")
    lines = (TOKEN, f"Content-Length: {len(body)}", "Connection: close")
    heard = await say(server, head(method, target, *lines) + body)
    return heard.replies[0]


@pytest.mark.parametrize("up", UP)
async def test_no_url_leads_out(server, unharmed, up):
    """Whatever is written for the folder above, to read, to write, to delete, in each dialect."""
    query = "nid=guid0&provider=memory"
    for at in (f"/{up}/secret.txt", f"/{up}/outside/secret.txt", f"/{up}/", f"/{up}"):
        for target in (
            f"{BASE}{at}",
            f"{BASE}{at}?zip=",
            f"{BASE}{at}?meta=",
            f"/files/guid0/memory{at}",
            f"/file?{query}&path={at}",
            f"/data?{query}&path={at}",
            f"/zip?{query}&path={at}",
        ):
            reply = await raw(server, "GET", target)
            assert SECRET not in reply.body, target
            assert b"secret.txt" not in reply.body or "secret.txt" in target, target
            assert reply.status < 500, target
    for method, target in (
        ("PUT", f"{BASE}/{up}/?name=new.txt"),
        ("PUT", f"{BASE}/?name={up}/new.txt"),
        ("PUT", f"{BASE}/?kind=folder&name={up}"),
        ("PUT", f"{BASE}/{up}/secret.txt"),
        ("PUT", f"/file?{query}&path=/{up}/new.txt"),
        ("DELETE", f"{BASE}/{up}/secret.txt"),
        ("DELETE", f"{BASE}/{up}/outside/"),
        ("DELETE", f"/file?{query}&path=/{up}/secret.txt"),
    ):
        assert (await raw(server, method, target, b"new")).status < 500, target


@pytest.mark.parametrize(
    "up", ["..", ".", "../..", "/", "../outside", "..\0", "a/../..", "..\\", ""]
)
async def test_no_document_leads_out(server, unharmed, inside, up):
    """Nor names and paths in JSON, in forms, and in headers."""
    (inside / "a.txt").write_bytes(b"data")
    for order in (
        {"action": "rename", "rename": up},
        {"action": "copy", "path": f"/{up}/"},
        {"action": "copy", "path": "/", "rename": up},
        {"action": "move", "path": f"/{up}"},
        {"action": "move", "path": f"/{up}/secret.txt/", "conflict": "replace"},
    ):
        assert (await server.post(f"{BASE}/a.txt", order)).status < 500
        source = {"nid": "guid0", "provider": "memory", "path": f"/{up}/secret.txt"}
        reply = await server.post(
            "/ops/copy", {"source": source, "destination": {**source, "path": "/"}}
        )
        assert 400 <= reply.status < 500
        (inside / "a.txt").write_bytes(b"data")
    gateway = await Gateway(server, SECOND).sign_in(
        TOKENS["alice"], resource="guid0", provider="memory"
    )
    reply = await gateway.send("folder", gateway.root, {SECOND["name"]: up})
    assert reply.status < 500
    headers = {
        SECOND["upload"]: json.dumps(
            {SECOND["name"]: quote(up, safe=""), SECOND["size"]: 3, SECOND["modified"]: 1}
        )
    }
    assert (await gateway.send("create", gateway.root, b"new", headers)).status < 500
    stored = [path.read_bytes() for path in inside.rglob("*") if path.is_file()]
    assert SECRET not in stored


async def test_an_id_that_was_not_given_out_leads_nowhere(server, unharmed, inside):
    """The ids of the gateway API hold paths: each is checked like any other."""
    import base64  # noqa: PLC0415

    gateway = await Gateway(server, SECOND).sign_in(
        TOKENS["alice"], resource="guid0", provider="memory"
    )
    for path in (
        "/../secret.txt",
        "/../outside/",
        "/./",
        "//",
        "/..",
        "/a/../../secret.txt",
        "/\0",
    ):
        text = "\0".join(("1", "guid0", "memory", path)).encode()
        id = base64.urlsafe_b64encode(text).decode().rstrip("=")
        for what in ("describe", "children", "download", "delete"):
            reply = await gateway.send(what, id)
            assert reply.status in {400, 404}
            assert SECRET not in reply.body


@pytest.mark.parametrize("target", ["file", "folder", "relative", "dangling", "itself"])
async def test_a_link_leads_nowhere(server, unharmed, inside, outside, target):
    """It is not listed, not read, not packed, not written through, and not copied."""
    link = inside / "link"
    folder = target in {"folder", "relative"}
    to = {
        "file": outside / "secret.txt",
        "folder": outside,
        "relative": posixpath.join("..", "outside"),
        "dangling": outside / "new.txt",
        "itself": link,
    }[target]
    link.symlink_to(to)
    (inside / "a.txt").write_bytes(b"data")
    assert [entry["attributes"]["name"] for entry in (await server.get(f"{BASE}/")).data] == [
        "a.txt"
    ]
    for at in ("/link", "/link/", "/link/secret.txt", "/link/new.txt"):
        for query in ("", "?meta=", "?zip="):
            reply = await server.get(f"{BASE}{at}{query}")
            assert reply.status == 404, at
        assert (await server.put(f"{BASE}{at}", b"new")).status in {400, 404, 409}
        assert (await server.delete(f"{BASE}{at}")).status == 404
        await server.post(
            f"{BASE}/a.txt", {"action": "copy", "path": "/link/", "conflict": "replace"}
        )
    await server.put(f"{BASE}/?name=link", b"new")
    archive = zipfile.ZipFile(io.BytesIO((await server.get(f"{BASE}/?zip=")).body))
    assert SECRET not in [archive.read(name) for name in archive.namelist()]
    assert link.is_symlink() or link.read_bytes() == b"new"
    assert folder == (target in {"folder", "relative"})


async def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(
    server, unharmed, inside, outside
):
    """Somebody swaps the two all the time: nothing is read, written or deleted behind the link."""
    real, link, place = inside / "real", inside / "link", inside / "place"
    real.mkdir()
    (real / "secret.txt").write_bytes(b"fine")
    link.symlink_to(outside)
    file, file_link, note = inside / "file", inside / "file-link", inside / "note"
    file.write_bytes(b"fine")
    file_link.symlink_to(outside / "secret.txt")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            os.rename(real, place)
            os.rename(place, real)
            os.rename(link, place)
            os.rename(place, link)
            os.rename(file, note)
            os.rename(file_link, note)
            os.rename(note, file_link)
            file.write_bytes(b"fine")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(400 if LONG else 15):
            for target in ("/place/secret.txt", "/place/?zip=", "/note", "/note", "/note?zip="):
                reply = await server.get(BASE + target)
                assert SECRET not in reply.body
            await server.put(f"{BASE}/place/?name=new.txt", b"new")
            await server.put(f"{BASE}/place/secret.txt", b"fine")
            await server.delete(f"{BASE}/place/secret.txt")
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("name", NAMES)
async def test_no_member_of_an_archive_leads_out(server, inside, name):
    """On no system: neither as the archive names it, nor as a program of Windows reads it."""
    await server.put(f"{BASE}/?kind=folder&name={quote(name, safe='')}")
    await server.put(f"{BASE}/?name={quote(name + '.txt', safe='')}", b"data")
    folder = await server.put(
        f"{BASE}/{quote(name, safe='')}/?name={quote(name + '.txt', safe='')}", b"data"
    )
    assert folder.status == 201
    body = (await server.get(f"{BASE}/?zip=")).body
    members = zipfile.ZipFile(io.BytesIO(body)).namelist()
    assert len(members) == 2
    for raw_name in zipfile.ZipFile(io.BytesIO(body)).infolist():
        member = raw_name.orig_filename
        assert not set(member) & set("\\\0")
        assert member.isprintable()
        assert not ntpath.splitdrive(member)[0]
        assert not ntpath.isabs(member)
        for part in member.rstrip("/").split("/"):
            assert part.strip(" ."), member
        for module in (ntpath, posixpath):
            assert module.normpath(member).split(module.sep)[0] not in {"", ".."}
