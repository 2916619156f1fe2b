"""An embedded host for each test, on SQLite and on PostgreSQL."""

import hashlib
from collections import defaultdict
from contextlib import contextmanager

import pytest

from tests.host.serving import HostServer
from tests.servers import postgres
from waterbutler.core.filetree import Blob, Destination
from waterbutler.host import Database, EmbeddedTrees, copying, reading
from waterbutler.host.schema import nodes, resources, versions

DATABASES = ["sqlite", "postgresql"]


def blob(content="data", size=None, **changes):
    """A blob as the provider would have stored it."""
    data = str(content).encode()
    values = {
        "object": hashlib.sha256(data).hexdigest(),
        "service": "filesystem",
        "settings": {"provider": "filesystem", "folder": "/blobs"},
        "size": len(data) if size is None else size,
        "hashes": {name: hashlib.new(name, data).hexdigest() for name in ("md5", "sha256")},
    }
    return Blob(**{**values, **changes})


def into(folder, name, resource="guid0"):
    """Where something is moved or copied to."""
    return Destination(resource=resource, parent=folder.id, name=name)


async def names(tree, folder=None):
    """What is in a folder, folders with a slash."""
    found = [node async for node in tree.children(folder.id if folder else None)]
    return sorted(node.name + "/" * node.is_folder for node in found)


@contextmanager
def new_database(kind, folder):
    """The URL of an empty database of a kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/host.db"
    else:
        with postgres.database() as url:
            yield url


@pytest.fixture(params=DATABASES)
def url(request, tmp_path):
    """The URL of an empty database."""
    with new_database(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def small_pages(monkeypatch):
    """What is read in pages is read in small ones."""
    monkeypatch.setattr(reading, "PAGE", 5)
    monkeypatch.setattr(copying, "BATCH", 3)


@pytest.fixture
def limits():
    """How much each resource may hold; tests put numbers here."""
    return {}


@pytest.fixture
def trees(url, limits, io_loop):
    """All trees of a host; afterwards what is counted must be what is there."""
    made = EmbeddedTrees(Database(url, patience=5), limits=limits.get)
    yield made
    io_loop.run_sync(lambda: consistent(made))
    io_loop.run_sync(made.aclose)


@pytest.fixture
def tree(trees):
    """The tree of a resource."""
    return trees.tree("guid0")


@pytest.fixture
def root(tree, io_loop):
    """Its root."""
    return io_loop.run_sync(tree.item)


@pytest.fixture
def other(trees):
    """The tree of another resource."""
    return trees.tree("guid1")


async def consistent(trees):
    """Check what must be true of the tables whatever happened."""
    await trees.database.read(_check)


def _check(connection):
    rows = {row.seq: row for row in connection.execute(nodes.select())}
    live = {seq: row for seq, row in rows.items() if row.trashed is None}
    stored = defaultdict(list)
    for version in connection.execute(versions.select()):
        stored[version.node].append(version)
    for row in live.values():
        if row.parent is not None:
            above = live[row.parent]
            assert above.folder
            assert above.resource == row.resource
        numbers = sorted(version.number for version in stored[row.seq])
        assert numbers == list(range(1, row.versions + 1))
        seen, here = set(), row
        while here.parent is not None:
            assert here.seq not in seen, "a cycle"
            seen.add(here.seq)
            here = rows[here.parent]
    taken = [(row.resource, row.parent, row.name, row.folder) for row in live.values()]
    assert len(taken) == len(set(taken))
    for resource in connection.execute(resources.select()):
        used = sum(
            version.size
            for row in live.values()
            if row.resource == resource.id
            for version in stored[row.seq]
        )
        assert resource.used == used


@pytest.fixture
def host(tmp_path, io_loop):
    """An embedded host that is served."""
    server = HostServer(f"sqlite:///{tmp_path}/host.db")
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(lambda: consistent(server.trees))
    io_loop.run_sync(server.stop)
