"""What the embedded tree promises, on both databases."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.host.conftest import blob, into, names
from waterbutler.core.errors import (
    AlreadyExists,
    BadPath,
    CheckedOut,
    Forbidden,
    InvalidRequest,
    IsAFolder,
    NotAFolder,
    NotFound,
    QuotaExceeded,
    SamePlace,
)
from waterbutler.core.filetree import Author
from waterbutler.host import EmbeddedTrees

BAD_NAMES = ["", ".", "..", "a/b", "nul\0", "x" * 256, "\udc80"]
BAD_IDS = ["", "..", "a/b", "a b", "é", "a" * 65, "%2e", "abc\n"]


async def put(tree, folder, name, content="data", **changes):
    """Record a blob; returns the file."""
    return (await tree.record(folder.id, name, blob(content), user="alice", **changes)).node


async def test_the_root_is_made_once(trees, tree, root):
    again = await asyncio.gather(*(trees.tree("guid0").item() for _ in range(5)))
    assert {node.id for node in again} == {root.id}
    assert (root.name, root.is_folder, root.full_path) == ("", True, "/")
    assert len(root.id) == 24
    assert (await trees.tree("guid1").item()).id != root.id


async def test_roots_that_are_made_at_the_same_time_are_one(trees):
    found = await asyncio.gather(*(trees.tree("new").item() for _ in range(10)))
    assert len({node.id for node in found}) == 1


async def test_an_item_has_its_path(tree, root):
    outer = await tree.make_folder(root.id, "a b", user=None)
    inner = await tree.make_folder(outer.id, "ü", user=None)
    file = await put(tree, inner, "f.txt")
    assert (await tree.item(inner.id)).full_path == "/a b/ü/"
    assert (await tree.item(file.id)).full_path == "/a b/ü/f.txt"
    lineage = await tree.lineage(file.id)
    assert [node.id for node in lineage] == [file.id, inner.id, outer.id, root.id]
    assert lineage[0].version == 1


async def test_a_new_file_has_what_its_blob_has(tree, root):
    before = datetime.now(UTC) - timedelta(seconds=1)
    result = await tree.record(root.id, "f", blob("x" * 7, content_type="text/x"), user="alice")
    node = result.node
    assert result.created
    assert (node.name, node.size, node.version, node.content_type) == ("f", 7, 1, "text/x")
    assert set(node.hashes) == {"md5", "sha256"}
    assert before < node.created == node.modified < datetime.now(UTC) + timedelta(seconds=1)
    assert node.checkout is None
    assert node == (await tree.lineage(node.id))[0]


async def test_new_content_is_a_new_version(tree, root):
    first = await put(tree, root, "f", "one")
    result = await tree.record(root.id, "f", blob("three"), user="bob")
    assert not result.created
    assert (result.node.id, result.node.version, result.node.size) == (first.id, 2, 5)
    assert result.node.created == first.created
    assert result.node.modified > first.modified
    assert [version.index async for version in tree.revisions(first.id)] == [2, 1]


async def test_the_same_newest_content_is_no_new_version(tree, root):
    first = await tree.record(root.id, "f", blob("one"), user="alice")
    again = await tree.record(root.id, "f", blob("one"), user="alice")
    assert (again.node.version, again.version_id) == (1, first.version_id)
    await put(tree, root, "f", "two")
    assert (await put(tree, root, "f", "one")).version == 3


async def test_an_update_finds_its_file_after_a_rename(tree, root):
    file = await put(tree, root, "f", "one")
    await tree.move(file.id, into(root, "g"), user="alice")
    updated = await put(tree, root, "f", "two", file=file.id)
    assert (updated.id, updated.name, updated.version) == (file.id, "g", 2)
    assert await names(tree) == ["g"]


async def test_an_update_of_a_deleted_file_makes_none(tree, root):
    file = await put(tree, root, "f", "one")
    await tree.delete(file.id, user="alice")
    with pytest.raises(NotFound):
        await put(tree, root, "f", "two", file=file.id)
    assert await names(tree) == []


async def test_an_exclusive_name_is_refused_when_taken(tree, root):
    await put(tree, root, "f", "one", exclusive=True)
    with pytest.raises(AlreadyExists):
        await put(tree, root, "f", "two", exclusive=True)
    assert (await tree.child(root.id, "f", folder=False)).version == 1


async def test_a_file_and_a_folder_may_share_a_name(tree, root):
    folder = await tree.make_folder(root.id, "x", user=None)
    file = await put(tree, root, "x")
    assert await names(tree) == ["x", "x/"]
    assert (await tree.child(root.id, "x", folder=True)).id == folder.id
    assert (await tree.child(root.id, "x", folder=False)).id == file.id
    with pytest.raises(AlreadyExists):
        await tree.make_folder(root.id, "x", user=None)


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_bad_names_are_refused(tree, root, name):
    file = await put(tree, root, "f")
    for attempt in (
        tree.make_folder(root.id, name, user=None),
        tree.record(root.id, name, blob(), user=None),
        tree.move(file.id, into(root, name), user=None),
        tree.copy(file.id, into(root, name), user=None),
    ):
        with pytest.raises(BadPath):
            await attempt
    assert await names(tree) == ["f"]


@pytest.mark.parametrize("id", [*BAD_IDS, "0" * 24])
async def test_bad_and_unknown_ids_are_refused(tree, root, id):
    for attempt in (
        tree.lineage(id),
        tree.locate(id),
        tree.child(id, "f", folder=False),
        tree.make_folder(id, "f", user=None),
        tree.record(id, "f", blob(), user=None),
        tree.delete(id, user=None),
        tree.move(id, into(root, "f"), user=None),
        tree.copy(id, into(root, "f"), user=None),
        anext(tree.children(id or "..")),
        anext(tree.revisions(id)),
    ):
        with pytest.raises((BadPath, NotFound)):
            await attempt


async def test_another_resource_does_not_see_a_node(tree, other, root):
    file = await put(tree, root, "f")
    theirs = await other.item()
    for attempt in (
        other.item(file.id),
        other.locate(file.id),
        other.delete(file.id, user="alice"),
        other.move(file.id, into(theirs, "f", "guid1"), user="alice"),
        other.record(root.id, "f", blob("mine"), user="alice"),
        tree.move(file.id, into(root, "f", "guid1"), user="alice"),
        tree.copy(file.id, into(root, "f", "nowhere"), user="alice"),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await names(tree) == ["f"]


async def test_kinds_are_told_apart(tree, root):
    file, folder = await put(tree, root, "f"), await tree.make_folder(root.id, "d", user=None)
    for attempt in (
        tree.make_folder(file.id, "x", user=None),
        tree.record(file.id, "x", blob(), user=None),
        tree.move(folder.id, into(file, "x"), user=None),
        tree.child(file.id, "x", folder=False),
        anext(tree.children(file.id)),
    ):
        with pytest.raises(NotAFolder):
            await attempt
    for attempt in (
        tree.locate(folder.id),
        tree.record(root.id, "x", blob(), user=None, file=folder.id),
        tree.check_out(folder.id, user="alice"),
        anext(tree.revisions(folder.id)),
    ):
        with pytest.raises(IsAFolder):
            await attempt


async def test_each_version_says_where_it_is(tree, root):
    elsewhere = {"provider": "s3", "bucket": "b"}
    await tree.record(root.id, "f", blob("one"), user="alice")
    second = blob("two", settings=elsewhere, service="s3")
    file = (await tree.record(root.id, "f", second, user="alice")).node
    newest, oldest = await tree.locate(file.id), await tree.locate(file.id, version=1)
    assert (newest.object, newest.settings) == (second.object, elsewhere)
    assert (oldest.object, oldest.settings["folder"]) == (blob("one").object, "/blobs")
    assert (oldest.version.index, oldest.version.size) == (1, 3)
    for version in (0, 3, -1):
        with pytest.raises(NotFound):
            await tree.locate(file.id, version=version)


async def test_a_version_keeps_the_name_it_had(tree, root):
    await put(tree, root, "old", "one")
    file = await put(tree, root, "old", "two")
    await tree.move(file.id, into(root, "new"), user="alice")
    assert (await tree.locate(file.id, version=1)).name == "old"
    assert (await tree.locate(file.id)).name == "new"


async def test_versions_name_their_authors(trees, root):
    named = EmbeddedTrees(trees.database, names=lambda user: Author(name=user.title()))
    tree = named.tree("guid0")
    file = await put(tree, root, "f", "one")
    await tree.record(root.id, "f", blob("two"), user=None)
    authors = [version.author async for version in tree.revisions(file.id)]
    assert authors == [None, Author(name="Alice")]


async def test_what_is_deleted_is_gone(tree, root):
    folder = await tree.make_folder(root.id, "d", user=None)
    inner = await tree.make_folder(folder.id, "e", user=None)
    file = await put(tree, inner, "f")
    await tree.delete(folder.id, user="alice")
    assert await names(tree) == []
    for id in (folder.id, inner.id, file.id):
        with pytest.raises(NotFound):
            await tree.item(id)
    with pytest.raises(NotFound):
        await tree.delete(folder.id, user="alice")
    again = await tree.make_folder(root.id, "d", user=None)
    assert again.id != folder.id
    assert await names(tree, again) == []


async def test_the_root_stays(tree, root):
    with pytest.raises(InvalidRequest):
        await tree.delete(root.id, user="alice")
    folder = await tree.make_folder(root.id, "d", user=None)
    with pytest.raises((InvalidRequest, SamePlace)):
        await tree.move(root.id, into(folder, "r"), user="alice")


async def test_a_move_keeps_ids_and_versions(tree, other, root):
    source = await tree.make_folder(root.id, "s", user=None)
    await put(tree, source, "f", "one")
    file = await put(tree, source, "f", "three")
    target = await other.item()
    moved = await tree.move(source.id, into(target, "t", "guid1"), user="alice")
    assert (moved.id, moved.name) == (source.id, "t")
    assert (await other.item(file.id)).full_path == "/t/f"
    assert (await other.lineage(file.id))[0].version == 2
    assert [version.size async for version in other.revisions(file.id)] == [5, 3]
    with pytest.raises(NotFound):
        await tree.item(file.id)
    assert ((await tree.quota()).used, (await other.quota()).used) == (0, 8)


async def test_a_move_onto_itself_changes_nothing(tree, root):
    file = await put(tree, root, "f")
    assert (await tree.move(file.id, into(root, "f"), user="alice")).id == file.id
    assert await names(tree) == ["f"]


async def test_a_copy_has_new_ids_and_all_versions(tree, other, root):
    source = await tree.make_folder(root.id, "s", user=None)
    await put(tree, source, "f", "one")
    file = await put(tree, source, "f", "three")
    await tree.count_download(file.id)
    await tree.check_out(file.id, user="bob")
    copied = await tree.copy(source.id, into(await other.item(), "c", "guid1"), user="alice")
    (twin,) = [node async for node in other.children(copied.id)]
    assert copied.id != source.id
    assert twin.id != file.id
    assert (twin.version, twin.created, twin.modified) == (2, file.created, file.modified)
    assert (twin.checkout, twin.downloads) == (None, 0)
    assert [version.size async for version in other.revisions(twin.id)] == [5, 3]
    assert (await other.locate(twin.id, version=1)).object == blob("one").object
    assert ((await tree.quota()).used, (await other.quota()).used) == (8, 8)


async def test_a_copied_file_is_saved_under_its_new_name(tree, root):
    await put(tree, root, "f", "one")
    file = await put(tree, root, "f", "two")
    copied = await tree.copy(file.id, into(root, "g"), user="alice")
    assert (await tree.locate(copied.id)).name == "g"
    assert (await tree.locate(copied.id, version=1)).name == "f"


async def test_a_root_is_copied_under_a_name(tree, other, root):
    await put(tree, root, "f")
    copied = await tree.copy(root.id, into(await other.item(), "all", "guid1"), user="alice")
    assert await names(other, copied) == ["f"]


async def test_many_things_are_copied_moved_and_listed(tree, root, small_pages):
    source = await tree.make_folder(root.id, "s", user=None)
    wanted = {f"f{number}" for number in range(23)}
    inner = await tree.make_folder(source.id, "inner", user=None)
    await asyncio.gather(*(put(tree, source, name, name) for name in wanted))
    await put(tree, inner, "deep")
    copied = await tree.copy(source.id, into(root, "c"), user="alice")
    assert set(await names(tree, copied)) == wanted | {"inner/"}
    (deeper,) = [node async for node in tree.children(copied.id) if node.is_folder]
    assert await names(tree, deeper) == ["deep"]
    await tree.delete(copied.id, user="alice")
    assert set(await names(tree, source)) == wanted | {"inner/"}


async def test_many_versions_are_listed_newest_first(tree, root, small_pages):
    for number in range(1, 13):
        file = await put(tree, root, "f", number)
    found = [version.index async for version in tree.revisions(file.id)]
    assert found == list(range(12, 0, -1))


async def test_a_listing_survives_changes_between_its_pages(tree, root, small_pages):
    kept = [await put(tree, root, f"k{number}") for number in range(3)]
    many = [put(tree, root, f"f{number:04}") for number in range(20)]
    last = (await asyncio.gather(*many))[-1]
    seen = []
    async for node in tree.children():
        if not seen:
            await tree.delete(last.id, user=None)
            await put(tree, root, "later")
        seen.append(node.name)
    assert len(seen) == len(set(seen))
    assert {node.name for node in kept} <= set(seen)


@pytest.mark.parametrize("operation", ["move", "copy"])
async def test_a_folder_does_not_go_into_itself(tree, root, operation):
    outer = await tree.make_folder(root.id, "a", user=None)
    inner = await tree.make_folder(outer.id, "b", user=None)
    for folder in (outer, inner):
        with pytest.raises(SamePlace):
            await getattr(tree, operation)(outer.id, into(folder, "c"), user="alice")
    assert await names(tree, outer) == ["b/"]


@pytest.mark.parametrize("operation", ["move", "copy"])
async def test_a_taken_name_is_refused_or_replaced(tree, other, root, operation):
    file, taken = await put(tree, root, "f", "new"), await other.item()
    old = await put(other, taken, "g", "older")
    transfer = getattr(tree, operation)
    with pytest.raises(AlreadyExists):
        await transfer(file.id, into(taken, "g", "guid1"), user="alice")
    assert (await other.item(old.id)).size == 5
    assert await names(tree) == ["f"]
    result = await transfer(file.id, into(taken, "g", "guid1"), user="alice", replace=True)
    assert (result.size, result.version) == (3, 1)
    assert await names(other) == ["g"]
    with pytest.raises(NotFound):
        await other.item(old.id)


@pytest.mark.parametrize("operation", ["move", "copy"])
async def test_what_is_around_is_not_replaced(tree, root, operation):
    outer = await tree.make_folder(root.id, "a", user=None)
    inner = await tree.make_folder(outer.id, "b", user=None)
    with pytest.raises(SamePlace):
        await getattr(tree, operation)(inner.id, into(root, "a"), user="alice", replace=True)
    assert await names(tree, outer) == ["b/"]


async def test_a_copy_onto_itself_is_refused(tree, root):
    file = await put(tree, root, "f")
    for replace in (False, True):
        with pytest.raises(SamePlace):
            await tree.copy(file.id, into(root, "f"), user="alice", replace=replace)


async def test_a_replaced_folder_is_gone_whole(tree, root):
    old = await tree.make_folder(root.id, "d", user=None)
    await put(tree, old, "x")
    new = await tree.make_folder(root.id, "e", user=None)
    await put(tree, new, "y")
    await tree.move(new.id, into(root, "d"), user="alice", replace=True)
    assert await names(tree) == ["d/"]
    assert await names(tree, new) == ["y"]


class TestCheckOut:
    """Who may do what with a file that is checked out by alice."""

    @pytest.fixture
    def folder(self, tree, root, io_loop):
        return io_loop.run_sync(lambda: tree.make_folder(root.id, "d", user=None))

    @pytest.fixture
    def file(self, tree, folder, io_loop):
        async def make():
            file = await put(tree, folder, "f", "one")
            await tree.check_out(file.id, user="alice")
            return file

        return io_loop.run_sync(make)

    async def test_only_the_holder_adds_versions(self, tree, folder, file):
        for user in ("bob", None):
            with pytest.raises(Forbidden):
                await tree.record(folder.id, "f", blob("two"), user=user)
        assert (await tree.record(folder.id, "f", blob("two"), user="alice")).node.version == 2

    @pytest.mark.parametrize("user", ["alice", "bob"])
    async def test_nobody_moves_or_deletes_it(self, tree, root, folder, file, user):
        for node in (file, folder):
            with pytest.raises(CheckedOut):
                await tree.move(node.id, into(root, "x"), user=user)
            with pytest.raises(Forbidden):
                await tree.delete(node.id, user=user)
        assert await names(tree, folder) == ["f"]

    @pytest.mark.parametrize("operation", ["move", "copy"])
    async def test_nobody_replaces_it(self, tree, root, folder, file, operation):
        other, folders = await put(tree, root, "f"), await tree.make_folder(root.id, "e", user=None)
        for node, place in ((other, into(folder, "f")), (folders, into(root, "d"))):
            with pytest.raises(Forbidden):
                await getattr(tree, operation)(node.id, place, user="alice", replace=True)
        assert sorted(await names(tree)) == ["d/", "e/", "f"]

    async def test_everybody_copies_it(self, tree, root, file):
        assert (await tree.copy(file.id, into(root, "c"), user="bob")).checkout is None

    async def test_it_is_shown_and_ends(self, tree, root, file):
        assert (await tree.item(file.id)).checkout == "alice"
        with pytest.raises(Forbidden):
            await tree.check_out(file.id, user="bob")
        await tree.check_in(file.id)
        assert (await tree.check_out(file.id, user="bob")) is None
        await tree.check_in(file.id)
        await tree.move(file.id, into(root, "x"), user="bob")


class TestQuota:
    """Ten bytes for guid0."""

    @pytest.fixture(autouse=True)
    def _limits(self, limits):
        limits["guid0"] = 10

    async def test_all_versions_count(self, tree, root):
        await put(tree, root, "f", "1234")
        await put(tree, root, "f", "12345")
        quota = await tree.quota()
        assert (quota.used, quota.limit, quota.free, quota.over) == (9, 10, 1, False)

    async def test_what_does_not_fit_is_refused_whole(self, tree, root):
        await put(tree, root, "f", "1234567890")
        assert (await tree.quota()).over
        for name in ("f", "g"):
            with pytest.raises(QuotaExceeded):
                await put(tree, root, name, "x")
        assert await names(tree) == ["f"]
        assert (await tree.child(root.id, "f", folder=False)).version == 1

    async def test_what_is_deleted_makes_room(self, tree, root):
        file = await put(tree, root, "f", "1234567890")
        await tree.delete(file.id, user="alice")
        await put(tree, root, "g", "1234567890")

    @pytest.mark.parametrize("operation", ["move", "copy"])
    async def test_transfers_from_elsewhere_must_fit(self, tree, other, root, operation):
        theirs = await put(other, await other.item(), "f", "12345678901")
        with pytest.raises(QuotaExceeded):
            await getattr(other, operation)(theirs.id, into(root, "f"), user="alice")
        assert await names(other) == ["f"]
        assert await names(tree) == []

    async def test_a_replaced_file_makes_room_for_what_comes(self, tree, other, root):
        await put(tree, root, "f", "1234567890")
        theirs = await put(other, await other.item(), "f", "abcdefghij")
        await other.copy(theirs.id, into(root, "f"), user="alice", replace=True)
        assert (await tree.quota()).used == 10

    async def test_a_move_inside_needs_no_room(self, tree, root):
        file = await put(tree, root, "f", "1234567890")
        await tree.move(file.id, into(root, "g"), user="alice")

    async def test_uploads_at_the_same_time_do_not_exceed_it(self, tree, root):
        attempts = (put(tree, root, f"f{number}", f"{number:04}") for number in range(8))
        results = await asyncio.gather(*attempts, return_exceptions=True)
        assert sum(isinstance(result, QuotaExceeded) for result in results) == 6
        assert (await tree.quota()).used == 8

    async def test_empty_files_always_fit(self, tree, root):
        await put(tree, root, "f", "1234567890")
        await put(tree, root, "g", "")


async def test_downloads_are_counted_by_version(tree, root):
    await put(tree, root, "f", "one")
    file = await put(tree, root, "f", "two")
    for version in (1, 1, None):
        await tree.count_download(file.id, version=version)
    assert (await tree.item(file.id)).downloads == 3
    assert [version.downloads async for version in tree.revisions(file.id)] == [1, 2]


async def test_a_listing_says_what_a_user_saw(tree, root):
    await put(tree, root, "f", "one")

    async def seen(user):
        return [node.seen async for node in tree.children(user=user)]

    assert await seen("alice") == [None]
    file = (await tree.lineage((await tree.child(root.id, "f", folder=False)).id))[0]
    await tree.mark_seen(file.id, user="alice")
    assert (await seen("alice"), await seen("bob"), await seen(None)) == ([True], [None], [None])
    await put(tree, root, "f", "two")
    assert await seen("alice") == [False]
    await tree.mark_seen(file.id, user="alice", version=2)
    await tree.mark_seen(file.id, user="alice", version=1)
    assert await seen("alice") == [True]


async def test_metadata_is_added_to_a_version(tree, other, root):
    result = await tree.record(root.id, "f", blob(), user="alice")
    await tree.set_metadata(result.version_id, {"vault": "v1"})
    with pytest.raises(NotFound):
        await other.set_metadata(result.version_id, {"vault": "v2"})
    with pytest.raises(NotFound):
        await tree.set_metadata("0" * 24, {})


async def test_blobs_are_referenced_as_long_as_a_live_file_needs_them(trees, tree, root):
    file = await put(tree, root, "f", "one")
    await put(tree, root, "f", "two")
    copied = await tree.copy(file.id, into(root, "g"), user="alice")
    objects = [blob(content).object for content in ("one", "two", "three")]
    await tree.delete(file.id, user="alice")
    assert await trees.referenced(objects) == set(objects[:2])
    await tree.delete(copied.id, user="alice")
    assert await trees.referenced(objects) == set()


async def test_a_page_of_a_folder_goes_on_after_a_key(tree, root):
    await tree.make_folder(root.id, "d", user=None)
    for number in range(4):
        await put(tree, root, f"f{number}", number)
    first = await tree.brief_children(root.id, limit=3)
    rest = await tree.brief_children(root.id, after=first[-1].key)
    rows = first + rest
    assert [row.node.name for row in rows] == ["d", "f0", "f1", "f2", "f3"]
    assert rows[0].location is None
    assert rows[1].location.object == blob("0").object
