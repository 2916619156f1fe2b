"""Counting in Redis, for several servers together.

A script does the arithmetic of `waterbutler.limits.rate` inside Redis: it reads, decides and writes
without anything in between, and it goes by the clock of Redis, so the clocks of the servers do not
matter. Every write sets the time after which the key is gone, in the same command: there is no
moment in which a key has none. The keys are hashes, see `waterbutler.limits.limiter`.

The script needs Redis 5 or newer, or a server that does the same, such as Valkey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from waterbutler.core.errors import ConfigInvalid
from waterbutler.limits.rate import Rate, Verdict
from waterbutler.limits.store import StoreDown

if TYPE_CHECKING:
    from redis.asyncio import Redis

PREFIX = "waterbutler:limits:"
"""What the names of all keys start with."""
CONNECTIONS = 32
"""How many connections one process opens at most; who finds none waits for one."""
SECONDS = 1.0
"""How long a connection may be silent. Requests wait for a shorter time; see `Breaker`."""

SCRIPT = """
local interval, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local paid = tonumber(redis.call('GET', KEYS[1]) or now) or now
local debt = math.min(paid - now, capacity)
if not (debt > 0) then debt = 0 end
local allowed = 0
if debt + interval <= capacity then
  debt = debt + interval
  allowed = 1
end
local left = math.max(1, math.ceil(debt / 1000))
redis.call('SET', KEYS[1], string.format('%.0f', now + debt), 'PX', string.format('%.0f', left))
return {allowed, debt}
"""
"""``KEYS[1]`` holds when nothing is owed any more, in microseconds since the epoch.

A refusal writes too: a value from before a limit was changed is brought down to what can be owed
now.
"""


class RedisStore:
    """Remembers what callers owe in Redis; connections are made when they are needed.

    Args:
        url: ``redis://``, ``rediss://`` for TLS or ``unix://``, with user, password and database.

    Raises:
        ConfigInvalid: The package ``redis`` is not installed, or the URL makes no sense; it is not
            repeated, for it may hold a password.
    """

    def __init__(self, url: str) -> None:
        try:
            from redis import exceptions  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise ConfigInvalid(
                'limits.store is "redis", which needs the extra "redis": pip install redis.'
            ) from None
        self._errors = (exceptions.RedisError, OSError, ValueError, TypeError)
        try:
            self._client = _connect(url)
        except (ValueError, TypeError):
            raise ConfigInvalid(
                "limits.redis: expected an address like redis://127.0.0.1:6379/0."
            ) from None
        self._script = self._client.register_script(SCRIPT)

    async def count(self, key: str, rate: Rate) -> Verdict:
        """See `Store.count`."""
        try:
            answer = await self._script(keys=[PREFIX + key], args=[rate.interval, rate.capacity])
            allowed, debt = (int(number) for number in answer)
        except self._errors as error:
            raise StoreDown(type(error).__name__) from None
        return Verdict(rate, allowed == 1, debt)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _connect(url: str) -> Redis:
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 - as above
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=SECONDS,
        socket_timeout=SECONDS,
        socket_connect_timeout=SECONDS,
        # Once more at once: the connection may be from before a restart of Redis.
        retry=Retry(NoBackoff(), 1),
        protocol=2,
    )
    return Redis.from_pool(pool)
