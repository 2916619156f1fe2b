"""Blocks that wait to be sent: in memory, or in files where there is none left."""

import asyncio
import errno
import gc
import hashlib
import os
import zlib

import pytest

from waterbutler.core.errors import ProviderUnavailable, QuotaExceeded
from waterbutler_s3 import blocks
from waterbutler_s3.blocks import BUDGET, SMALL, Block, InFile, InMemory

DATA = bytes(range(256)) * 2000
SIZES = [0, 1, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL, len(DATA)]


@pytest.fixture
def make(tmp_path):
    def make(kind, digests=frozenset({"md5", "sha256", "crc32"})):
        return InMemory(0, digests) if kind == "memory" else InFile(tmp_path, digests)

    return make


async def filled(block, data, step=10_007):
    for start in range(0, len(data), step):
        await block.add(data[start : start + step])
    await block.ready()
    return block


def open_files(folder):
    gc.collect()
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return [link for link in links if os.path.islink(link) and str(folder) in os.readlink(link)]


@pytest.mark.parametrize("kind", ["memory", "file"])
@pytest.mark.parametrize("size", SIZES)
async def test_what_was_put_in_comes_out_again_and_again(make, kind, size):
    data = DATA[:size]
    block = await filled(make(kind), data)
    assert block.size == size
    assert block.md5 == hashlib.md5(data).digest()
    assert block.sha256 == hashlib.sha256(data).hexdigest()
    assert int.from_bytes(block.crc32, "big") == zlib.crc32(data)
    for _ in range(2):
        assert await block.stream().read(len(DATA)) == data
    block.close()
    block.close()


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_only_what_is_wanted_is_computed(make, kind):
    block = await filled(make(kind, {"sha256"}), DATA)
    assert (block.md5, block.sha256) == (None, hashlib.sha256(DATA).hexdigest())
    block = await filled(make(kind, {"md5"}), DATA)
    assert (block.md5, block.sha256) == (hashlib.md5(DATA).digest(), None)
    await block.ready()
    block = await filled(make(kind, set()), DATA)
    assert (block.md5, block.sha256, block.crc32) == (None, None, None)


async def test_the_file_has_no_name_and_goes_with_the_block(make, tmp_path):
    block = await filled(make("file"), DATA)
    assert os.listdir(tmp_path) == []
    assert len(open_files(tmp_path)) == 1
    block.close()
    # The thread that wrote last may have it for a moment more.
    for _ in range(500):
        if not open_files(tmp_path):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(open_files(tmp_path))


async def test_a_file_takes_bytes_one_by_one(make):
    """The system takes no more than 1024 pieces in one call."""
    data = DATA[: SMALL + 5]
    block = await filled(make("file"), data, step=1)
    assert await block.stream().read(len(DATA)) == data
    block.close()


async def test_a_small_block_needs_no_file(make, tmp_path):
    block = await filled(make("file"), DATA[: SMALL - 1])
    assert open_files(tmp_path) == []
    block.close()


async def test_a_folder_that_is_not_there(tmp_path):
    """Another one will do."""
    for folder in (None, tmp_path / "nothing"):
        block = await filled(InFile(folder, {"sha256"}), DATA)
        assert await block.stream().read(len(DATA)) == DATA
        block.close()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, QuotaExceeded),
        (errno.EDQUOT, QuotaExceeded),
        (errno.EMFILE, ProviderUnavailable),
    ],
)
async def test_a_file_that_cannot_be_written(make, monkeypatch, number, kind):
    """It is said as what it is, and nothing of the machine is told."""

    def fail(*_args):
        raise OSError(number, "no", "/secret/path")

    monkeypatch.setattr(blocks.os, "writev", fail)
    block = make("file")
    with pytest.raises(kind) as caught:
        await filled(block, DATA)
    assert "secret" not in caught.value.message
    block.close()


async def test_writing_less_than_was_asked_for(make, monkeypatch):
    """As a full disk or a signal makes the system do."""
    real = os.writev
    monkeypatch.setattr(
        blocks.os, "writev", lambda fd, left: real(fd, [memoryview(left[0])[:1000]])
    )
    block = await filled(make("file"), DATA)
    assert await block.stream().read(len(DATA)) == DATA
    block.close()


async def test_memory_is_given_back_once():
    before = BUDGET.left
    assert BUDGET.take(1000)
    block = InMemory(1000, set())
    await block.add(b"x")
    assert BUDGET.left == before - 1000
    block.close()
    block.close()
    assert BUDGET.left == before
    assert not BUDGET.take(before + 1)
    assert BUDGET.left == before


async def test_a_block_of_bytes():
    block = await Block.of([b"ab", b"c"])
    assert await block.stream().read(10) == b"abc"
    assert block.sha256 == hashlib.sha256(b"abc").hexdigest()
