"""Targets: settings, from a file and from the environment."""

import tempfile
from contextlib import suppress
from pathlib import Path

from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings import load

VARIABLES = ["SERVER_PORT", "SERVER_MAX_UPLOAD_SIZE", "AUTH_HANDLERS", "USERS_A", "RESOURCES_A_B"]


def fuzz_files(data: bytes) -> None:
    """A file is read, or refused; files that it refers to are left out."""
    if b"file:" in data:
        return
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        try:
            loaded = load({}, Path(file.name))
        except ConfigInvalid:
            return
    assert loaded.settings.server.drain_bytes >= 0
    assert loaded.settings.gateway.segment_bytes > 0


def fuzz_environment(data: bytes) -> None:
    """Variables, each with a part of the input."""
    values = data.decode("utf-8", "replace").replace("file:", "").split("\n")
    for name, value in zip(VARIABLES, values, strict=False):
        with suppress(ConfigInvalid):
            load({f"WATERBUTLER_{name}": value})
    with suppress(ConfigInvalid):
        load({f"WATERBUTLER_{values[0]}": values[-1]})
