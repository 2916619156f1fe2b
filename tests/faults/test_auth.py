"""A host that is asked who may do what, and cannot say it."""

import pytest

from tests.faults.conftest import LONG_FORM
from tests.faults.operations import OUT_OF_ORDER
from tests.faults.wire import (
    CutDown,
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

AUTH = "/files/auth/"
BASE = "/v1/resources/remote/providers/osfstorage"
FAULTS = {
    "cut": CutDown(10),
    "reset": CutDown(10, reset=True),
    "no HTTP": Noise(),
    "garbled": Garbled(),
    "too little": Longer(5),
    "silence": Hang(),
    "silence in the answer": Hang(10),
    "429": Says(429, {"Retry-After": "3"}),
    "500": Says(500),
    "503": Says(503, {"Retry-After": "3"}),
    "an empty success": Says(200, body=b""),
    "a success that is none": Says(200, body=b'{"payload": "e30.e30.e30"}'),
    "a redirect": Says(302, {"Location": "http://127.0.0.1:1/"}),
}


USUAL = ["reset", "garbled", "silence", "503", "a success that is none"]


@pytest.mark.parametrize("fault", FAULTS if LONG_FORM else USUAL)
async def test_who_does_not_know_lets_nobody_in(world, fault):
    """The answer says that the host is to blame; nothing is done, and no storage is asked."""
    silent = fault.startswith("silence")
    async with world(silence=SHORT if silent else LONG) as w:
        made = await w.request("PUT", f"{BASE}/?kind=file&name=a", body=b"old")
        file = BASE + made.data["attributes"]["path"]
        legacy = f"/file?nid=remote&provider=osfstorage&path={file.removeprefix(BASE)}"
        tree = [str(node) for node in w.fake.nodes.values()]
        w.fake.calls.clear()
        w.host.rule = always(FAULTS[fault], target=AUTH)
        for reply in (
            await w.request("GET", file),
            await w.request("GET", f"{file}?meta="),
            await w.request("GET", f"{BASE}/"),
            await w.request("PUT", file, body=b"new"),
            await w.request("DELETE", file),
            await w.request("GET", legacy),
        ):
            if fault == "a redirect":
                assert reply.status == 401
            else:
                assert reply.status in OUT_OF_ORDER
            assert reply.message
        assert {call.name for call in w.fake.calls} <= {"auth", "log"}
        w.all_is_well()
        assert [str(node) for node in w.fake.nodes.values()] == tree
        assert (await w.request("GET", file)).body == b"old"
        await w.quiet()


@pytest.mark.parametrize("effect", [Slow(0.2), Lost()], ids=["slow", "lost once"])
async def test_what_passes_is_not_noticed(world, effect):
    async with world() as w:
        w.host.rule = first_of_each(effect)
        made = await w.request("PUT", f"{BASE}/?kind=file&name=a", body=b"old")
        if isinstance(effect, Slow):
            assert made.status == 201
        assert made.status in {201, *OUT_OF_ORDER}
