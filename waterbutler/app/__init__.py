"""Starting and stopping: one process, or several that share a port."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable

from waterbutler import logs
from waterbutler.app import memory
from waterbutler.app.job import Job, listen
from waterbutler.app.supervisor import Supervisor
from waterbutler.app.worker import serve_alone
from waterbutler.settings import Settings

_FILES = 1 << 16
"""How many descriptors one process may want: two for each transfer, one for each connection."""


def run(
    settings: Settings,
    *,
    standalone: bool = False,
    reread: Callable[[], Settings] | None = None,
) -> int:
    """Serve until a signal says stop; returns the exit status.

    ``SIGTERM`` and ``SIGINT`` let running requests finish, and a second one ends at once.
    ``SIGHUP`` puts new settings into effect without losing a request.

    Args:
        settings: The settings.
        standalone: Print the URL with the token of the user ``admin`` in it.
        reread: Reads the settings anew when they are wanted anew, and raises `ConfigInvalid` if
            they are wrong; without it they stay as they are.

    Raises:
        ConfigInvalid: The settings do not fit together, or the address cannot be used.
    """
    logs.configure(settings.logging.level, settings.logging.format)
    memory.arrange()
    _allow_files()
    job = Job(settings, listen(settings), reread or (lambda: settings))
    token = settings.users["admin"].token if standalone and "admin" in settings.users else ""
    announcement = f"WaterButler is ready: {job.url}/" + (f"?token={token}" if token else "")

    def announce() -> None:
        print(announcement, flush=True)  # noqa: T201 - what the person who started it waits for

    if settings.server.workers == 1:
        return serve_alone(job, announce)
    return Supervisor(job, announce).run()


def _allow_files() -> None:
    """Take as many descriptors as the system lets this process have, up to a sane number.

    What it gives without being asked, often 1024, is used up by a few hundred slow clients.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
