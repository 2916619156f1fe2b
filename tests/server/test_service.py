"""The use cases without HTTP: what a dialect may rely on, whatever it has checked before."""

from pathlib import Path as FsPath

import pytest

from tests.harness import LiveServer
from waterbutler.core import Action, ByteStream, Conflict, Identity, Path, WriteMode
from waterbutler.core.errors import AlreadyExists, InvalidRequest, NotFound
from waterbutler.service import Place, always

ALICE = Identity(authorization="Bearer alice-token-71c2")
ROOT = Place("guid0", "memory", Path())


@pytest.fixture
def butler(server: LiveServer):
    assert server.data == FsPath("/nonexistent")
    return server.context.butler


async def test_a_root_is_not_renamed_or_moved(butler):
    """And copied only under a name."""
    async with butler.enter(ROOT, Action.MOVE_FROM, ALICE) as root:
        for call in (
            lambda: butler.rename(root, "x", Conflict.WARN),
            lambda: butler.move(root, root, "x", Conflict.WARN),
            lambda: butler.copy(root, root, None, Conflict.WARN),
        ):
            with pytest.raises(InvalidRequest):
                await call()


async def test_a_name_that_is_taken_by_something_unknown(butler, server):
    """The error says what can be said."""
    refusal = AlreadyExists("Something has that name.")

    async def write(path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        raise refusal

    async def make_folder(path):
        raise refusal

    server.storage.write, server.storage.make_folder = write, make_folder
    async with butler.enter(ROOT, Action.CREATE_FILE, ALICE) as root:
        upload = await butler.begin_upload(root, "a.txt", always)
        for call in (
            lambda: butler.finish_upload(upload, ByteStream.of(b"x"), always),
            lambda: butler.make_folder(root, "f"),
        ):
            with pytest.raises(AlreadyExists) as raised:
                await call()
            assert raised.value.entry is None
            assert raised.value.message == "Something has that name."


async def test_a_folder_that_somebody_else_made(butler, server):
    """Between the look and the making: the error shows it."""
    make_folder = server.storage.inner.make_folder

    async def late(path):
        await make_folder(path)
        return await make_folder(path)

    server.storage.inner.make_folder = late
    async with butler.enter(ROOT, Action.CREATE_FOLDER, ALICE) as root:
        with pytest.raises(AlreadyExists) as raised:
            await butler.make_folder(root, "f")
    assert raised.value.entry.path == Path.parse("/f/")


async def test_the_name_of_an_upload_is_checked_against_the_folder(butler, server):
    """The body is not touched before."""
    body = ByteStream.of(b"x")
    async with butler.enter(ROOT, Action.CREATE_FILE, ALICE) as root:
        upload = await butler.begin_upload(root, "a.txt", always)
        assert upload.created
        assert not body.started
        await butler.finish_upload(upload, body, always)
    missing = Place("guid0", "memory", Path.parse("/missing/"))
    async with butler.enter(missing, Action.CREATE_FILE, ALICE) as folder:
        with pytest.raises(NotFound):
            await butler.begin_upload(folder, "a.txt", always)
