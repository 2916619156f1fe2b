"""Times that clients give to their files."""

import hashlib
import time
from dataclasses import replace

import pytest

from tests.gateway.client import SECOND, Gateway, Segments
from tests.harness import TOKENS
from tests.web.browser import Browser
from waterbutler.testing.memory import MemoryProvider
from waterbutler_filesystem import FilesystemProvider, FilesystemSettings

PLACE = {"resource": "guid0", "provider": "memory"}
PAST = 1_000_000_000_123
MOMENTS = [0, -1_001, PAST, 2_000_000_000_987]
DATA = b"0123456789" * 100


class Forgetful(MemoryProvider):
    """Has its own times only."""

    capabilities = replace(MemoryProvider.capabilities, keeps_modified=False)


def make_storage(kind, folder):
    if kind == "filesystem":
        settings = FilesystemSettings(folder=str(folder), create=True)
        return FilesystemProvider("filesystem", settings, "a folder")
    return MemoryProvider() if kind == "memory" else Forgetful()


@pytest.fixture
def open_client(make_server, tmp_path):
    """Signs alice in to a storage of some kind."""

    async def go(kind, words):
        server = await make_server(storages={"memory": make_storage(kind, tmp_path / "files")})
        return await Gateway(server, words).sign_in(TOKENS["alice"], **PLACE)

    return go


@pytest.fixture(params=["memory", "filesystem"])
def client(request, open_client, words, io_loop):
    """Of a storage that keeps times."""
    return io_loop.run_sync(lambda: open_client(request.param, words))


@pytest.fixture
def forgetful(open_client, words, io_loop):
    """Of a storage that keeps none."""
    return io_loop.run_sync(lambda: open_client("forgetful", words))


def is_now(moment):
    return abs(moment / 1000 - time.time()) < 600


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_time_of_an_upload_is_kept(client, moment):
    made = await client.upload(client.root, "a", b"1", modified=moment)
    assert made.modified == moment
    assert await client.describe(made.id) == made
    assert (await client.children(client.root))["a"] == made


async def test_the_time_of_an_update_is_kept(client):
    """Other content of the same size and time has another mark."""
    made = await client.upload(client.root, "a", b"one", modified=PAST)
    changed = await client.update(made.id, b"two", modified=PAST)
    assert changed.modified == PAST
    assert changed.etag != made.etag
    changed = await client.update(made.id, b"two", modified=PAST + 1)
    assert changed.modified == PAST + 1
    assert await client.describe(made.id) == changed


async def test_without_a_time_it_is_now(client):
    made = await client.upload(client.root, "a", b"1", modified=None)
    assert is_now(made.modified)
    await client.update(made.id, b"2", modified=PAST)
    assert is_now((await client.update(made.id, b"3", modified=None)).modified)


async def test_a_new_name_changes_no_time(client, words):
    made = await client.upload(client.root, "a", b"1", modified=PAST)
    renamed = await client.ask("rename", made.id, {words["new_name"]: "b"})
    assert client.meta(renamed.json).modified == PAST


@pytest.mark.parametrize("moment", [250_000_000_000_000, -62_000_000_000_000])
async def test_a_time_that_is_not_kept_exactly_is_not_echoed(client, moment):
    """What is answered is what the next answer shows as well."""
    made = await client.upload(client.root, "a", b"1", modified=moment)
    assert (await client.describe(made.id)).modified == made.modified


async def test_a_storage_without_times_of_clients_shows_its_own(forgetful):
    made = await forgetful.upload(forgetful.root, "a", b"1", modified=PAST)
    assert is_now(made.modified)
    changed = await forgetful.update(made.id, b"2", modified=PAST)
    assert is_now(changed.modified)
    assert await forgetful.describe(made.id) == changed


@pytest.mark.parametrize("kind", ["memory", "filesystem"])
@pytest.mark.parametrize("whole", [True, False], ids=["with a digest", "without"])
@pytest.mark.parametrize(
    ("said", "kept"), [(PAST, PAST), (PAST + 1, PAST + 1), (None, 1_600_000_000_000)]
)
async def test_the_time_of_segments_is_that_of_their_end(open_client, kind, whole, said, kept):
    """Or that of their beginning, where the end says none; whoever keeps the segments."""
    client = await open_client(kind, SECOND)
    upload = Segments(client, DATA, 300, parent=client.root, name="a")
    digest = {SECOND["sha256"]: hashlib.sha256(DATA).hexdigest()} if whole else {}
    assert (await upload.begin(**digest)).status == 200
    for number in (1, 2, 3, 4):
        assert (await upload.send(number)).status == 200
    made = client.meta((await upload.finish(**{SECOND["modified"]: said})).json)
    assert made.modified == kept
    assert await client.describe(made.id) == made
    assert await client.download(made.id) == DATA


async def test_a_storage_without_times_shows_its_own_for_segments(open_client):
    client = await open_client("forgetful", SECOND)
    upload = Segments(client, b"x", 300, parent=client.root, name="a")
    await upload.begin()
    await upload.send(1)
    made = client.meta((await upload.finish()).json)
    assert is_now(made.modified)
    assert await client.describe(made.id) == made


@pytest.mark.parametrize("moment", [-62_135_596_800_000, 253_402_300_799_999, -1])
@pytest.mark.parametrize("kind", ["memory", "filesystem"])
async def test_no_time_is_too_odd_to_be_shown(open_client, kind, moment):
    """By downloads, archives, the other interfaces and their lists."""
    client = await open_client(kind, SECOND)
    made = await client.upload(client.root, "a", b"data", modified=moment)
    assert await client.download(made.id) == b"data"
    v1 = "/v1/resources/guid0/providers/memory/"
    for url in (
        *(f"{v1}a", f"{v1}a?meta=", f"{v1}a?zip=", f"{v1}?zip=", v1, f"{v1}?sort=modified"),
        f"{v1}a?revisions=",
    ):
        reply = await client.server.get(url)
        assert reply.status == 200, url
        assert reply.whole
    headers = {"If-Modified-Since": "Sun, 09 Sep 2001 01:46:40 GMT"}
    assert (await client.server.get(f"{v1}a", headers)).status in {200, 304}
    browser = Browser(client.server)
    await browser.sign_in("alice")
    page = await browser.open("/files/guid0/memory/?sort=-modified")
    assert page.status == 200
