"""Properties of files and folders, and what is in folders."""

import re

import pytest

from tests.gateway.client import FIRST, SECOND
from waterbutler.core import Path
from waterbutler.server import paging

FILE_KEYS = {"id", "type", "name", "size", "modified", "etag"}


def keys(words, *names):
    return {words[name] for name in names if name in words}


async def test_a_file_is_described(alice, server, words):
    entry = await server.have("/folder/a file.txt", b"12345")
    folder = (await alice.children(alice.root))["folder"]
    shown = (await alice.children(folder.id))["a file.txt"]
    assert set(shown.raw) == keys(words, *FILE_KEYS, "parent")
    assert (shown.type, shown.name, shown.size) == ("file", "a file.txt", 5)
    assert shown.modified == int(entry.modified.timestamp() * 1000)
    assert re.fullmatch(r"[!-~]+", shown.etag)
    assert await alice.describe(shown.id) == shown
    if words is SECOND:
        assert shown.parent == folder.id


async def test_a_folder_is_described(alice, server, words):
    """It has neither size nor mark; only the second vocabulary shows its time."""
    await server.have("/folder/")
    shown = (await alice.children(alice.root))["folder"]
    dated = ("modified",) if words is SECOND else ()
    assert set(shown.raw) == keys(words, "id", "type", "name", "parent", *dated)
    assert (shown.type, shown.name) == ("folder", "folder")
    assert await alice.describe(shown.id) == shown
    if words is SECOND:
        assert isinstance(shown.modified, int)
        assert shown.parent == alice.root


@pytest.mark.parametrize("id", ["", None])
async def test_the_root_can_be_left_out(alice, server, id):
    await server.have("/a.txt")
    assert (await alice.describe(id)).id == alice.root
    assert list(await alice.children(id)) == ["a.txt"]


async def test_the_root_has_no_parent(alice, words):
    root = await alice.describe(alice.root)
    assert (root.type, root.name, root.parent) == ("folder", "memory", None)
    if words is SECOND:
        assert words["parent"] in root.raw


async def test_head_has_the_headers_and_no_body(alice):
    reply = await alice.send("describe", alice.root, method="HEAD")
    assert reply.status == 200
    assert int(reply.headers["Content-Length"]) > 10
    assert reply.body == b""


@pytest.mark.parametrize("what", ["describe", "children", "download", "thumbnail"])
async def test_reading_what_is_gone_is_404(alice, server, what):
    await server.have("/a.txt")
    await server.have("/b/")
    for meta in (await alice.children(alice.root)).values():
        await alice.delete(meta.id)
        reply = await alice.send(what, meta.id)
        assert reply.status == 404


async def test_a_file_cannot_be_listed(alice, server):
    await server.have("/a.txt")
    file = (await alice.children(alice.root))["a.txt"]
    assert (await alice.send("children", file.id)).status == 400


async def test_a_file_that_became_a_folder_is_another_thing(alice, server):
    await server.have("/a")
    file = (await alice.children(alice.root))["a"]
    await alice.delete(file.id)
    await server.have("/a/")
    assert (await alice.send("describe", file.id)).status == 404
    assert (await alice.children(alice.root))["a"].id != file.id


async def test_the_mark_changes_with_the_content_only(alice):
    """Also if size and time stay the same; it is the same in every answer."""
    made = await alice.upload(alice.root, "a", b"1")
    assert (await alice.describe(made.id)).etag == made.etag
    assert (await alice.children(alice.root))["a"].etag == made.etag
    head = await alice.send("download", made.id, method="HEAD")
    assert head.headers["ETag"] == f'"{made.etag}"'
    changed = await alice.update(made.id, b"2")
    assert changed.etag != made.etag
    other = await alice.upload(alice.root, "b", b"3")
    assert len({made.etag, changed.etag, other.etag}) == 3


# -- pages -----------------------------------------------------------------------------------------


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(paging, "MAX_PAGE", 3)


async def have(server, *names):
    for name in names:
        await server.have(f"/{name}")


def names(page):
    return [meta.name for meta in page]


async def test_a_long_folder_comes_in_pages(alice, server, small_pages):
    await have(server, *"gfedcba")
    first, token = await alice.page(alice.root)
    assert names(first) == ["a", "b", "c"]
    second, token = await alice.page(alice.root, token)
    assert names(second) == ["d", "e", "f"]
    third, token = await alice.page(alice.root, token)
    assert names(third) == ["g"]
    assert token is None


async def test_a_page_that_is_just_full_is_the_last_one(alice, server, small_pages):
    await have(server, *"abc")
    page, token = await alice.page(alice.root)
    assert names(page) == ["a", "b", "c"]
    assert token is None


@pytest.mark.slow
async def test_a_page_has_at_most_a_thousand_entries(alice, server):
    for number in range(1001):
        await server.have(f"/{number:04}", b"")
    page, token = await alice.page(alice.root)
    assert len(page) == 1000
    page, token = await alice.page(alice.root, token)
    assert names(page) == ["1000"]
    assert token is None


async def test_an_empty_token_asks_for_the_first_page(alice, server, small_pages):
    await have(server, *"abcd")
    page, _ = await alice.page(alice.root, "")
    assert names(page) == ["a", "b", "c"]


async def test_nothing_is_shown_twice_whatever_happens_between_pages(alice, server, small_pages):
    """What is made or deleted behind the page is seen, what lies before it is not."""
    await have(server, *"bdfhj")
    page, token = await alice.page(alice.root)
    assert names(page) == ["b", "d", "f"]
    await have(server, "a", "i")
    await server.storages["memory"].delete(Path.parse("/f"))
    await server.storages["memory"].delete(Path.parse("/h"))
    page, token = await alice.page(alice.root, token)
    assert names(page) == ["i", "j"]
    assert token is None


async def test_the_token_stands_in_the_header_of_the_vocabulary(alice, server, words, small_pages):
    await have(server, *"abcd")
    reply = await alice.ask("children", alice.root)
    other = SECOND["page"] if words is FIRST else FIRST["page"]
    assert re.fullmatch(r"[A-Za-z0-9_-]+", reply.headers[words["page"]])
    assert other not in reply.headers


async def test_names_of_all_kinds_can_end_a_page(alice, server, small_pages):
    strange = ["  ", "%2F", '"\\', "ä", "\u202e", "\U0001f600", "\n"]
    await have(server, *strange)
    assert set(await alice.children(alice.root)) == set(strange)


@pytest.mark.parametrize("token", ["x", "!", "AAAA", "%00", "%FF", "a" * 5000, "null", "W10"])
async def test_a_damaged_token_is_400(alice, token):
    reply = await alice.send("children", alice.root, query=f"?page={token}")
    assert reply.status == 400
    assert reply.message


async def test_a_token_is_for_its_folder_and_its_account(alice, bob, server, small_pages):
    await have(server, *"abcd", "f/1", "f/2", "f/3", "f/4")
    folder = (await alice.children(alice.root))["f"]
    _, token = await alice.page(alice.root)
    assert (await alice.send("children", folder.id, query=f"?page={token}")).status == 400
    assert (await bob.send("children", bob.root, query=f"?page={token}")).status == 400
    changed = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    assert (await alice.send("children", alice.root, query=f"?page={changed}")).status == 400


# -- all resources ---------------------------------------------------------------------------------


@pytest.fixture
def top(sign_in, io_loop):
    """A session that sees everything that alice may see."""
    return io_loop.run_sync(lambda: sign_in(resource=""))


async def test_without_a_resource_all_of_them_are_folders(top, server, words):
    await server.have("/f/deep.txt", b"deep")
    root = await top.describe(top.root)
    assert (root.type, root.parent) == ("folder", None)
    resources = await top.children(top.root)
    assert list(resources) == ["guid0", "public", "wiki"]
    mounts = await top.children(resources["guid0"].id)
    assert list(mounts) == ["frozen", "memory", "other"]
    inside = await top.children(mounts["memory"].id)
    deep = (await top.children(inside["f"].id))["deep.txt"]
    assert await top.download(deep.id) == b"deep"
    for meta in (*resources.values(), *mounts.values(), inside["f"], deep):
        assert (await top.describe(meta.id)).raw == meta.raw
    if words is SECOND:
        assert resources["guid0"].parent == top.root
        assert mounts["memory"].parent == resources["guid0"].id
        assert inside["f"].parent == mounts["memory"].id
        assert deep.parent == inside["f"].id


async def test_with_a_resource_only_its_mounts_are_folders(sign_in, server):
    session = await sign_in(resource="guid0")
    assert list(await session.children(session.root)) == ["frozen", "memory", "other"]
    root = await session.describe(session.root)
    assert (root.name, root.parent) == ("guid0", None)


async def test_a_user_sees_only_what_is_theirs(sign_in):
    session = await sign_in("carol", resource="")
    assert list(await session.children(session.root)) == ["public", "wiki"]
    guid0 = (await (await sign_in(resource="")).children(None))["guid0"]
    for what in ("describe", "children"):
        assert (await session.send(what, guid0.id)).status == 404


async def test_nothing_can_be_changed_above_the_storages(top, words, server):
    await server.have("/a.txt")
    resources = await top.children(top.root)
    mounts = await top.children(resources["guid0"].id)
    file = (await top.children(mounts["memory"].id))["a.txt"]
    for meta in (await top.describe(top.root), *resources.values(), *mounts.values()):
        assert (await top.send("delete", meta.id)).status == 403
        assert (await top.send("rename", meta.id, {words["new_name"]: "new"})).status == 403
        body = {words["new_parent"]: resources["wiki"].id}
        assert (await top.send("move", meta.id, body)).status == 403
        assert (await top.send("thumbnail", meta.id)).status == 403
        assert (await top.send("download", meta.id)).status == 400
    for meta in (await top.describe(top.root), *resources.values()):
        assert (await top.send("folder", meta.id, {words["name"]: "new"})).status == 403
        headers = top.says("new", 1, 1)
        assert (await top.send("create", meta.id, b"1", headers)).status == 403
        assert (await top.send("update", meta.id, b"1", headers)).status == 403
        assert (await top.send("move", file.id, {words["new_parent"]: meta.id})).status == 403
    assert await server.names() == ["/a.txt"]


async def test_files_move_from_one_storage_to_another(top, server, words):
    await server.have("/a.txt", b"content")
    mounts = await top.children((await top.children(None))["guid0"].id)
    file = (await top.children(mounts["memory"].id))["a.txt"]
    moved = await top.move(file, mounts["other"].id)
    assert await top.download(moved.id) == b"content"
    assert await server.names() == []
    assert await server.names(storage="other") == ["/a.txt"]
    reply = await top.send("move", moved.id, {words["new_parent"]: mounts["frozen"].id})
    assert reply.status == 403
