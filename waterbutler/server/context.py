"""What every handler is given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from waterbutler.auth import AuthChain, Sessions, StaticHandler
from waterbutler.events import Events
from waterbutler.segments import SegmentUploads
from waterbutler.server.cors import Cors
from waterbutler.server.limits import Limits
from waterbutler.server.metrics import Metrics
from waterbutler.service import Butler
from waterbutler.thumbnails import Thumbnails
from waterbutler.tokens import TokenStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How the server behaves; sizes in bytes."""

    domain: str
    """Put into links: ``http://127.0.0.1:7777``, without a slash at the end."""
    cors: Cors = field(default_factory=lambda: Cors.of(["*"]))
    max_upload_size: int | None = None
    redirect_downloads: bool = True
    drain_limit: int = 1 << 30
    """How much of a refused body is still read, so that the client sees the answer."""
    trust_proxy: bool = False
    mfr_url: str = ""
    """Where the pages are that show files; their downloads are marked in events."""
    idle_seconds: float = 75.0
    """How long a connection may wait for its next request."""
    stall_seconds: float = 120.0
    """How long a client may go without moving anything in the middle of a body."""


class ServerState:
    """What changes while the server runs."""

    def __init__(self) -> None:
        self.stopping = False
        """No further requests are taken on connections that are open."""
        self.replaced = False
        """Others take them: the service goes on."""
        self._active = 0
        self._working: dict[object, asyncio.Task[object]] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def enter(self) -> None:
        """A request, or what is done for it, begins."""
        self._active += 1
        self._idle.clear()

    def leave(self) -> None:
        """It is over."""
        self._active -= 1
        if self._active == 0:
            self._idle.set()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Something is done for a request, whether or not its client still waits for it.

        The task that does it is cancelled by `abandon`.
        """
        task, key = asyncio.current_task(), object()
        assert task is not None
        self._working[key] = task
        self.enter()
        try:
            yield
        finally:
            del self._working[key]
            self.leave()

    async def abandon(self, seconds: float) -> None:
        """Give up what is being done for requests, and wait so long until it is cleaned up."""
        tasks = set(self._working.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def idle(self) -> None:
        """Wait until no request is being served."""
        await self._idle.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayServices:
    """What only the storage gateway API needs."""

    tokens: TokenStore
    thumbnails: Thumbnails
    segments: SegmentUploads
    segment_size: int = 100 << 20
    """How large segments should be, in bytes; clients send smaller files in one piece."""
    prefix: str = ""
    """What may stand before its URLs: ``/storage``, or nothing."""

    async def aclose(self) -> None:
        """Let go of everything; sessions and uploads can go on later."""
        await self.segments.aclose()
        await self.thumbnails.aclose()
        await self.tokens.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerContext:
    """Made once, in the composition root, and handed to every handler."""

    butler: Butler
    auth: AuthChain
    sessions: Sessions
    options: ServerOptions
    metrics: Metrics
    readiness: Callable[[], Awaitable[list[str]]]
    """Reasons why the server cannot serve; empty when it can."""
    accounts: StaticHandler | None = None
    """Opens sessions for the pages, where users are configured here."""
    state: ServerState = field(default_factory=ServerState)
    limits: Limits = field(default_factory=Limits)
    """How many requests who may make; without more, as many as they like."""
    events: Events = field(default_factory=Events)
    """Is told what happens."""
    gateway: GatewayServices | None = None
    """Without it there is no gateway API."""
