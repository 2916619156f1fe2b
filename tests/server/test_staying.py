"""A connection stays after a refusal, or the refusal says that it ends."""

import pytest

from tests.harness import ALICE, BASE, LARGE

EXPECTING = {**ALICE, "Expect": "100-continue", "Content-Length": "5"}


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/nothing"),
        ("GET", f"{BASE}/.."),
        ("HEAD", f"{BASE}/a//b"),
        ("PATCH", f"{BASE}/"),
        ("PUT", f"{BASE}/"),
        ("GET", "/file"),
        ("GET", "/files/guid0/memory/.."),
    ],
)
async def test_the_next_request_is_answered_after_a_refusal(server, method, target):
    """Nothing was sent that was not read."""
    async with server.connection() as connection:
        for _ in range(3):
            refusal = await connection.request(method, target, ALICE)
            assert 400 <= refusal.status < 500
            assert "Connection" not in refusal.headers
        assert (await connection.request("GET", "/status")).status == 200


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("FOO", {}),
        ("PUT", EXPECTING),
        ("PUT", {**ALICE, "Content-Length": str(LARGE)}),
    ],
    ids=["unknown method", "asking whether to send", "large"],
)
async def test_a_refusal_that_ends_the_connection_says_so(server, method, headers):
    """A client would lose its next request otherwise."""
    async with server.connection() as connection:
        await connection.start(method, f"{BASE}/..", headers)
        refusal = await connection.receive()
        assert 400 <= refusal.status < 500
        if refusal.headers.get("Connection") != "close":
            assert (await connection.request("GET", "/status")).status == 200
