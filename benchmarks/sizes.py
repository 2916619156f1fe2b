"""How much is measured: all of it, enough to see a change, or just that it works."""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Sizes:
    """The sizes of one kind of run.

    Attributes:
        name: What the kind is called.
        rounds: How often each side is measured; the medians count.
        large: Bytes of the large file.
        seconds: How long small requests are made.
        entries: Entries of the folder that is listed.
        huge: Entries of the huge folder.
        members: Files that are put into an archive.
        copies: Small files that are copied between storages.
        parallel: Transfers at the same time, where memory is measured.
        parallel_size: Bytes of each of them.
        slow_readers: Clients that read slowly at the same time.
        fresh: Whether each measurement of memory gets a server of its own.
        settle: Whether the disk is left alone before each upload is measured.
        growth_entries: Entries of folders, for the curve.
        growth_sizes: Bytes of files, for the curve.
        growth_clients: Clients at the same time, for the curve.
    """

    name: str
    rounds: int
    large: int
    seconds: float
    entries: int
    huge: int
    members: int
    copies: int
    parallel: int
    parallel_size: int
    slow_readers: int
    fresh: bool
    settle: bool
    growth_entries: tuple[int, ...]
    growth_sizes: tuple[int, ...]
    growth_clients: tuple[int, ...]


FULL = Sizes(
    name="full",
    rounds=5,
    large=GIB,
    seconds=3,
    entries=10_000,
    huge=1_000_000,
    members=1000,
    copies=1000,
    parallel=32,
    parallel_size=64 * MIB,
    slow_readers=200,
    fresh=True,
    settle=True,
    growth_entries=(100, 1000, 10_000, 100_000, 1_000_000),
    growth_sizes=(
        *(KIB, 10 * KIB, 100 * KIB, MIB, 10 * MIB, 100 * MIB, GIB),
        10 * GIB,
    ),
    growth_clients=(1, 3, 10, 30, 100, 300, 1000),
)
QUICK = Sizes(
    name="quick",
    rounds=3,
    large=128 * MIB,
    seconds=1,
    entries=10_000,
    huge=100_000,
    members=1000,
    copies=200,
    parallel=32,
    parallel_size=8 * MIB,
    slow_readers=100,
    fresh=True,
    settle=False,
    growth_entries=(100, 1000, 10_000, 100_000),
    growth_sizes=(KIB, 100 * KIB, 10 * MIB, 100 * MIB),
    growth_clients=(1, 10, 100),
)
TINY = Sizes(
    name="tiny",
    rounds=1,
    large=64 * KIB,
    seconds=0.15,
    entries=20,
    huge=50,
    members=5,
    copies=3,
    parallel=2,
    parallel_size=64 * KIB,
    slow_readers=2,
    fresh=False,
    settle=False,
    growth_entries=(2, 20),
    growth_sizes=(KIB, 64 * KIB),
    growth_clients=(1, 2),
)
BY_NAME = {sizes.name: sizes for sizes in (FULL, QUICK, TINY)}
