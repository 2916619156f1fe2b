"""DELETE: files, folders, and everything in a root."""

import pytest

from tests.harness import ALICE, BASE, BOB, FROZEN, LINK_KEY, NOBODY
from tests.server.test_put import BAD_NAMES
from waterbutler.core.errors import ProviderFault, ProviderUnavailable


async def test_a_file_is_deleted(server):
    """204 and nothing else."""
    await server.have("/a.txt")
    await server.have("/b.txt")
    reply = await server.delete(f"{BASE}/a.txt")
    assert (reply.status, reply.body) == (204, b"")
    assert "Content-Type" not in reply.headers
    assert "Content-Length" not in reply.headers
    assert await server.names() == ["/b.txt"]
    assert (await server.delete(f"{BASE}/a.txt")).status == 404


async def test_a_folder_is_deleted(server):
    """With everything in it."""
    await server.have("/f/sub/a.txt")
    await server.have("/g/")
    assert (await server.delete(f"{BASE}/f/")).status == 204
    assert await server.names() == ["/g/"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?confirm_delete", 400),
        ("?confirm_delete=", 400),
        ("?confirm_delete=0", 400),
        ("?confirm_delete=2", 400),
        ("?confirm_delete=yes", 400),
        ("?confirm_delete=true", 400),
        ("?confirm_delete=1.0", 400),
        ("?confirm_delete=11", 400),
        ("?confirm_delete=%201", 400),
        ("?confirm_delete=%31", 204),
        ("?confirm_delete=1", 204),
        ("?confirm_delete=1&unknown", 204),
    ],
)
async def test_a_root_is_emptied_if_that_is_confirmed(server, query, status):
    """With exactly ``1``; the root itself stays."""
    await server.have("/f/a.txt")
    await server.have("/b.txt")
    reply = await server.delete(f"{BASE}/{query}")
    assert reply.status == status
    if status == 400:
        assert "confirm_delete" in reply.message
        assert not server.calls
        assert len(await server.names()) == 3
    else:
        assert await server.names() == []
        assert (await server.get(f"{BASE}/")).data == []


@pytest.mark.parametrize("query", ["", "?confirm_delete=yes", "?confirm_delete=0"])
async def test_only_roots_ask(server, query):
    """For everything else the parameter means nothing."""
    await server.have("/f/")
    assert (await server.delete(f"{BASE}/f/{query}")).status == 204


@pytest.mark.parametrize(
    "path", ["/nothing", "/nothing/", "/f", "/a.txt/", "/a.txt/x", "/no/thing/"]
)
async def test_what_is_not_there(server, path):
    """404, also for the other kind."""
    await server.have("/f/")
    await server.have("/a.txt")
    reply = await server.delete(BASE + path)
    assert reply.status == 404
    assert reply.message
    assert await server.names() == ["/a.txt", "/f/"]


@pytest.mark.parametrize("name", [name for name in BAD_NAMES.values() if name])
async def test_names_that_nothing_can_have(server, name):
    """400, before any storage is asked."""
    reply = await server.delete(f"{BASE}/{name}?confirm_delete=1")
    assert reply.status == 400
    assert not server.calls


@pytest.mark.parametrize(
    ("who", "query", "status"), [(NOBODY, "", 401), (BOB, "", 403), (NOBODY, LINK_KEY, 403)]
)
async def test_deleting_needs_the_right_to_write(server, who, query, status):
    """Keys of links never give it."""
    await server.have("/a.txt")
    target = f"{BASE}/a.txt" + (f"?view_only={query}" if query else "")
    reply = await server.request("DELETE", target, who)
    assert reply.status == status
    assert not server.calls
    assert await server.names() == ["/a.txt"]


async def test_a_storage_for_reading_keeps_everything(server):
    """405, the root too."""
    await server.have("/a.txt", b"", "frozen")
    for target in (f"{FROZEN}/a.txt", f"{FROZEN}/?confirm_delete=1"):
        reply = await server.delete(target)
        assert reply.status == 405
        assert reply.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert await server.names(storage="frozen") == ["/a.txt"]


@pytest.mark.parametrize(
    ("error", "status"), [(ProviderFault("Nonsense."), 502), (ProviderUnavailable("Down."), 503)]
)
async def test_a_storage_that_fails(server, error, status):
    """It is asked once: nobody knows what an unanswered deletion did."""
    await server.have("/a.txt")
    server.storage.fail("delete", error, times=9)
    reply = await server.delete(f"{BASE}/a.txt")
    assert reply.status == status
    assert reply.message == error.message
    assert server.storage.calls["delete"] == 1


async def test_a_body_means_nothing(server):
    """And does not disturb the connection."""
    async with server.connection() as connection:
        for _ in range(2):
            await server.have("/a.txt")
            reply = await connection.request("DELETE", f"{BASE}/a.txt", ALICE, b"x" * 5000)
            assert reply.status == 204
