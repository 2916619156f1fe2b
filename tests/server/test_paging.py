"""Pages and order of listings."""

import base64
import json
from dataclasses import replace

import pytest

from tests.harness import BASE
from waterbutler.core import Entry, Path
from waterbutler.server import paging
from waterbutler.server.query import Query
from waterbutler.testing.memory import MemoryProvider


async def walk(server, target):
    """All pages, each as its names."""
    pages = []
    while target is not None:
        reply = await server.get(target)
        assert reply.status == 200
        document = reply.json
        pages.append([entry["attributes"]["name"] for entry in document["data"]])
        following = document["links"]["next"]
        assert following is None or following.startswith(server.url)
        target = following.removeprefix(server.url) if following else None
    return pages


async def test_pages(server):
    """In the order of names, however the storage lists them."""
    for name in ("d", "b", "a", "e", "c"):
        await server.have(f"/f ü/{name}")
    assert await walk(server, f"{BASE}/f%20%C3%BC/?page[size]=2") == [["a", "b"], ["c", "d"], ["e"]]
    assert await walk(server, f"{BASE}/f%20%C3%BC/?page%5Bsize%5D=5") == [["a", "b", "c", "d", "e"]]
    assert await walk(server, f"{BASE}/f%20%C3%BC/?page[size]=1000") == [["a", "b", "c", "d", "e"]]


async def test_a_page_of_nothing(server):
    """Is empty and the last one."""
    assert await walk(server, f"{BASE}/?page[size]=2") == [[]]


async def test_a_full_last_page(server):
    """There is no empty page behind it."""
    for name in "abcd":
        await server.have(f"/{name}")
    assert await walk(server, f"{BASE}/?page[size]=2") == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize(
    ("sort", "wanted"),
    [
        ("name", ["B", "a", "b", "folder", "z"]),
        ("-name", ["z", "folder", "b", "a", "B"]),
        ("size", ["folder", "b", "z", "B", "a"]),
        ("-size", ["a", "B", "z", "b", "folder"]),
        ("modified", ["a", "b", "B", "folder", "z"]),
        ("-modified", ["z", "folder", "B", "b", "a"]),
        ("kind", ["folder", "B", "a", "b", "z"]),
        ("-kind", ["z", "b", "a", "B", "folder"]),
    ],
)
@pytest.mark.parametrize("size", [None, 1, 2, 3, 5, 100])
async def test_order(server, sort, wanted, size):
    """By any field, upwards and downwards, on any number of pages."""
    for name, data in (("a", b"333"), ("b", b""), ("B", b"22")):
        await server.have(f"/{name}", data)
    await server.have("/folder/")
    await server.have("/z", b"1")
    target = f"{BASE}/?sort={sort}"
    if size is None:
        names = [entry["attributes"]["name"] for entry in (await server.get(target)).data]
    else:
        pages = await walk(server, f"{target}&page[size]={size}")
        assert all(len(page) == size for page in pages[:-1])
        names = [name for page in pages for name in page]
    assert names == wanted


async def test_what_comes_and_goes_between_pages(server):
    """Neither hides nor repeats anything else."""
    for name in ("b", "d", "f", "h"):
        await server.have(f"/{name}")
    first = (await server.get(f"{BASE}/?page[size]=2")).json
    await server.storages["memory"].delete(Path.parse("/d"))
    await server.have("/a")
    await server.have("/e")
    rest = await walk(server, first["links"]["next"].removeprefix(server.url))
    assert rest == [["e", "f"], ["h"]]


class Sharing(MemoryProvider):
    """Shows each file also as a folder of the same name."""

    capabilities = replace(MemoryProvider.capabilities, duplicate_names=True)

    async def list(self, path):
        async for entry in super().list(path):
            yield entry
            yield Entry(path=entry.path.as_folder())


async def test_names_that_two_things_have(make_server):
    """Both appear, once each."""
    server = await make_server(storages={"memory": Sharing()})
    for name in "abc":
        await server.have(f"/{name}")
    for size in (1, 2, 3):
        pages = await walk(server, f"{BASE}/?page[size]={size}")
        assert [name for page in pages for name in page] == ["a", "a", "b", "b", "c", "c"]


def cursor(*values):
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "query",
    [
        "page[size]=0",
        "page[size]=-1",
        "page[size]=1001",
        "page[size]=x",
        "page[size]=1.5",
        "page[size]=٣",
        "page[size]=" + "9" * 5000,
        "page[size]=2&page[after]=nonsense",
        "page[size]=2&page[after]=!!!!",
        "page[size]=2&page[after]=é",
        "page[after]=W10",
        f"page[after]={cursor('a', 'a')}",
        f"page[after]={cursor(1, 'a', False)}",
        f"page[after]={cursor('a', 1, False)}",
        f"page[after]={cursor('a', 'a', 'false')}",
        f"page[after]={cursor('a', 'a', False, 1)}",
        f"sort=size&page[after]={cursor('a', 'a', False)}",
        f"sort=kind&page[after]={cursor(5, 'a', False)}",
        f"sort=modified&page[after]={cursor(None, 'a', False)}",
        "sort=nonsense",
        "sort=-",
        "sort=--name",
        "sort=name,size",
        "page[after]=" + base64.urlsafe_b64encode(b"[" * 5000).decode(),
    ],
)
async def test_questions_that_make_no_sense(server, query):
    """400."""
    reply = await server.get(f"{BASE}/?{query.encode().decode('latin-1')}")
    assert reply.status == 400
    assert reply.message


@pytest.mark.parametrize("query", ["page[size]=", "page[after]=", "sort=", "page[size]&sort"])
async def test_empty_is_absent(server, query):
    """The plain listing."""
    reply = await server.get(f"{BASE}/?{query}")
    assert reply.status == 200
    assert set(reply.json) == {"data"}


async def test_a_cursor_may_be_of_something_that_is_gone(server):
    """It says where to go on, not from what."""
    await server.have("/c")
    assert await walk(server, f"{BASE}/?page[size]=2&page[after]={cursor('b', 'b', False)}") == [
        ["c"]
    ]


class Counted(dict):
    """Knows how many of its kind there are."""

    alive = 0
    most = 0

    def __init__(self):
        super().__init__()
        Counted.alive += 1
        Counted.most = max(Counted.most, Counted.alive)

    def __del__(self):
        Counted.alive -= 1


async def test_memory_grows_with_the_page():
    """Not with the folder."""

    async def source():
        for number in range(20_000):
            yield Entry(path=Path.parse(f"/{number:05}"), extra=Counted())

    asked = paging.parse_paging(Query("page[size]=3&sort=-name"))
    entries = await paging.page(source, asked, 3)
    assert [entry.name for entry in entries] == ["19999", "19998", "19997"]
    assert 3 < Counted.most < 100


async def test_a_large_folder_in_order():
    """From several passes, each entry once."""

    async def source():
        for number in reversed(range(11_000)):
            yield Entry(path=Path.parse(f"/{number:05}"), size=number % 7)

    asked = paging.parse_paging(Query("sort=size"))
    found = [entry async for entry in paging.in_order(source, asked)]
    assert len(found) == 11_000
    assert found == sorted(found, key=lambda entry: (entry.size, entry.name))
