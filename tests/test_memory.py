"""Memory that is kept at hand, and given back."""

import asyncio
import contextlib
import ctypes
import subprocess
import sys

import pytest

from waterbutler.app import memory

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="says how Linux does it")
BLOCKS = """
import resource
from waterbutler.app import memory
{arrange}
def use():
    for _ in range(50):
        [b"x" * (1 << 20) for _ in range(6)]
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(arrange):
    """How many pages the system has to make for blocks that come and go."""
    program = BLOCKS.format(arrange=arrange)
    made = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return int(made.stdout)


@LINUX
def test_blocks_are_used_again():
    """The system makes their pages once."""
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        pytest.skip("the C library is another one")
    assert faults("memory.arrange()") < 100 < faults("")


async def test_it_is_given_back_again_and_again(monkeypatch):
    """As long as the process serves."""
    given = []
    monkeypatch.setattr(memory, "PAUSE", 0.001)
    monkeypatch.setattr(memory, "_function", lambda _: given.append)
    task = asyncio.create_task(memory.tidy())
    async with asyncio.timeout(20):
        while len(given) < 3:
            await asyncio.sleep(0.001)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert set(given) == {0}


async def test_where_nobody_can_be_told(monkeypatch):
    """It is left as it is."""
    monkeypatch.setattr(memory, "_function", lambda _: None)
    memory.arrange()
    async with asyncio.timeout(20):
        await memory.tidy()
