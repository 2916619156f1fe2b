"""Both kinds of rights in one server: its own resources, and those of a host."""

import pytest

from tests.fakes.osf_host import running_host
from tests.osf_server import BASE, OsfServer
from waterbutler.auth import ANYBODY, Account, Resource, Sessions, StaticHandler, digest
from waterbutler.core import AccessRequest, Action, Identity
from waterbutler.core.errors import NotFound, Unauthenticated

ASKED = AccessRequest(
    resource="elsewhere",
    provider="files",
    action=Action.METADATA,
    path="/",
    identity=Identity(authorization="Bearer of the host"),
)


def handler(*, passes_on: bool) -> StaticHandler:
    account = Account(id="alice", token_sha256=digest("t"))
    own = Resource(id="own", access={ANYBODY: False})
    return StaticHandler([account], [own], Sessions(bytes(16), lifetime=1), passes_on=passes_on)


async def test_other_resources_are_passed_on():
    """With whatever the client shows: it may be meant for the next handler."""
    assert await handler(passes_on=True).authorize(ASKED) is None
    with pytest.raises(Unauthenticated):
        await handler(passes_on=False).authorize(ASKED)


async def test_own_resources_are_not_passed_on():
    """Their users are known here, and so are their mounts."""
    own = AccessRequest(resource="own", provider="none", action=Action.METADATA, path="/")
    with pytest.raises(NotFound):
        await handler(passes_on=True).authorize(own)


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def server(io_loop, host, tmp_path):
    server = OsfServer(host, tmp_path, handlers=["static", "osf"])
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(server.stop)


async def test_both_in_one_server(server, host):
    """The own resource needs no host, the other one is the host's."""
    assert (await server.request("GET", f"{BASE}/")).status == 200
    assert host.names == ["auth", "E3"]
    own = "/v1/resources/own/providers/files/"
    assert (await server.request("GET", own, {"Authorization": None})).status == 200
    assert (await server.request("GET", own)).status == 401
    assert host.names == ["auth", "E3"]
