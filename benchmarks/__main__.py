"""``python -m benchmarks [ROW …]``: measure, print what was found, keep it if it is all of it."""

from __future__ import annotations

import argparse
import dataclasses
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import record
from benchmarks.load import WrongAnswer
from benchmarks.measuring import Row, Seen
from benchmarks.programs import Missing
from benchmarks.report import reached, shown
from benchmarks.rows import ROWS
from benchmarks.sizes import BY_NAME, FULL, Sizes
from benchmarks.stage import Stage


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for."""
    options = _options(arguments)
    if options.list:
        for row in ROWS.values():
            print(f"{row.name:18} {row.title}")
        return
    _allow_many_files()
    sizes = BY_NAME[options.sizes]
    if options.rounds:
        sizes = dataclasses.replace(sizes, rounds=options.rounds)
    keep: Path | None = options.results
    if keep is None and sizes.name == FULL.name and sizes.rounds >= FULL.rounds:
        keep = record.FOLDER
    failed: list[str] = []
    for name in options.rows or ROWS:
        try:
            found = measure(ROWS[name], sizes, options.folder)
        except (Missing, OSError, WrongAnswer) as problem:
            # The other rows take an hour and know nothing of this one.
            print(f"\n{name}: {type(problem).__name__}: {problem}")
            failed.append(name)
            continue
        _print(ROWS[name], found)
        if keep:
            print(f"  written: {record.write(found, keep)}")
    if failed:
        raise SystemExit(f"Not measured: {', '.join(failed)}")


def measure(row: Row, sizes: Sizes, folder: Path | None = None) -> record.Result:
    """Measure one row, with servers of its own.

    Args:
        row: The row.
        sizes: How much.
        folder: Where to make files, instead of where temporary files are.
    """
    with tempfile.TemporaryDirectory(prefix="waterbutler-bench-", dir=folder) as name:
        stage, seen = Stage(Path(name), sizes), Seen()
        with stage:
            row.measure(stage, seen)
        return record.result(row, seen, sizes, Path(name))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="what to measure; all by default")
    parser.add_argument("--list", action="store_true", help="list the rows")
    parser.add_argument("--sizes", choices=BY_NAME, default=FULL.name, help="how much to measure")
    parser.add_argument("--rounds", type=int, default=0, help="how often each side is measured")
    parser.add_argument("--folder", type=Path, help="on which disk; the one of temporary files")
    parser.add_argument(
        "--results",
        type=Path,
        help="where to write results; a full run writes them to benchmarks/results by itself",
    )
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.rows) - set(ROWS)):
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return options


def _print(row: Row, found: record.Result) -> None:
    print(f"\n{row.title} (`{row.name}`, {found.sizes}, {time.strftime('%H:%M:%S')})")
    for one in found.measurements:
        at = "" if one.at is None else f" at {one.at:,.10g}"
        spread = f"{shown(min(one.values))} to {shown(max(one.values))}"
        print(f"  {shown(one.median):>10} {one.unit:10} {one.name}{at}  ({spread})")
    for verdict in found.verdicts:
        value = f"{shown(verdict.value)} {verdict.unit}"
        print(f"  {reached(verdict):>10}: {verdict.what}: {value}, goal: {verdict.goal}")


def _allow_many_files() -> None:
    """A thousand connections need as many descriptors, here and in the servers."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
