"""The set-up of a server that is started without a configuration file."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings.load import NO_OVERRIDES, Loaded, apply, read
from waterbutler.settings.model import ServerSettings, Settings
from waterbutler.settings.reading import Reader
from waterbutler.settings.sources import Sources

STANDALONE = "standalone"
"""The origin of what the set-up without a file sets."""

_TOKEN: tuple[str, ...] = ("users", "admin", "token")
_NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


def standalone(data: Path, *, host: str = "127.0.0.1", port: int = 7777) -> Settings:
    """User ``admin`` with a token of its own, and resource ``demo`` with two storages in ``data``.

    Makes the data folder (mode 0700), its ``files`` and its ``token`` (mode 0600) where they are
    missing.

    Raises:
        ConfigInvalid: The data folder cannot be used.
    """
    overrides = {"server.data": str(data), "server.host": host, "server.port": port}
    return load_standalone(_NO_ENVIRONMENT, overrides).settings


def load_standalone(
    environ: Mapping[str, str],
    overrides: Mapping[str, object] = NO_OVERRIDES,
    *,
    create: bool = True,
) -> Loaded:
    """The same with the environment and ``overrides`` over it, as `load` has them.

    Args:
        environ: The environment.
        overrides: Values by dotted name, from the command line.
        create: Make what is missing in the data folder; without it nothing is touched, and the
            token is not the one that signs in.

    Raises:
        ConfigInvalid: A setting is wrong, or the data folder cannot be used.
    """
    sources = Sources()
    data = _data_folder(environ, overrides)
    sources.add(_tables(data), STANDALONE)
    apply(sources, environ, overrides)
    own_token = sources.get(_TOKEN) or sources.get((*_TOKEN[:-1], "token_sha256"))
    if create:
        make_private_folder(data)
        _make_folder(data / "files")
    if not own_token:
        token = _token(data) if create else secrets.token_urlsafe()
        sources.put(_TOKEN, token, str(data / "token"))
    settings, origins = read(sources, environ, overrides)
    generated = not own_token and "static" in settings.auth.handlers
    return Loaded(settings, origins, standalone=True, generated=generated)


def session_secret(settings: Settings) -> bytes:
    """What seals session cookies: the setting, or else ``session.key`` in the data folder.

    The file is made once (mode 0600); processes that start together agree on it.

    Raises:
        ConfigInvalid: The data folder cannot be used.
    """
    server = settings.server
    if server.session_secret:
        return server.session_secret.encode()
    data = Path(server.data)
    make_private_folder(data)
    return private_text(data / "session.key", lambda: secrets.token_hex(32)).encode()


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner can read; one that exists stays as it is.

    Raises:
        ConfigInvalid: It cannot be made.
    """
    _make_folder(folder, 0o700)


def private_text(file: Path, make: Callable[[], str]) -> str:
    """The text of a file that only its owner can read; made in one step if it is missing.

    Args:
        file: The file.
        make: Makes the text for a new file.

    Raises:
        ConfigInvalid: It cannot be read or made, or is empty.
    """
    try:
        if not file.exists():
            _create(file, make())
        elif file.stat().st_mode & 0o077:
            file.chmod(0o600)
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        raise ConfigInvalid(f"{file} cannot be used: {reason}.") from None
    if not text:
        raise ConfigInvalid(f"{file} is empty; remove it to get a new one.")
    return text


def _create(file: Path, text: str) -> None:
    """Make a file with its content in one step; a file that is there by now is left alone."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(text + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(name, file)
    finally:
        Path(name).unlink()


def _token(data: Path) -> str:
    return private_text(data / "token", secrets.token_urlsafe)


def _make_folder(folder: Path, mode: int = 0o777) -> None:
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigInvalid(f"The folder {folder} cannot be made: {error.strerror}.") from None


def _data_folder(environ: Mapping[str, str], overrides: Mapping[str, object]) -> Path:
    """Where the data folder is, before the other settings can be read."""
    sources = Sources()
    sources.add(_tables(Path()), STANDALONE)
    apply(sources, environ, overrides)
    server = sources.get(("server",)) or {}
    return Path(Reader(sources, environ).table(ServerSettings, server, ("server",)).data)


def _tables(data: Path) -> dict[str, object]:
    files, blobs = (str((data / name).absolute()) for name in ("files", "blobs"))
    # The mount computes the hashes itself.
    store = {"provider": "filesystem", "folder": blobs, "create": True, "hashes": False}
    demo = {
        "title": "Demo",
        "access": {"admin": "write"},
        "providers": {
            "osfstorage": {"settings": {"storage": store}},
            "filesystem": {"settings": {"folder": files}},
        },
    }
    return {
        "server": {},
        "users": {"admin": {"name": "Administrator"}},
        "resources": {"demo": demo},
    }
