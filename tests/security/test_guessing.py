"""Guessing and timing: secrets are long, compared whole, and not confirmed by accident."""

import asyncio
import hmac
import sqlite3

import pytest
from tornado.netutil import bind_sockets

from tests.gateway.client import FIRST, SECOND, Gateway
from tests.gateway.conftest import services
from tests.harness import ALICE, BASE, NOBODY, TOKENS, Connection
from tests.web.browser import Browser
from waterbutler.assembly import assemble
from waterbutler.auth import COOKIE
from waterbutler.core.errors import WaterButlerError
from waterbutler.core.signing import sign, verify
from waterbutler.settings import load_standalone

__all__ = ["services"]

RIGHT = TOKENS["alice"]
WRONG = [
    RIGHT[:-1],
    RIGHT + "x",
    RIGHT.upper(),
    " " + RIGHT[1:],
    "",
    "\0",
    "*",
    "é" * 20,
    "x" * 9000,
]


@pytest.fixture
def full(make_server, services, io_loop):
    """A server with all dialects."""
    return io_loop.run_sync(lambda: make_server(gateway=services))


@pytest.fixture
def compared(monkeypatch):
    """What is compared in constant time."""
    found, real = [], hmac.compare_digest

    def compare(one, other):
        found.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    return found


@pytest.mark.parametrize("token", WRONG)
async def test_nearly_right_is_wrong(full, token):
    """And every wrong token gets the same answer, however much of it is right."""
    said = {"Authorization": f"Bearer {token.encode().decode('latin-1')}"}
    if "\0" in token:
        said = {"Authorization": "Bearer "}
    reply = await full.request("GET", f"{BASE}/", said)
    reference = await full.request("GET", f"{BASE}/", {"Authorization": "Bearer nothing-like-it"})
    assert (reply.status, reply.body) == (401, reference.body)


async def test_who_exists_is_not_told(full):
    """A session of nobody, of somebody else's key, and an old one are refused alike."""
    real = full.static.open_session(RIGHT)
    parts = real.split(".")
    nobody = ".".join([parts[0], "bm9ib2R5", *parts[2:]])
    later = ".".join([*parts[:2], "9999999999", parts[3]])
    unsigned = ".".join([*parts[:3], ""])
    forged = real[:-1] + ("1" if real.endswith("0") else "0")
    replies = []
    for cookie in (nobody, later, unsigned, forged, "x"):
        replies.append(await full.request("GET", f"{BASE}/", {"Cookie": f"{COOKIE}={cookie}"}))
        assert replies[-1].status == 401
    assert len({reply.body for reply in replies}) == 1
    good = await full.request("GET", f"{BASE}/", {"Cookie": f"{COOKIE}={real}"})
    assert good.status == 200


async def test_secrets_are_compared_in_constant_time(full, compared):
    """Tokens, sessions, tokens of forms, and signatures: whole ones, of equal length."""
    await full.request("GET", f"{BASE}/", ALICE)
    session = full.static.open_session(RIGHT)
    compared.clear()
    csrf = full.sessions.csrf_token(session)
    await full.request(
        "DELETE", f"{BASE}/x", {"Cookie": f"{COOKIE}={session}", "X-CSRFToken": csrf}
    )
    lengths = [len(one) for one, other in compared if len(one) == len(other)]
    assert lengths.count(64) >= 2, "the session, and the token of the form"
    compared.clear()
    await full.request("GET", f"{BASE}/", ALICE)
    assert any(len(one) == 64 for one, _ in compared)
    compared.clear()
    message = sign({"a": 1}, "secret", expires=100)
    with pytest.raises(WaterButlerError):
        verify({**message, "signature": "0" * 64}, "secret", now=0)
    assert any(len(one) == 64 for one, _ in compared)


async def test_tokens_of_the_gateway_cannot_be_guessed(full, tmp_path):
    """256 random bits each; what is looked up, and kept, is derived from them."""
    seen = set()
    for _ in range(3):
        for words in (FIRST, SECOND):
            session = await Gateway(full, words).sign_in(RIGHT, resource="guid0", provider="memory")
            seen |= {session.tokens[words["access"]], session.tokens[words["refresh"]]}
    assert len(seen) == 12
    assert all(len(token) >= 43 for token in seen)
    with sqlite3.connect(tmp_path / "tokens.db") as database:
        rows = str(database.execute("SELECT * FROM tokens").fetchall())
    database.close()
    assert not [token for token in seen if token in rows]
    assert RIGHT not in rows


async def test_signing_in_cannot_be_tried_for_ever(tmp_path):
    """With the settings as they come: after so many wrong tokens there are no more answers."""
    settings = load_standalone({}, {"server.data": str(tmp_path)}).settings
    limit = settings.limits.sign_in.requests
    assert limit <= 100
    assembly = assemble(settings)
    limits = assembly.context.limits
    assert limits is not None
    sockets = bind_sockets(0, "127.0.0.1")
    port = sockets[0].getsockname()[1]
    assembly.server.add_sockets(sockets)
    try:
        server = Raw(port)
        target, body = f"/v2/{SECOND['auth'][1]}", b'{"token": "wrong"}'
        statuses = []
        while 429 not in statuses and len(statuses) < 3 * limit:
            statuses.append((await server.request("POST", target, NOBODY, body)).status)
    finally:
        assembly.server.stop()
        await assembly.aclose()
    assert statuses[0] == 403
    assert 429 in statuses


class Raw:
    """A client of a port."""

    def __init__(self, port):
        self.port = port

    async def request(self, method, target, headers, body):
        connection = Connection(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            return await connection.request(method, target, headers, body)
        finally:
            await connection.close()


def test_a_made_up_token_is_long_and_new(tmp_path):
    """The one of a server that was started without settings."""
    made = {
        load_standalone({}, {"server.data": str(tmp_path / name)}).settings.users["admin"].token
        for name in "abc"
    }
    assert len(made) == 3
    assert all(len(token) >= 32 for token in made)


async def test_a_link_key_is_a_secret_like_a_token(full):
    """What is nearly a key is none, and gets the answer of nobody."""
    nobody = await full.request("GET", f"{BASE}/", NOBODY)
    for key in ("link-key-b6d", "link-key-b6d11", "LINK-KEY-B6D1", "link-key-b6d1%00", "%00"):
        reply = await full.request("GET", f"{BASE}/?view_only={key}", NOBODY)
        assert (reply.status, reply.body) == (nobody.status, nobody.body)


async def test_a_browser_that_guesses_learns_nothing(full):
    """A wrong token in the address signs nobody in, and the page does not say how near it was."""
    pages = []
    for token in (RIGHT[:-1], "nothing-like-it", ""):
        browser = Browser(full)
        reply = await browser.fetch("GET", f"/?token={token}")
        assert COOKIE not in browser.cookies
        pages.append(reply.status)
    assert set(pages) <= {200, 303, 401, 403}
