"""A server with the gateway API, and clients of it in both vocabularies."""

import pytest

from tests.gateway.client import VOCABULARIES, Gateway
from tests.harness import TOKENS
from tests.server.conftest import complaints, expected, log  # noqa: F401
from tests.server.conftest import make_server as make_plain_server  # noqa: F401
from waterbutler.segments import SegmentUploads
from waterbutler.server.context import GatewayServices
from waterbutler.thumbnails import Thumbnails
from waterbutler.tokens import TokenStore

PREFIX = "/gateway/guid0/memory"


@pytest.fixture
def services(tmp_path, io_loop):
    """What the API needs, in a folder of the test's own."""
    found = GatewayServices(
        tokens=TokenStore(tmp_path / "tokens.db", access_seconds=3600, refresh_seconds=86400),
        thumbnails=Thumbnails(tmp_path / "thumbnails"),
        segments=SegmentUploads(
            tmp_path / "segments.db", tmp_path / "segments", quota=64 << 20, per_owner=3
        ),
        segment_size=1 << 20,
    )
    yield found
    io_loop.run_sync(found.aclose)


@pytest.fixture
def make_server(make_plain_server, services):  # noqa: F811
    """Starts servers with the gateway API."""

    async def make(**changes):
        return await make_plain_server(**{"gateway": services, **changes})

    return make


@pytest.fixture
def server(make_server, io_loop):
    return io_loop.run_sync(make_server)


@pytest.fixture(params=VOCABULARIES)
def words(request):
    """Either vocabulary."""
    return VOCABULARIES[request.param]


@pytest.fixture
def sign_in(server, words):
    """Signs users in, to the mount ``memory`` of ``guid0`` if nothing else is said."""

    async def go(user="alice", prefix="", **where):
        if not prefix and not where:
            where = {"resource": "guid0", "provider": "memory"}
        return await Gateway(server, words, prefix).sign_in(TOKENS[user], **where)

    return go


@pytest.fixture
def alice(sign_in, io_loop):
    """Who may write."""
    return io_loop.run_sync(sign_in)


@pytest.fixture
def bob(sign_in, io_loop):
    """Who may only read."""
    return io_loop.run_sync(lambda: sign_in("bob"))


@pytest.fixture
def spooled(tmp_path):
    """The segments that lie here now."""
    return lambda: [file for file in (tmp_path / "segments").rglob("*") if file.is_file()]


@pytest.fixture
def held(server, spooled):
    """How many segments there are of unfinished uploads, wherever they are."""
    parts = server.storages["memory"]._uploads
    return lambda: len(spooled()) + sum(map(len, parts.values()))
