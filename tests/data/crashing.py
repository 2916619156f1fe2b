"""Serves, and ends at a chosen step: ``crashing.py DATA CONTROL STEPS [CONFIG]``.

For each line on standard input one process is forked that serves, in the way of ``waterbutler
serve``, until it ends; so a start takes a moment. ``CONTROL`` is a file with a number. As long as
it is not 0 each step counts it down, and the one that comes to 0 is not done: the process is killed
in its place. A step is whatever lasts: a system call that changes a file or a folder, or a
statement that changes a database. The names of the steps that were counted are added to ``STEPS``.
"""

from __future__ import annotations

import ctypes
import importlib
import mmap
import os
import signal
import sqlite3
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from waterbutler import app
from waterbutler.plugins import Registry
from waterbutler.settings import load, load_standalone

CALLS = (
    *("copy_file_range", "fchmod", "fchown", "fdatasync", "fsync", "ftruncate", "link", "mkdir"),
    *("posix_fallocate", "pwrite", "pwritev", "remove", "rename", "replace", "rmdir", "sendfile"),
    *("setxattr", "splice", "truncate", "unlink", "utime", "write", "writev"),
)
"""The functions of ``os`` that are steps; so is ``open`` where it may make something."""
FOREIGN = ("linkat", "renameat2", "renameatx_np", "syncfs")
"""The functions of the C library that are steps."""
READING = ("SELECT", "PRAGMA", "EXPLAIN")
NAMELESS = getattr(os, "O_TMPFILE", os.O_CREAT)

_real_write = os.write


class Steps:
    """Counts, and ends the process when it is time."""

    def __init__(self, control: str, steps: str) -> None:
        with Path(control).open("r+b") as file:
            self._left = mmap.mmap(file.fileno(), 8)
        self._steps = os.open(steps, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        with self._lock:
            (left,) = struct.unpack("q", self._left[:8])
            if left == 0:
                return
            _real_write(self._steps, f"{name}\n".encode())
            self._left[:8] = struct.pack("q", left - 1)
            if left == 1:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """From now on steps are counted."""
        for name in CALLS:
            if hasattr(os, name):
                setattr(os, name, self._counted(name, getattr(os, name)))
        self._watch_open()
        self._watch_foreign()
        sqlite3.connect = sqlite3.dbapi2.connect = self._connected(sqlite3.connect)

    def _counted(self, name: str, function: Callable) -> Callable:
        def counted(*args: object, **options: object) -> object:
            self(name)
            return function(*args, **options)

        return counted

    def _watch_open(self) -> None:
        real_open = os.open

        def counted(path, flags, *args, **options):
            if flags & os.O_CREAT or flags & NAMELESS == NAMELESS:
                self("open")
            return real_open(path, flags, *args, **options)

        os.open = counted

    def _watch_foreign(self) -> None:
        real = ctypes.CDLL.__getattr__

        def counted(library: ctypes.CDLL, name: str) -> object:
            function = real(library, name)
            return self._counted(name, function) if name in FOREIGN else function

        ctypes.CDLL.__getattr__ = counted

    def _connected(self, connect: Callable) -> Callable:
        def counted(*args: object, **options: object) -> sqlite3.Connection:
            connection = connect(*args, **options)
            connection.set_trace_callback(self._statement)
            return connection

        return counted

    def _statement(self, statement: str) -> None:
        word = statement.split(maxsplit=1)[0].upper()
        if word not in READING:
            self(f"sql {word}")


def load_all() -> None:
    """Import what a server needs, once for all that are forked."""
    for name in ("assembly", "hosting", "server.host"):
        importlib.import_module(f"waterbutler.{name}")
    registry = Registry.from_entry_points()
    for name in ("filesystem", "osfstorage", "s3"):
        registry.factory(name)


def serve(data: str, config: str | None) -> int:
    overrides = {"server.data": data, "server.port": 0}
    if config is not None:
        loaded = load(os.environ, Path(config), overrides)
    else:
        loaded = load_standalone(os.environ, overrides)
    return app.run(loaded.settings, standalone=True)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    data, control, steps, *config = sys.argv[1:]
    load_all()
    Steps(control, steps).watch()
    for _ in sys.stdin:
        process = os.fork()
        if process == 0:
            os._exit(serve(data, *(config or [None])))
        say(f"process {process}")
        os.waitpid(process, 0)
        say("ended")


if __name__ == "__main__":
    main()
