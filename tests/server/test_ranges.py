"""Parts of files."""

from dataclasses import replace

import pytest

from tests.harness import ALICE, BASE
from waterbutler.core import Content, Path
from waterbutler.testing.memory import MemoryProvider

DATA = b"0123456789"


class FromTheStart(MemoryProvider):
    """Can only be read from the start."""

    capabilities = replace(MemoryProvider.capabilities, ranged_read=False)

    async def read(self, path: Path, *, range=None, version=None) -> Content:
        assert range is None
        return await super().read(path, version=version)


@pytest.fixture(params=[MemoryProvider, FromTheStart])
def ranged(request, make_server, io_loop):
    """Servers over storages that can and cannot read parts."""
    return io_loop.run_sync(lambda: make_server(storages={"memory": request.param()}))


@pytest.mark.parametrize(
    ("header", "body", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=3-5", b"345", "bytes 3-5/10"),
        ("bytes=9-9", b"9", "bytes 9-9/10"),
        ("bytes=9-", b"9", "bytes 9-9/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=0-", DATA, "bytes 0-9/10"),
        ("bytes=0-9", DATA, "bytes 0-9/10"),
        ("bytes=0-10", DATA, "bytes 0-9/10"),
        ("bytes=5-99999999999999999999999999", b"56789", "bytes 5-9/10"),
        ("bytes=-1", b"9", "bytes 9-9/10"),
        ("bytes=-4", b"6789", "bytes 6-9/10"),
        ("bytes=-10", DATA, "bytes 0-9/10"),
        ("bytes=-11", DATA, "bytes 0-9/10"),
        ("bytes=-99999999999999999999999999", DATA, "bytes 0-9/10"),
        (" bytes = 2 - 3 ", b"23", "bytes 2-3/10"),
        ("BYTES=2-3", b"23", "bytes 2-3/10"),
    ],
)
async def test_a_part_is_sent(ranged, header, body, content_range):
    """First to last, from the first on, or the last ones."""
    await ranged.have("/a.bin", DATA)
    reply = await ranged.get(f"{BASE}/a.bin", {"Range": header})
    assert (reply.status, reply.body, reply.whole) == (206, body, True)
    assert reply.headers["Content-Range"] == content_range
    assert reply.headers["Content-Length"] == str(len(body))
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert reply.headers["Repr-Digest"].startswith("sha-256=:"), "it is of the whole file"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=--5",
        "bytes=1-2,4-5",
        "bytes=0-1, -1",
        "bytes=1.5-2",
        "bytes=+1-2",
        "bytes=٣-٤".encode().decode("latin-1"),
        "items=0-1",
        "0-1",
        "bytes: 0-1",
    ],
)
async def test_what_is_no_single_range_of_bytes_is_ignored(ranged, header):
    """The whole file is always a right answer."""
    await ranged.have("/a.bin", DATA)
    reply = await ranged.get(f"{BASE}/a.bin", {"Range": header})
    assert (reply.status, reply.body) == (200, DATA)
    assert "Content-Range" not in reply.headers


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=99-", "bytes=-0"])
async def test_beyond_the_end_is_416(ranged, header):
    """With the size, so that the client can ask again."""
    await ranged.have("/a.bin", DATA)
    reply = await ranged.get(f"{BASE}/a.bin", {"Range": header})
    assert reply.status == 416
    assert reply.message
    assert reply.headers["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-5", "bytes=7-"])
async def test_an_empty_file_is_sent_whole(ranged, header):
    """It has no part, and clients that always ask for a part are not to fail on it."""
    await ranged.have("/empty", b"")
    reply = await ranged.get(f"{BASE}/empty", {"Range": header})
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Length"] == "0"


async def test_a_part_of_a_large_file(ranged):
    """Across many chunks."""
    data = bytes(range(256)) * 4000
    await ranged.have("/big.bin", data)
    reply = await ranged.get(f"{BASE}/big.bin", {"Range": "bytes=100000-900000"})
    assert reply.body == data[100000:900001]


async def test_a_part_of_an_old_version(server):
    """Both at once."""
    await server.have("/a.bin", b"old content")
    await server.have("/a.bin", b"new")
    versions = (await server.get(f"{BASE}/a.bin?versions")).data
    target = f"{BASE}/a.bin?version={versions[1]['id']}"
    reply = await server.get(target, {"Range": "bytes=4-"})
    assert (reply.status, reply.body) == (206, b"content")


async def test_parts_leave_the_connection_usable(ranged):
    """The rest of the file is not sent, and not waited for."""
    await ranged.have("/big.bin", b"x" * 1_000_000)
    async with ranged.connection() as connection:
        for start in (0, 999_999, 1_000_000, 500_000):
            headers = {**ALICE, "Range": f"bytes={start}-{start + 9}"}
            reply = await connection.request("GET", f"{BASE}/big.bin", headers)
            assert reply.status == (206 if start < 1_000_000 else 416)


# -- If-Range --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("{tag}", 206),
        ('"other"', 200),
        ("W/{tag}", 200),
        ("{date}", 206),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 200),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 200),
        ("nonsense", 200),
        ("*", 200),
    ],
)
async def test_a_part_only_of_the_same_file(ranged, value, status):
    """``If-Range``: a strong tag or the exact date, else the whole file."""
    await ranged.have("/a.bin", DATA)
    known = (await ranged.get(f"{BASE}/a.bin")).headers
    value = value.format(tag=known["ETag"], date=known["Last-Modified"])
    reply = await ranged.get(f"{BASE}/a.bin", {"Range": "bytes=2-3", "If-Range": value})
    assert (reply.status, reply.body) == (status, b"23" if status == 206 else DATA)
    beyond = await ranged.get(f"{BASE}/a.bin", {"Range": "bytes=20-", "If-Range": value})
    assert (beyond.status, beyond.body == DATA) == (416 if status == 206 else 200, status == 200)


@pytest.mark.parametrize("header", ["bytes=2-3", "bytes=20-"])
async def test_conditions_come_before_ranges(ranged, header):
    """Who has the file gets no part of it, and who wants another state neither."""
    await ranged.have("/a.bin", DATA)
    tag = (await ranged.get(f"{BASE}/a.bin")).headers["ETag"]
    same = await ranged.get(f"{BASE}/a.bin", {"Range": header, "If-None-Match": tag})
    assert same.status == 304
    other = await ranged.get(f"{BASE}/a.bin", {"Range": header, "If-Match": '"other"'})
    assert other.status == 412
