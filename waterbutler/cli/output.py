"""What commands show: lines, tables, progress."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class UsageError(Exception):
    """The arguments do not fit together."""


def say(line: str) -> None:
    """A line of output."""
    print(line)  # noqa: T201 - this is what the command line is for


def complain(line: str) -> None:
    """A line on standard error."""
    print(f"waterbutler: {visible(line)}", file=sys.stderr)  # noqa: T201


def visible(text: str) -> str:
    """A text without what would move the cursor of a terminal or hide in a line."""
    if text.isprintable():
        return text
    return "".join("?" if unicodedata.category(letter)[0] == "C" else letter for letter in text)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with their columns under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _unwatched(count: int) -> None:
    pass


class Meter:
    """Progress bars of transfers, on a terminal only."""

    def __init__(self, bars: Progress | None = None) -> None:
        self._bars = bars

    @contextmanager
    def bar(self, name: str, size: int | None) -> Iterator[Callable[[int], None]]:
        """A bar for one file, as long as the context lasts; it is told of bytes that passed."""
        bars = self._bars
        if bars is None:
            yield _unwatched
            return
        task = bars.add_task(visible(name), total=size)
        try:
            yield lambda count: bars.advance(task, count)
        finally:
            bars.remove_task(task)


@contextmanager
def metered(*, quiet: bool) -> Iterator[Meter]:
    """A meter; it shows nothing if standard error is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield Meter()
        return
    # Only transfers on a terminal need it, and it takes its time to import.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield Meter(bars)
