"""``serve``, ``providers`` and ``settings``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path

from waterbutler.cli.output import complain, say, table, visible
from waterbutler.core import Capabilities
from waterbutler.plugins import Registry
from waterbutler.settings import (
    CONFIG,
    NO_OVERRIDES,
    Loaded,
    check_exposure,
    describe,
    load,
    load_standalone,
)


def serve(args: argparse.Namespace) -> int:
    """Start the server and wait until it has stopped."""
    loaded = served(args)
    # Only this command needs the whole server.
    from waterbutler import app  # noqa: PLC0415

    return app.run(
        loaded.settings, standalone=loaded.standalone, reread=lambda: served(args).settings
    )


def settings(args: argparse.Namespace) -> int:
    """Show every setting."""
    loaded = load_settings(args, create=False)
    rows = describe(loaded.settings, loaded.origins)
    if args.json:
        say(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
        return 0
    lines = [("SETTING", "VALUE", "FROM")]
    for line in table(lines + [(row.name, visible(row.value), row.origin) for row in rows]):
        say(line)
    return 0


def providers(args: argparse.Namespace) -> int:
    """List the installed providers; 1 if one of them is broken."""
    registry = Registry.from_entry_points()
    found: dict[str, Capabilities] = {}
    status = 0
    for name in registry.names:
        try:
            found[name] = registry.factory(name).capabilities
        except Exception as error:  # noqa: BLE001 - a stranger's package may break in any way
            complain(f"Provider {name!r} cannot be loaded: {type(error).__name__}: {error}")
            status = 1
    if args.json:
        documents = [
            {"name": name, "capabilities": as_document(can)} for name, can in found.items()
        ]
        say(json.dumps(documents, indent=2))
        return status
    rows = [(name, words(can)) for name, can in found.items()]
    for line in table([("PROVIDER", "CAPABILITIES"), *rows]):
        say(line)
    return status


def served(args: argparse.Namespace, more: Mapping[str, object] = NO_OVERRIDES) -> Loaded:
    """The settings of a server that may be shown to whoever can reach it; see `load_settings`."""
    loaded = load_settings(args, more=more)
    check_exposure(loaded.settings, loaded.generated)
    return loaded


def load_settings(
    args: argparse.Namespace, *, create: bool = True, more: Mapping[str, object] = NO_OVERRIDES
) -> Loaded:
    """The settings that the arguments, the environment and the command itself ask for."""
    overrides = dict(more) | {
        f"server.{name}": value
        for name in ("data", "host", "port", "workers")
        if (value := getattr(args, name, None)) is not None
    }
    file = args.config or os.environ.get(CONFIG)
    if file:
        return load(os.environ, Path(file), overrides)
    return load_standalone(os.environ, overrides, create=create)


def as_document(can: Capabilities) -> dict[str, object]:
    """Capabilities as JSON."""
    document = dataclasses.asdict(can)
    document["hashes"] = sorted(can.hashes)
    return document


def words(can: Capabilities) -> str:
    """Capabilities in a line: what is true, then hashes."""
    true = [about.name for about in dataclasses.fields(can) if getattr(can, about.name) is True]
    hashes = [f"hashes={'+'.join(sorted(can.hashes))}"] if can.hashes else []
    return ", ".join([*true, *hashes]) or "read"
