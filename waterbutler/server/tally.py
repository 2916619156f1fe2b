"""What the processes of one server have counted together, in files that they share.

Each process has files of its own, named after it. What processes counted that have ended is moved
into one file for each kind of number: otherwise there were more files with each restart, and every
look at the numbers would read them all.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Names, in the environment, the folder with the files: the library looks there."""
_KINDS = ("counter", "histogram")
"""What goes on being true when a process has ended."""
_BESIDE_KEY = 64
"""More bytes than an entry has beside its key."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.metrics")


def rendered(folder: Path) -> bytes:
    """The sums over all processes, in the text format of Prometheus."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    with _locked(folder, fcntl.LOCK_SH):
        return generate_latest(registry)


def settle(folder: Path, pid: int) -> None:
    """A process has ended: keep what it counted, and forget what it had at the moment.

    Raises:
        BlockingIOError: Somebody reads the numbers; try again.
        OSError: There is no room; what it counted stays where it is, and counts.
    """
    for file in folder.glob(f"gauge_*_{pid}.db"):
        file.unlink()
    with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
        for kind in _KINDS:
            file = folder / f"{kind}_{pid}.db"
            if file.exists():
                _add(file, folder / f"{kind}_ended.db")


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Nobody sees a number in two files, or in none."""
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)


def _add(file: Path, ended: Path) -> None:
    """Move the numbers of a file into another one."""
    files = [str(each) for each in (ended, file) if each.exists()]
    new = ended.with_suffix(".new")
    try:
        _write(new, MultiProcessCollector.merge(files, accumulate=False))  # type: ignore[no-untyped-call]
        new.replace(ended)
    except (ValueError, RuntimeError, struct.error) as error:
        # It died while it made the file, which nobody can read; nor could they read all others.
        _log.warning("metrics lost", reason=str(error))
    finally:
        new.unlink(missing_ok=True)
    file.unlink()


def _write(file: Path, metrics: Iterable[Metric]) -> None:
    values = {}
    for metric in metrics:
        for sample in metric.samples:
            names, labels = list(sample.labels), list(sample.labels.values())
            key = mmap_key(metric.name, sample.name, names, labels, metric.documentation)
            values[key] = sample.value
    # Written and not only made long: a disk that is full while a mapped page is touched ends the
    # process.
    file.write_bytes(bytes(sum(len(key.encode()) + _BESIDE_KEY for key in values) + _BESIDE_KEY))
    kept = MmapedDict(str(file))  # type: ignore[no-untyped-call]
    try:
        for key, value in values.items():
            kept.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    finally:
        kept.close()  # type: ignore[no-untyped-call]
