"""Starting and stopping: one process, or several that share a port."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
from collections.abc import Callable

from waterbutler import logs
from waterbutler.app.job import Job, listen
from waterbutler.app.supervisor import Supervisor
from waterbutler.app.worker import serve_alone
from waterbutler.settings import Settings

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Parameters of ``mallopt`` in glibc; other libraries ignore them or lack the function."""
_LARGEST_BLOCK = 1 << 22
"""Blocks of passing bytes are smaller, in bytes."""
_KEPT = 1 << 23
"""How much of what was freed is kept for the next block, in bytes."""
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
    _arrange_memory()
    _allow_files()
    job = Job(settings, listen(settings), reread or (lambda: settings))
    token = settings.users["admin"].token if standalone and "admin" in settings.users else ""
    announcement = f"WaterButler is ready: {job.url}/" + (f"?token={token}" if token else "")

    def announce() -> None:
        print(announcement, flush=True)  # noqa: T201 - what the person who started it waits for

    if settings.server.workers == 1:
        return serve_alone(job, announce)
    return Supervisor(job, announce).run()


def _arrange_memory() -> None:
    """Tell the C library what memory is needed for, where it can be told.

    By default it makes a pool for each thread, and what was freed in one is of no use to another:
    then the memory of many transfers stays with the process when they are over.

    And by default it gets each large block from the system and gives it back at once: then most of
    the work for a block of a file is the system's, which clears every page of it.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        tell = ctypes.CDLL(None).mallopt
        tell(_M_ARENA_MAX, 2)
        tell(_M_MMAP_THRESHOLD, _LARGEST_BLOCK)
        tell(_M_TRIM_THRESHOLD, _KEPT)


def _allow_files() -> None:
    """Take as many descriptors as the system lets this process have, up to a sane number.

    What it gives without being asked, often 1024, is used up by a few hundred slow clients.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
