"""Storages that are slow, cut, silent, garbled or gone, under every operation at once.

Each test prepares everything, lets the fault begin, does all operations beside each other, lets the
fault end, and then looks at what has become of each of them.
"""

import asyncio
import itertools
import random
from datetime import timedelta

import pytest

from tests.faults.conftest import LONG_FORM
from tests.faults.operations import OPERATIONS, attempt, judge
from tests.faults.wire import (
    CutDown,
    CutUp,
    Garbled,
    Hang,
    Longer,
    Lost,
    Noise,
    Says,
    Slow,
    always,
    first_of_each,
)
from tests.faults.world import LONG, SHORT
from waterbutler_osfstorage import vault

HOOKS = "/osfstorage/"
CHANGES = "PUT|POST|DELETE"
DOCUMENTS = r"list-type|uploads=|uploadId|/children/|/lineage/|/download/|/revisions/|hooks/"
BUSY = Says(503, {"Retry-After": "0"})

EVERYTHING = {
    "cut before the answer": always(CutDown(-1)),
    "cut in the answer": always(CutDown(40)),
    "reset in the answer": always(CutDown(40, reset=True)),
    "cut in long answers": always(CutDown(100_000)),
    "reset in long answers": always(CutDown(100_000, reset=True)),
    "reset in long bodies": always(CutUp(100_000)),
    "no HTTP": always(Noise()),
    "garbled documents": always(Garbled(), target=DOCUMENTS),
    "answers that promise too much": always(Longer(5)),
    "500 for ever": always(Says(500)),
    "502 for ever": always(Says(502)),
    "503 for ever": always(Says(503)),
    "503 and a time": always(Says(503, {"Retry-After": "99"})),
    "429 for ever": always(Says(429)),
    "429 and a date": always(Says(429, {"Retry-After": "Wed, 21 Oct 2065 07:28:00 GMT"})),
    "silence": always(Hang()),
    "silence in the answer": always(Hang(40)),
    "silence in long answers": always(Hang(100_000)),
    "silence at changes": always(Hang(), CHANGES),
    "changes whose answers are lost": always(Lost(), CHANGES),
    "answers that are lost once": first_of_each(Lost()),
    "503 for changes": always(Says(503), CHANGES),
    "503 once": first_of_each(BUSY),
    "429 once": first_of_each(Says(429, {"Retry-After": "0"})),
    "reset once": first_of_each(CutDown(0, reset=True)),
    "slow": always(Slow(0.1)),
}
"""What may happen on a wire."""
READING = {
    *("describe", "head", "list", "read", "read a part", "zip", "versions", "read by version 0"),
}
HARMLESS = {"slow"}
READ_AGAIN = {"503 once", "429 once", "slow"}
"""What no reading operation may be troubled by: it is tried again."""
NOTHING_DONE = {
    *("no HTTP", "500 for ever", "502 for ever", "503 for ever", "503 and a time"),
    *("429 for ever", "429 and a date", "silence"),
}
"""What keeps everything from reaching the storage."""


async def all_operations(world, mount, other, begin):
    """Do everything while the fault lasts; gives what succeeded."""
    chosen = [it for it in OPERATIONS if other or not it.there]
    rooms = {it.name: await it.prepare(world, mount, other) for it in chosen}
    begin()
    replies = await asyncio.gather(*(attempt(it, rooms[it.name]) for it in chosen))
    await world.quiet()
    world.all_is_well()
    succeeded = set()
    for operation, reply in zip(chosen, replies, strict=True):
        room = rooms[operation.name]
        after = await operation.look(room)
        if judge(operation, room, reply, after):
            succeeded.add(operation.name)
    return succeeded


TARGETS = {"bucket": ("s3", "s3"), "host": ("local", "host"), "blob store": ("osf", "s3")}
"""Where operations are done, and which wire goes wrong."""
USUAL = {
    ("bucket", "answers that are lost once"),
    ("bucket", "reset in long answers"),
    ("bucket", "503 once"),
    ("host", "changes whose answers are lost"),
    ("blob store", "changes whose answers are lost"),
    ("blob store", "503 once"),
}
"""What is tried where there is not much time: each fault that something was mended for."""
CELLS = [cell for cell in itertools.product(TARGETS, EVERYTHING) if LONG_FORM or cell in USUAL]
ROUNDS = 20
"""How often faults come mixed, each time in another way."""


def mixed(seed):
    """Each request may be troubled by something else."""
    dice = random.Random(seed)
    effects = [
        *(CutDown(-1), CutDown(40), CutDown(40, reset=True), CutDown(100_000), CutUp(100_000)),
        *(Noise(), Longer(5), Says(500), Says(503), BUSY, Says(429), Lost(), Lost(), Hang()),
        *(Hang(40), Hang(100_000), Slow(0.05)),
    ]
    return lambda _: dice.choice(effects) if dice.random() < 0.2 else None


async def trouble(world, target, rule, silence, *, sweeps=False):
    """The storage has this trouble; gives what succeeded, and what could have."""
    mount, wire = TARGETS[target]
    async with world(silence=silence) as w:

        def begin():
            getattr(w, wire).rule = rule

        done = await all_operations(w, mount, "files", begin)
        if sweeps:
            await w.assembly.sweep()
        assert w.orphans() == []
    return done, {operation.name for operation in OPERATIONS}


@pytest.mark.parametrize(("target", "fault"), CELLS)
async def test_a_fault(world, target, fault):
    """Whatever happens, every answer is true, nothing is lost and nothing is left behind."""
    silence = SHORT if fault.startswith("silence") else LONG
    done, chosen = await trouble(world, target, EVERYTHING[fault], silence)
    if fault in HARMLESS:
        assert done == chosen
    if fault in READ_AGAIN:
        assert done >= chosen & READING
    if fault in NOTHING_DONE and target != "blob store":
        assert not done


@pytest.mark.skipif(not LONG_FORM, reason="takes minutes: LONG_TESTS=1")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", range(ROUNDS if LONG_FORM else 1))
async def test_faults_that_come_mixed(world, target, seed, monkeypatch):
    """The same, where every request may be troubled by something else.

    What is to be thrown away may be troubled too: then the next sweep does it.
    """
    monkeypatch.setattr(vault, "ABANDONED", timedelta(0))
    await trouble(world, target, mixed(seed), SHORT, sweeps=True)
