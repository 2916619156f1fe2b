"""Tries out the parsers with inputs that are led by which lines they reach.

``python -m tests.fuzz.fuzzer --seconds 60`` tries each target of `tests.fuzz.targets` for a minute,
one after the other, each in a process of its own. New inputs that reach something are kept in the
folder ``.fuzz`` and are where the next run goes on; an input that fails is kept there as well.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
"""Inputs to begin with, and those that failed once; a folder for each target."""
MODULES = ("answers", "gateway", "proofs", "requests", "settings")
INSTRUMENTED = ["waterbutler", "waterbutler_osfstorage", "waterbutler_s3"]
LONGEST = 8192
"""The longest input, in bytes."""
_PREFIX = "fuzz_"

Target = Callable[[bytes], None]


def targets(*modules: str) -> dict[str, Target]:
    """All targets of some modules by name, as ``requests.paths``."""
    found: dict[str, Target] = {}
    for name in modules or MODULES:
        module = importlib.import_module(f"tests.fuzz.targets.{name}")
        for key, value in vars(module).items():
            if key.startswith(_PREFIX):
                found[f"{name}.{key.removeprefix(_PREFIX)}"] = value
    return found


def seeds(name: str) -> list[Path]:
    """The inputs of a target that are kept with it."""
    return sorted((CORPUS / name).iterdir())


def fuzz(name: str, seconds: int, runs: int, folder: Path) -> None:
    """Try out one target, for so many seconds or so many inputs; ends the process."""
    import atheris  # noqa: PLC0415 - exists for Linux only

    with atheris.instrument_imports(include=INSTRUMENTED):
        target = targets(name.partition(".")[0])[name]
    grown = folder / name
    grown.mkdir(parents=True, exist_ok=True)
    options = [
        *(f"-max_total_time={seconds}", f"-runs={runs}", f"-max_len={LONGEST}", "-timeout=20"),
        *(
            f"-artifact_prefix={folder}/failed-{name}-",
            "-print_final_stats=1",
            # What started this process counts as well: tests are large when they have run for long.
            *("-rss_limit_mb=4096", "-malloc_limit_mb=512"),
        ),
    ]
    atheris.Setup([sys.argv[0], *options, str(grown), str(CORPUS / name)], target)
    atheris.Fuzz()


def main(arguments: list[str] | None = None) -> int:
    """The exit status is the number of targets that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="requests.paths and so on; all without any")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; 0: no limit")
    parser.add_argument("--runs", type=int, default=-1, help="the most inputs for each target")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="what is kept goes here")
    parser.add_argument("--here", action="store_true", help="one target, in this process")
    given = parser.parse_args(arguments)
    if given.here:
        fuzz(given.targets[0], given.seconds, given.runs, given.folder)
    failed = []
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for name in given.targets or targets():
        program = [sys.executable, "-m", "tests.fuzz.fuzzer", "--here", name]
        options = [f"--seconds={given.seconds}", f"--runs={given.runs}", f"--folder={given.folder}"]
        print(f"== {name}", flush=True)
        ended = subprocess.run([*program, *options], check=False, env={**os.environ, **paths})
        if ended.returncode:
            failed.append(name)
    print(f"Failed: {', '.join(failed)}" if failed else "None failed.")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
