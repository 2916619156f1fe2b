"""Work that is broken off, at whatever moment, is gone without a search for garbage."""

import asyncio
import contextlib
from functools import partial

import pytest

from tests.engine.support import fill, path
from tests.garbage import garbage
from waterbutler.core import ROOT
from waterbutler.core.errors import ProviderUnavailable, WaterButlerError
from waterbutler.engine.archive import zip_folder
from waterbutler.engine.transfer import copy, move
from waterbutler.engine.walk import walk
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider

FILES = {"file": b"some text", "e/": None}


async def walked(storage):
    async with contextlib.aclosing(walk(storage, ROOT)) as found:
        async for _ in found:
            pass


async def packed(storage):
    async with zip_folder(storage, ROOT) as stream:
        async for _ in stream:
            pass


async def copied(storage, step=copy):
    await step(storage, path("/f/"), MemoryProvider(), path("/g/"))


WORK = {"walk": walked, "archive": packed, "copy": copied, "move": partial(copied, step=move)}


@pytest.fixture(params=WORK)
def work(request):
    return WORK[request.param]


TREE = {f"/f/d{number}/{name}": data for number in range(4) for name, data in FILES.items()}


async def filled():
    return FlakyProvider(await fill(MemoryProvider(), TREE), opaque=True)


@pytest.mark.parametrize("moment", range(0, 240, 12))
async def test_broken_off(work, moment):
    """After so many turns of the event loop; it may have ended before."""
    storage = await filled()
    await work(await filled())
    with garbage() as found:
        task = asyncio.create_task(work(storage))
        for _ in range(moment):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        del task
    assert not found, found


@pytest.mark.parametrize("operation", ["list", "read"])
@pytest.mark.parametrize("call", [1, 4])
async def test_failed(work, operation, call):
    """A call of the storage; not every work makes it."""
    storage = await filled()
    await work(await filled())
    storage.fail(operation, ProviderUnavailable("down"), at=call, times=100)
    with garbage() as found, contextlib.suppress(WaterButlerError):
        await work(storage)
    assert not found, found
