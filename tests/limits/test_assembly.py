"""From settings to a server that counts."""

import asyncio
from functools import partial

import pytest
from tornado.netutil import bind_sockets

from tests.harness import Connection
from tests.servers.redis import own_redis, redis
from waterbutler.assembly import assemble
from waterbutler.core.errors import ConfigInvalid
from waterbutler.limits import Breaker
from waterbutler.settings import LimitsSettings, load

TARGET = "/v1/resources/open/providers/filesystem/"


@pytest.fixture
def serve(tmp_path, io_loop):
    """Starts servers that share their secret; each gives a function that asks it once."""
    running = []
    (tmp_path / "files").mkdir()

    async def start(**limits):
        file = tmp_path / f"{len(running)}.toml"
        file.write_text(
            f'server.data = "{tmp_path}/data"\n'
            'users.alice.token = "token-of-alice"\n'
            'resources.open.access.alice = "write"\n'
            'resources.open.access.anonymous = "read"\n'
            f'resources.open.providers.filesystem.settings = {{folder = "{tmp_path}/files"}}\n'
        )
        overrides = {f"limits.{name}": value for name, value in limits.items()}
        assembly = assemble(load({}, file, overrides).settings, url="http://127.0.0.1")
        sockets = bind_sockets(0, "127.0.0.1")
        assembly.server.add_sockets(sockets)
        running.append(assembly)

        async def ask(method="GET", target=TARGET, body=None, full=False, **headers):
            where = ("127.0.0.1", sockets[0].getsockname()[1])
            connection = Connection(*await asyncio.open_connection(*where))
            try:
                reply = await connection.request(method, target, headers, body)
                return reply if full else reply.status
            finally:
                await connection.close()

        return ask

    yield start
    for assembly in running:
        assembly.server.stop()
        io_loop.run_sync(assembly.aclose)


def three(**more):
    return {
        "v1.enabled": True,
        "v1.requests": 3,
        "v1.window_seconds": 3600,
        **more,
    }


def test_what_is_limited_by_default():
    """The gateway API and signing in to it; v1, v0 and the pages are not."""
    limits = load({}).settings.limits
    assert set(limits.enabled) == {"gateway", "sign_in"}
    assert limits.store == "memory"
    assert (limits.gateway.requests, limits.gateway.window_seconds) == (1200, 60)
    assert limits == LimitsSettings()


def test_other_servers_names_switch_v1_on():
    environ = {
        "SERVER_CONFIG_ENABLE_RATE_LIMITING": "1",
        "SERVER_CONFIG_RATE_LIMITING_FIXED_WINDOW_LIMIT": "100",
        "SERVER_CONFIG_RATE_LIMITING_FIXED_WINDOW_SIZE": "60",
    }
    v1 = load(environ).settings.limits.enabled["v1"]
    assert (v1.requests, v1.window_seconds) == (100, 60)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS", "http://:hunter2@h"),
        ("REDIS", ""),
        ("V1_REQUESTS", "0"),
        ("V1_WINDOW_SECONDS", "0.5"),
        ("STORE", "disk"),
        ("WHEN_DOWN", "panic"),
    ],
)
def test_settings_that_make_no_sense(name, value):
    with pytest.raises(ConfigInvalid) as raised:
        load({f"WATERBUTLER_LIMITS_{name}": value})
    assert raised.value.message.startswith("limits.")
    assert "hunter2" not in raised.value.message


async def test_v1_is_free_by_default(serve):
    ask = await serve()
    assert [await ask() for _ in range(5)] == [200] * 5


async def test_each_server_counts_for_itself_in_memory(serve):
    one, other = await serve(**three()), await serve(**three())
    assert [await one() for _ in range(4)] == [200, 200, 200, 429]
    assert await other() == 200


async def test_servers_count_together_in_redis(serve, monkeypatch):
    """They share the secret, so they have the same name for a caller."""
    monkeypatch.setattr("waterbutler.assembly.Breaker", partial(Breaker, patience=60))
    given = three(store="redis", redis=redis())
    one, other = await serve(**given), await serve(**given)
    seen = [await ask() for ask in (one, other, one, other, one)]
    assert seen == [200, 200, 200, 429, 429]


@pytest.mark.parametrize(("when_down", "status"), [("allow", 200), ("refuse", 503)])
async def test_a_redis_that_is_down(serve, tmp_path, when_down, status):
    """The setting says what happens; the server starts all the same."""
    with own_redis(tmp_path) as server:
        server.stop()
        ask = await serve(**three(store="redis", redis=server.url, when_down=when_down))
        assert [await ask() for _ in range(5)] == [status] * 5


async def test_the_gateway_api_is_limited(serve):
    """Signing in by address, everything else by token or by address; 429 in its own form."""
    ask = await serve(**{"gateway.requests": 3, "gateway.window_seconds": 3600})
    body = b'{"token": "token-of-alice"}'
    signed_in = await ask("POST", "/v2/auth", body, full=True)
    assert signed_in.status == 200, signed_in.body
    assert signed_in.headers["RateLimit-Limit"] == "60"
    alice = {"Authorization": f"Bearer {signed_in.json['access.token']}"}
    first = await ask(target="/v2/metadata", **alice)
    seen = [await ask(target="/v2/metadata") for _ in range(3)]
    assert [first, *seen] == [200, 401, 401, 429]
    assert [await ask(target="/v2/metadata", **alice) for _ in range(4)] == [200, 200, 200, 429]
    refused = await ask(target="/v2/metadata", full=True, **alice)
    assert refused.message.startswith("Too many requests")
    assert refused.headers["Retry-After"] == "1200"
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert await ask("OPTIONS", "/v2/metadata") == 204


async def test_signing_in_to_the_gateway_api_is_limited(serve):
    """Who tries out tokens is stopped, and so is everybody else at that address."""
    ask = await serve(**{"sign_in.requests": 3, "sign_in.window_seconds": 3600})
    wrong, right = b'{"token": "wrong"}', b'{"token": "token-of-alice"}'
    seen = [await ask("POST", "/v2/auth", wrong) for _ in range(4)]
    assert seen == [403, 403, 403, 429]
    assert await ask("POST", "/v2/auth", right) == 429
