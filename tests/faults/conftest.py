"""A world for each test, in which nothing is left behind."""

import gc
from contextlib import asynccontextmanager

import pytest

from tests.faults.world import LONG, World, hurry, nothing_leaks
from tests.long import TIMES
from tests.server.conftest import complaints, expected, log  # noqa: F401
from tests.servers.s3 import seaweedfs

LONG_FORM = bool(TIMES)
"""Whether there is time for all there is."""


@pytest.fixture
def world(io_loop, complaints, monkeypatch, tmp_path):  # noqa: F811
    """Opens worlds; afterwards they have left no descriptor open, and no task running."""

    @asynccontextmanager
    async def opened(*, silence=LONG, **changes):
        hurry(monkeypatch, silence)
        server = seaweedfs()
        gc.collect()
        with nothing_leaks():
            async with World(server, tmp_path, **changes) as found:
                yield found
            gc.collect()

    return opened
