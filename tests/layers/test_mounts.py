"""Storages that are opened once and shared."""

import asyncio
from pathlib import Path as FsPath

import pytest

from tests.harness import captured_log
from waterbutler.core import Grant, User
from waterbutler.core.errors import ConfigInvalid, NotFound
from waterbutler.mounts import Mounts
from waterbutler.plugins import Context, Registry
from waterbutler.server.metrics import Metrics
from waterbutler.testing.memory import MemoryProvider


class Factory:
    """Opens storages that say when they are closed."""

    capabilities = MemoryProvider.capabilities

    def __init__(self, *, per_user=False, failing=False):
        self.per_user = per_user
        self.failing = failing
        self.opened = []
        self.closed = []

    def open(self, mount, context):
        if mount.settings.get("bad"):
            raise ConfigInvalid("The settings are invalid.")
        provider = MemoryProvider(mount.provider)
        self.opened.append(mount)

        async def aclose():
            await asyncio.sleep(0)
            self.closed.append(mount.name)
            if self.failing:
                raise OSError("It cannot be closed.")

        provider.aclose = aclose
        return provider


@pytest.fixture
def factory():
    return Factory()


def mounts_of(factory, keep=256):
    registry = Registry()
    registry.add("memory", factory)
    return Mounts(Context(registry, FsPath("/nonexistent")), Metrics(), keep=keep)


@pytest.fixture
def mounts(factory):
    return mounts_of(factory)


def grant(**changes):
    given = {"user": User(id="alice"), "provider": "memory", "settings": {"a": {"x": 1, "y": [2]}}}
    return Grant(**{**given, **changes})


async def opened(mounts, grant, resource="r", name="m"):
    async with mounts.use(grant, resource=resource, name=name) as provider:
        return provider


async def test_the_same_grant_gives_the_same_storage(mounts, factory):
    """Whoever asks, and in whatever order the settings stand."""
    first = await opened(mounts, grant())
    again = await opened(mounts, grant(settings={"a": {"y": [2], "x": 1}}, writable=True))
    other_user = await opened(mounts, grant(user=User(id="bob"), callback_url="x"))
    assert first is again is other_user
    assert len(factory.opened) == 1
    (mount,) = factory.opened
    assert (mount.provider, mount.resource, mount.name) == ("memory", "r", "m")
    assert mount.user.id is None


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"settings": {"a": {"x": 1, "y": [3]}}}, {}),
        ({"credentials": {"token": "new"}}, {}),
        ({"read_only": True}, {}),
        ({}, {"resource": "other"}),
        ({}, {"name": "other"}),
    ],
)
async def test_another_grant_gives_another_storage(mounts, changes, where):
    """If anything differs that the storage may depend on."""
    first = await opened(mounts, grant())
    assert await opened(mounts, grant(**changes), **where) is not first


async def test_storages_that_act_for_a_user(factory):
    """Are kept for each of them."""
    factory.per_user = True
    mounts = mounts_of(factory)
    first = await opened(mounts, grant())
    assert await opened(mounts, grant(user=User(id="bob"))) is not first
    assert await opened(mounts, grant()) is first
    assert [mount.user.id for mount in factory.opened] == ["alice", "bob"]


async def test_a_storage_for_reading(mounts):
    """Declares nothing else."""
    provider = await opened(mounts, grant(read_only=True))
    assert not provider.capabilities.write


async def test_too_many_are_closed(factory):
    """The longest unused first, and none that is in use."""
    mounts = mounts_of(factory, keep=2)
    async with mounts.use(grant(), resource="r", name="used"):
        for name in ("a", "b", "c"):
            await opened(mounts, grant(), name=name)
        await asyncio.sleep(0.01)
        assert factory.closed == ["a", "b"]
        await opened(mounts, grant(), name="c")
        assert len(factory.opened) == 4
    await opened(mounts, grant(), name="d")
    await asyncio.sleep(0.01)
    assert factory.closed == ["a", "b", "used"]
    await opened(mounts, grant(), name="a")
    assert [mount.name for mount in factory.opened] == ["used", "a", "b", "c", "d", "a"]
    await mounts.aclose()


async def test_all_are_closed_in_the_end(factory):
    """Also those that are just being closed."""
    mounts = mounts_of(factory, keep=1)
    for name in "abc":
        await opened(mounts, grant(), name=name)
    await mounts.aclose()
    assert sorted(factory.closed) == ["a", "b", "c"]
    await mounts.aclose()


async def test_a_storage_that_cannot_be_closed():
    """Keeps nobody from closing the others, and is in the log."""
    factory = Factory(failing=True)
    mounts = mounts_of(factory, keep=1)
    with captured_log() as log:
        for name in "abc":
            await opened(mounts, grant(), name=name)
        await mounts.aclose()
    assert sorted(factory.closed) == ["a", "b", "c"]
    assert [event["event"] for event in log] == ["storage not closed"] * 3


async def test_what_cannot_be_opened(mounts, factory):
    """Is said, and tried anew the next time."""
    for _ in range(2):
        with pytest.raises(ConfigInvalid):
            await opened(mounts, grant(settings={"bad": True}))
    with pytest.raises(NotFound):
        await opened(mounts, grant(provider="nothing"))
    assert not factory.opened


async def test_a_storage_is_used_while_somebody_is_in_it(factory):
    """An error of who is in it changes nothing."""
    mounts = mounts_of(factory, keep=0)

    async def fail():
        async with mounts.use(grant(), resource="r", name="m"):
            await opened(mounts, grant(), name="other")
            await asyncio.sleep(0.01)
            assert factory.closed == ["other"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await asyncio.sleep(0.01)
    assert factory.closed == ["other", "m"]
