"""What is served where, and what changes of it while it is served."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import structlog
from tornado.netutil import bind_sockets

from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings import Settings

BACKLOG = 1024

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.app")


@dataclass(frozen=True, slots=True)
class Job:
    """Settings, and the listening sockets that they are served on.

    Attributes:
        settings: The settings.
        sockets: Bound and listening; they outlive all processes that accept from them.
        reread: Reads the settings anew; raises `ConfigInvalid`.
    """

    settings: Settings
    sockets: Sequence[socket.socket]
    reread: Callable[[], Settings]

    @property
    def url(self) -> str:
        """What links start with, with the port that the system chose if it was to choose."""
        server = self.settings.server
        if server.domain:
            return server.url
        port = self.sockets[0].getsockname()[1]
        return server.url.removesuffix(f":{server.port}") + f":{port}"

    def renewed(self, *, alone: bool) -> Job | None:
        """The same with the settings as they are now; ``None``, and a line in the log, if wrong.

        Also logs what of them takes effect at the next start only.

        Args:
            alone: This process serves, and has no others to start with new settings.
        """
        try:
            settings = self.reread()
        except ConfigInvalid as error:
            _log.error("settings refused", reason=error.message)
            return None
        return replace(self, settings=_with_fixed(self.settings, settings, alone=alone))

    def close(self) -> None:
        """Listen no longer in this process."""
        for each in self.sockets:
            each.close()


def listen(settings: Settings) -> list[socket.socket]:
    """Sockets on the address of the settings.

    Raises:
        ConfigInvalid: It cannot be used.
    """
    host, port = settings.server.host, settings.server.port
    try:
        return bind_sockets(port, host or None, backlog=BACKLOG)
    except OSError as error:
        raise ConfigInvalid(f"Cannot listen on {host}:{port}: {error.strerror}.") from None


def _with_fixed(before: Settings, now: Settings, *, alone: bool) -> Settings:
    """The new settings with what cannot change while sockets are open and processes run."""
    fixed: dict[str, object] = {"host": before.server.host, "port": before.server.port}
    if alone:
        fixed["workers"] = before.server.workers
    kept = [f"server.{name}" for name in fixed if fixed[name] != getattr(now.server, name)]
    logging = before.logging if alone else now.logging
    if logging != now.logging:
        kept.append("logging")
    if kept:
        _log.warning("settings need a restart", settings=kept)
    server = msgspec.structs.replace(now.server, **fixed)
    return msgspec.structs.replace(now, server=server, logging=logging)
