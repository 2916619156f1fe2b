"""A Redis that counts requests, and is away, silent or out of its mind."""

import itertools

import pytest

from tests.faults.conftest import LONG_FORM
from tests.faults.wire import Pipe
from tests.servers.redis import redis
from waterbutler.limits import Breaker
from waterbutler.settings import LimitsSettings
from waterbutler.settings.limits import LimitSettings

FILES = "/v1/resources/guid0/providers/files/"


CASES = list(itertools.product(["away", "silent", "noise", "cut"], ["allow", "refuse"]))
USUAL = [("away", "refuse"), ("silent", "allow"), ("noise", "refuse"), ("cut", "allow")]


@pytest.mark.parametrize(("trouble", "when_down"), CASES if LONG_FORM else USUAL)
async def test_trouble(world, monkeypatch, trouble, when_down):
    """Requests are let through or refused as it was set, at once, and are counted later again."""
    monkeypatch.setitem(Breaker.__init__.__kwdefaults__, "pause", 0.05)
    async with Pipe(redis()) as pipe:
        limits = LimitsSettings(
            store="redis",
            redis=pipe.url,
            when_down=when_down,
            v1=LimitSettings(enabled=True, requests=1000),
        )
        async with world(limits=limits) as w:
            before = await w.request("GET", FILES)
            assert before.status == 200
            assert any("limit" in name.lower() for name in before.headers)
            if trouble == "away":
                await pipe.away()
            pipe.mode = trouble
            for _ in range(6):
                reply = await w.request("GET", FILES)
                assert reply.status == (200 if when_down == "allow" else 503)
                assert reply.status == 200 or reply.headers["Retry-After"]
            if trouble == "away":
                await pipe.listen()
            pipe.mode = "pass"
            while True:
                reply = await w.request("GET", FILES)
                if any("limit" in name.lower() for name in reply.headers):
                    break
            assert reply.status == 200
