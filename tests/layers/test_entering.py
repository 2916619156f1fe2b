"""The way into a storage, also where it ends halfway."""

import asyncio

import pytest

from tests.waiting import until
from waterbutler.auth import AuthChain
from waterbutler.core import Action, Grant, Identity, Path, User
from waterbutler.core.errors import Forbidden, NotFound
from waterbutler.mounts import Use, _Opened
from waterbutler.service import Butler, Place
from waterbutler.testing.memory import MemoryProvider

PLACE = Place("r", "m", Path.parse("/a"))


class Anyone:
    """Lets everybody in, or nobody."""

    refuses = False

    async def authorize(self, request):
        if self.refuses:
            raise Forbidden("No.")
        return Grant(user=User(), provider="memory")


class Storage(MemoryProvider):
    """Finds nothing, or takes for ever."""

    failure = None

    async def locate(self, wire):
        if self.failure is not None:
            await self.failure()
        return wire


class OneMount:
    """Opens one storage for everybody."""

    def __init__(self):
        self.opened = _Opened(Storage())
        self.trimmed = 0

    def use(self, grant, *, resource, name):
        assert (resource, name) == ("r", "m")
        return Use(self.opened, self._trim)

    def _trim(self):
        self.trimmed += 1


@pytest.fixture
def handler():
    return Anyone()


@pytest.fixture
def mounts():
    return OneMount()


@pytest.fixture
def enter(handler, mounts):
    butler = Butler(AuthChain([handler]), mounts)
    return lambda: butler.enter(PLACE, Action.METADATA, Identity())


async def test_a_storage_is_in_use_as_long_as_somebody_is_in_it(enter, mounts):
    async with enter() as room:
        assert (room.place, room.path, room.provider) == (PLACE, PLACE.path, mounts.opened.provider)
        async with enter():
            assert mounts.opened.users == 2
        assert mounts.opened.users == 1
    assert (mounts.opened.users, mounts.trimmed) == (0, 2)


async def test_an_error_inside_is_passed_on(enter, mounts):
    with pytest.raises(ZeroDivisionError):
        async with enter():
            raise ZeroDivisionError
    assert mounts.opened.users == 0


async def test_who_may_not_enter_opens_nothing(enter, mounts, handler):
    handler.refuses = True
    with pytest.raises(Forbidden):
        await enter().__aenter__()
    assert (mounts.opened.users, mounts.trimmed) == (0, 0)


async def test_a_path_that_is_not_found(enter, mounts):
    """The storage is let go of."""

    async def fail():
        raise NotFound("No such id.")

    mounts.opened.provider.failure = fail
    with pytest.raises(NotFound):
        await enter().__aenter__()
    assert (mounts.opened.users, mounts.trimmed) == (0, 1)


async def test_who_goes_away_on_the_threshold(enter, mounts):
    """The storage is let go of, too."""
    mounts.opened.provider.failure = lambda: asyncio.sleep(60)
    task = asyncio.create_task(enter().__aenter__())
    await until(lambda: mounts.opened.users == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (mounts.opened.users, mounts.trimmed) == (0, 1)
