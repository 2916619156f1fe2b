"""New folders, new names, new places, deletions."""

import pytest

from tests.gateway.client import SECOND
from waterbutler.events import Events

BAD_NAMES = ["", " ", "\t\n", ".", "..", "a/b", "/", "a\0b", "x" * 256, "č" * 128]
ODD_NAMES = ["%2e%2e", "..a", " a ", "\\", "C:\\x", "\u202etxt", "a\u0301", "\U0001f600", "x" * 255]


# -- new folders -----------------------------------------------------------------------------------


async def test_a_new_folder_is_empty_and_described(alice, server, words):
    made = await alice.folder(alice.root, "new")
    assert (made.type, made.name) == ("folder", "new")
    assert await alice.describe(made.id) == made
    assert await alice.children(made.id) == {}
    inner = await alice.folder(made.id, "inner")
    assert await server.names() == ["/new/", "/new/inner/"]
    if words is SECOND:
        assert (made.parent, inner.parent) == (alice.root, made.id)


async def test_a_time_for_a_folder_is_checked_and_not_echoed(alice, words):
    body = {words["name"]: "new", words["modified"]: 1}
    made = alice.meta((await alice.ask("folder", alice.root, body)).json)
    assert made.modified != 1
    if words is SECOND:
        body = {words["name"]: "other", words["modified"]: "yesterday"}
        assert (await alice.send("folder", alice.root, body)).status == 400


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_bad_names_are_400(alice, server, words, name):
    file = await alice.upload(alice.root, "file", b"1")
    assert (await alice.send("folder", alice.root, {words["name"]: name})).status == 400
    assert (await alice.send("rename", file.id, {words["new_name"]: name})).status == 400
    assert await server.names() == ["/file"]


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_all_other_names_stay_as_they_are(alice, name):
    made = await alice.folder(alice.root, name)
    renamed = await alice.rename(made, "plain")
    again = await alice.rename(renamed, name)
    assert made.name == again.name == name
    assert list(await alice.children(alice.root)) == [name]


@pytest.mark.parametrize("value", [None, 7, [], {}, True])
async def test_a_name_is_a_text(alice, words, value):
    for what, key in (("folder", "name"), ("rename", "new_name")):
        assert (await alice.send(what, alice.root, {words[key]: value})).status == 400
        assert (await alice.send(what, alice.root, {})).status == 400


@pytest.mark.parametrize("what", ["folder", "rename", "move"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
async def test_what_is_no_document_is_400(alice, what, body):
    assert (await alice.send(what, alice.root, body)).status == 400


async def test_lone_surrogates_are_no_name(alice, words):
    body = b'{"%s": "\\ud800"}' % words["name"].encode()
    assert (await alice.send("folder", alice.root, body)).status == 400


@pytest.mark.parametrize("taken", ["a", "a/"])
async def test_a_taken_name_is_409_and_nothing_changes(alice, server, words, taken):
    await server.have(f"/{taken}", b"old")
    before = (await alice.children(alice.root))["a"]
    other = await alice.upload(alice.root, "other", b"1")
    folder = await alice.folder(alice.root, "folder")
    inner = await alice.upload(folder.id, "a", b"2")
    assert (await alice.send("folder", alice.root, {words["name"]: "a"})).status == 409
    for meta in (other, folder):
        assert (await alice.send("rename", meta.id, {words["new_name"]: "a"})).status == 409
    assert (await alice.send("move", inner.id, {words["new_parent"]: alice.root})).status == 409
    headers = alice.says("a", 1, 1)
    assert (await alice.send("create", alice.root, b"1", headers)).status == 409
    assert await alice.describe(before.id) == before
    assert await server.names() == sorted([f"/{taken}", "/folder/", "/folder/a", "/other"])


async def test_only_folders_hold_something(alice, words):
    file = await alice.upload(alice.root, "file", b"1")
    other = await alice.upload(alice.root, "other", b"1")
    headers = alice.says("a", 1, 1)
    assert (await alice.send("folder", file.id, {words["name"]: "a"})).status == 400
    assert (await alice.send("create", file.id, b"1", headers)).status == 400
    assert (await alice.send("move", other.id, {words["new_parent"]: file.id})).status == 400


async def test_nothing_is_made_in_a_folder_that_is_gone(alice, server, words):
    folder = await alice.folder(alice.root, "folder")
    file = await alice.upload(alice.root, "file", b"1")
    await alice.delete(folder.id)
    headers = alice.says("a", 1, 1)
    assert (await alice.send("folder", folder.id, {words["name"]: "a"})).status == 404
    assert (await alice.send("create", folder.id, b"1", headers)).status == 404
    assert (await alice.send("move", file.id, {words["new_parent"]: folder.id})).status == 404
    assert await server.names() == ["/file"]


# -- new names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/a.txt", "/f/"])
async def test_a_rename_answers_with_everything(alice, server, path):
    await server.have(path)
    await server.have("/f/inner.txt")
    before = (await alice.children(alice.root))[path.strip("/")]
    after = await alice.rename(before, "new name")
    assert after.name == "new name"
    assert after.type == before.type
    assert after.parent == before.parent
    assert await alice.describe(after.id) == after
    assert (await alice.send("describe", before.id)).status == 404


async def test_renaming_to_the_same_name_changes_nothing(alice):
    file = await alice.upload(alice.root, "a", b"1")
    assert await alice.rename(file, "a") == file


async def test_the_case_of_a_name_can_be_changed(alice, server):
    file = await alice.upload(alice.root, "name", b"1")
    assert (await alice.rename(file, "Name")).name == "Name"
    assert await server.names() == ["/Name"]


async def test_a_wrong_old_name_is_400(alice, words):
    if words is SECOND:
        file = await alice.upload(alice.root, "a", b"1")
        body = {words["new_name"]: "b", words["old_name"]: "c"}
        assert (await alice.send("rename", file.id, body)).status == 400
        assert await alice.describe(file.id) == file
        del body[words["old_name"]]
        await alice.ask("rename", file.id, body)


# -- new places ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/a.txt", "/f/"])
async def test_a_move_answers_with_everything(alice, server, words, path):
    await server.have(path)
    await server.have("/f/inner.txt")
    before = (await alice.children(alice.root))[path.strip("/")]
    folder = await alice.folder(alice.root, "to")
    after = await alice.move(before, folder.id)
    assert after.name == before.name
    assert await alice.describe(after.id) == after
    assert (await alice.send("describe", before.id)).status == 404
    if words is SECOND:
        assert after.parent == folder.id
    assert await server.content("/to/f/inner.txt" if path == "/f/" else "/f/inner.txt") == b"data"


async def test_moving_to_the_same_parent_changes_nothing(alice):
    folder = await alice.folder(alice.root, "f")
    file = await alice.upload(folder.id, "a", b"1")
    assert await alice.move(file, folder.id) == file


async def test_a_folder_does_not_move_into_itself(alice, server, words):
    outer = await alice.folder(alice.root, "outer")
    inner = await alice.folder(outer.id, "inner")
    for parent in (outer.id, inner.id):
        reply = await alice.send("move", outer.id, {words["new_parent"]: parent})
        assert reply.status == 403
    assert await server.names() == ["/outer/", "/outer/inner/"]


async def test_the_root_stays_where_and_what_it_is(alice, server, words):
    folder = await alice.folder(alice.root, "f")
    for id in (alice.root, "", None):
        assert (await alice.send("move", id, {words["new_parent"]: folder.id})).status == 403
        assert (await alice.send("rename", id, {words["new_name"]: "new"})).status == 403
        assert (await alice.send("delete", id)).status == 403
    assert await server.names() == ["/f/"]


async def test_the_new_parent_must_be_said_and_be_there(alice, words):
    file = await alice.upload(alice.root, "a", b"1")
    for body, status in (
        ({}, 400),
        ({words["new_parent"]: None}, 400),
        ({words["new_parent"]: 7}, 400),
        ({words["new_parent"]: "unknown"}, 404),
    ):
        assert (await alice.send("move", file.id, body)).status == status


async def test_a_wrong_old_parent_is_400(alice, words):
    if words is SECOND:
        folder = await alice.folder(alice.root, "f")
        file = await alice.upload(alice.root, "a", b"1")
        for old in (folder.id, "unknown", file.id):
            body = {words["new_parent"]: folder.id, words["old_parent"]: old}
            assert (await alice.send("move", file.id, body)).status == 400
        assert await alice.describe(file.id) == file


# -- deletions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, b"{}", b"anything", b'{"gateway.metadata.parent.id": "x"}'])
async def test_whatever_is_deleted_is_gone_with_all_that_is_in_it(alice, server, body):
    """A body is allowed and not read."""
    await server.have("/f/deep/a.txt")
    await server.have("/a.txt")
    for meta in (await alice.children(alice.root)).values():
        assert (await alice.send("delete", meta.id, body)).status == 200
        assert (await alice.send("delete", meta.id, body)).status == 404
    assert await server.names() == []


# -- readers ---------------------------------------------------------------------------------------


async def changes(client, meta, folder):
    """The statuses of everything that would change something."""
    words = client.words
    says = client.says("new", 1, 1)
    yield await client.send("delete", meta)
    yield await client.send("rename", meta, {words["new_name"]: "new"})
    yield await client.send("move", meta, {words["new_parent"]: folder})
    yield await client.send("folder", folder, {words["name"]: "new"})
    yield await client.send("create", folder, b"1", says)
    yield await client.send("update", meta, b"1", says)


async def test_who_may_only_read_changes_nothing(bob, server):
    await server.have("/a.txt")
    await server.have("/f/")
    found = await bob.children(bob.root)
    assert await bob.download(found["a.txt"].id) == b"data"
    async for reply in changes(bob, found["a.txt"].id, found["f"].id):
        assert reply.status == 403
        assert reply.message
    assert await server.names() == ["/a.txt", "/f/"]


async def test_what_does_not_exist_is_404_for_readers_too(bob, alice):
    file = await alice.upload(alice.root, "a", b"1")
    folder = await alice.folder(alice.root, "f")
    await alice.delete(file.id)
    await alice.delete(folder.id)
    async for reply in changes(bob, file.id, folder.id):
        assert reply.status == 404


async def test_a_storage_that_nobody_may_change_is_403(sign_in, server):
    await server.have("/a.txt", storage="frozen")
    session = await sign_in(resource="guid0", provider="frozen")
    file = (await session.children(None))["a.txt"]
    async for reply in changes(session, file.id, session.root):
        assert reply.status == 403
    assert (await session.send("delete", file.id[:-1] + "-")).status == 404
    assert await server.names(storage="frozen") == ["/a.txt"]


# -- what others are told --------------------------------------------------------------------------


async def test_changes_are_told_as_those_of_the_first_api(alice, server):
    told = []

    class Sink:
        def emit(self, event):
            told.append(event)

    object.__setattr__(server.context, "events", Events([Sink()]))
    file = await alice.upload(alice.root, "a", b"1")
    file = await alice.update(file.id, b"2")
    await alice.download(file.id)
    folder = await alice.folder(alice.root, "f")
    file = await alice.move(file, folder.id)
    file = await alice.rename(file, "b")
    await alice.delete(file.id)
    assert [event.action for event in told] == [
        *("create", "update", "download_file", "create_folder", "move", "move", "delete")
    ]
    assert {event.user.id for event in told} == {"alice"}
    assert [event.item.materialized for event in told] == [
        *("/a", "/a", "/a", "/f/", "/f/a", "/f/b", "/f/b")
    ]
    assert told[4].source.materialized == "/a"
