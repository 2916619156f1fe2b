"""Many small requests, with one worker and with two, and the time until the first answer."""

from __future__ import annotations

import time

from benchmarks.load import Request, ask, wrk
from benchmarks.measuring import Goal, Row, Seen, Side
from benchmarks.peers import Peer
from benchmarks.stage import TOKEN, Stage, mount

REQUESTS = "requests/s"
LOAD = ": taken by the load generator"


def small(stage: Stage, seen: Seen) -> None:
    """Descriptions and small downloads beside handlers that do the least."""
    with stage.server(level="info") as logging:
        targets = {
            "meta, bare Tornado": (f"{stage.bare.url}/meta", ""),
            "meta, ours": (_meta(stage, stage.ours), TOKEN),
            "meta, ours with a log line for each": (_meta(stage, logging), TOKEN),
            "10 KiB, bare Tornado": (f"{stage.bare.url}/file", ""),
            "10 KiB, ours": (_file(stage, stage.ours), TOKEN),
            "10 KiB, ours with a log line for each": (_file(stage, logging), TOKEN),
        }
        seen.take_turns(stage.sizes.rounds, [_side(stage, seen, n, *t) for n, t in targets.items()])


def workers(stage: Stage, seen: Seen) -> None:
    """The same with two workers."""
    with stage.server("--workers", "2") as two:
        sides = [
            _side(stage, seen, f"{what}, {name}", address(stage, server), TOKEN, cores=True)
            for what, address in (("meta", _meta), ("10 KiB", _file))
            for name, server in (("1 worker", stage.ours), ("2 workers", two))
        ]
        seen.take_turns(stage.sizes.rounds, sides)


def start(stage: Stage, seen: Seen) -> None:
    """A new process, until it has answered."""
    for _ in range(stage.sizes.rounds):
        begin = time.perf_counter()
        with stage.server(wait=False) as server:
            ask(Request(f"{server.url}/status"))
            seen.add("first answer after", "s", time.perf_counter() - begin)
            seen.add("memory then", "MB", server.memory())


def _side(
    stage: Stage, seen: Seen, name: str, url: str, token: str, *, cores: bool = False
) -> Side:
    def side() -> None:
        found = wrk(url, token, stage.sizes.seconds)
        seen.add(name, REQUESTS, found.rate)
        if cores:
            seen.add(f"{name}{LOAD}", "cores", found.cores)

    return side


def _meta(stage: Stage, server: Peer) -> str:
    return f"{_file(stage, server)}?meta="


def _file(stage: Stage, server: Peer) -> str:
    return f"{mount(server, 'filesystem')}/{stage.ten.name}"


ROWS = (
    Row(
        "small",
        "Descriptions (`?meta=`) and downloads of 10 KiB, 16 connections",
        small,
        (
            Goal("10 KiB, ours", 0.75, of="10 KiB, bare Tornado"),
            Goal("meta, ours", 0.8, of="meta, bare Tornado"),
        ),
    ),
    Row(
        "workers",
        "Two workers",
        workers,
        tuple(
            Goal(
                f"{what}, 2 workers",
                1.8,
                of=f"{what}, 1 worker",
                cores=2,
                load=f"{what}, 2 workers{LOAD}",
            )
            for what in ("meta", "10 KiB")
        ),
    ),
    Row(
        "start",
        "From the start of `waterbutler serve` to the first answer",
        start,
        (Goal("first answer after", 1.0, at_most=True),),
    ),
)
