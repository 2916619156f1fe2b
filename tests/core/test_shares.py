"""Blocks of many who do the same."""

import gc

from waterbutler.core import hashing
from waterbutler.core.hashing import Hasher
from waterbutler.core.shares import Shares


def test_each_gets_its_part():
    shares = Shares(100, smallest=20)
    assert shares.share(80) == 80
    people = [object() for _ in range(10)]
    for number, who in enumerate(people, 1):
        shares.join(who)
        shares.join(who)
        assert shares.share(80) == max(min(80, 100 // number), 20)
    for who in people:
        shares.leave(who)
        shares.leave(who)
    assert shares.share(1000) == 100


async def test_a_hasher_that_is_dropped_takes_nothing(monkeypatch):
    """A stream that ends early says nothing to its sinks."""
    shares = Shares(1 << 20)
    monkeypatch.setattr(hashing, "_SHARES", shares)
    kept, dropped = Hasher(["md5"]), Hasher(["sha256"])
    for hasher in (kept, dropped):
        await hasher.feed(bytes(1 << 17))
    assert shares.share(1 << 20) == 1 << 19
    await dropped._lanes.join()
    del dropped, hasher
    gc.collect()
    assert shares.share(1 << 20) == 1 << 20
    await kept.digests()
    assert shares.share(1 << 20) == 1 << 20
