"""The environment's names for settings: ours, and upstream's as aliases."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings.kinds import Kind, Text, as_table, fields, values_of
from waterbutler.settings.model import Settings
from waterbutler.settings.sources import KeyPath, Sources

PREFIX = "WATERBUTLER_"
"""What the names of all settings in the environment start with."""

CONFIG = "WATERBUTLER_CONFIG"
"""Names the configuration file where the command line does not."""
TOKEN = "WATERBUTLER_TOKEN"  # noqa: S105 - a name, not a token
"""The token of the client commands."""
URL = "WATERBUTLER_URL"
"""The server of the client commands."""
RESERVED = frozenset({CONFIG, TOKEN, URL})
"""Names that start like settings and are none."""

ALIASES: Mapping[str, KeyPath] = {
    "SERVER_CONFIG_ADDRESS": ("server", "host"),
    "SERVER_CONFIG_PORT": ("server", "port"),
    "SERVER_CONFIG_DOMAIN": ("server", "domain"),
    "SERVER_CONFIG_CORS_ALLOW_ORIGIN": ("server", "cors_origins"),
    "SERVER_CONFIG_MAX_BODY_SIZE": ("server", "max_upload_size"),
    "SERVER_CONFIG_XHEADERS": ("server", "trust_proxy"),
    "SERVER_CONFIG_AUTH_HANDLERS": ("auth", "handlers"),
    "SERVER_CONFIG_HMAC_SECRET": ("auth", "osf", "hmac_secret"),
    "OSFSTORAGE_PROVIDER_CONFIG_HMAC_SECRET": ("auth", "osf", "hmac_secret"),
    "OSF_AUTH_CONFIG_API_URL": ("auth", "osf", "url"),
    "OSF_AUTH_CONFIG_JWE_SECRET": ("auth", "osf", "jwe_secret"),
    "OSF_AUTH_CONFIG_JWE_SALT": ("auth", "osf", "jwe_salt"),
    "OSF_AUTH_CONFIG_JWT_SECRET": ("auth", "osf", "jwt_secret"),
    "ANALYTICS_MFR_DOMAIN": ("auth", "osf", "mfr_url"),
    "TASKS_CONFIG_BROKER_URL": ("jobs", "broker"),
    "TASKS_CONFIG_WAIT_TIMEOUT": ("jobs", "wait_seconds"),
    "SERVER_CONFIG_ENABLE_RATE_LIMITING": ("limits", "v1", "enabled"),
    "SERVER_CONFIG_RATE_LIMITING_FIXED_WINDOW_LIMIT": ("limits", "v1", "requests"),
    "SERVER_CONFIG_RATE_LIMITING_FIXED_WINDOW_SIZE": ("limits", "v1", "window_seconds"),
}
"""Upstream's names that have a meaning here. The environment's own names win over them."""


def variable(path: KeyPath) -> str:
    """The name that a setting has in the environment."""
    return PREFIX + "_".join(name.upper() for name in path)


def overlay(sources: Sources, environ: Mapping[str, str]) -> None:
    """Put what the environment sets over what is there.

    Raises:
        ConfigInvalid: A name starts like a setting and is none, or two aliases of one setting
            disagree.
    """
    aliased: dict[KeyPath, str] = {}
    for name, path in ALIASES.items():
        if name not in environ:
            continue
        other = aliased.setdefault(path, name)
        if environ[other] != environ[name]:
            raise ConfigInvalid(f"{other} and {name} set {'.'.join(path)} to different values.")
        sources.put(path, Text(environ[name]), name)
    ours = [name for name in environ if name.startswith(PREFIX) and name not in RESERVED]
    found = [(_find(Settings, sources.values, name.removeprefix(PREFIX)), name) for name in ours]
    for place, name in sorted(found, key=lambda item: (len(item[0] or ()), item[1])):
        if not place:
            raise ConfigInvalid(_unknown(name, sources))
        sources.put(place, Text(environ[name]), name)


def _find(kind: Kind, raw: object, rest: str) -> KeyPath | None:
    """Which setting below ``kind`` the rest of a name means; names in ``raw`` are known ones."""
    known = raw if isinstance(raw, dict) else {}
    if table := as_table(kind):
        inner = fields(table)
        return _among(inner, inner, known, rest)
    value = values_of(kind)
    if value is None:
        return None
    if found := _among(dict.fromkeys(known, value), known, known, rest):
        return found
    if not as_table(value):
        return (rest.lower(),) if rest else None
    for position, letter in enumerate(rest):
        if letter == "_" and position:
            below = _find(value, None, rest[position + 1 :])
            if below:
                return (rest[:position].lower(), *below)
    return None


def _among(
    kinds: Mapping[str, Kind], names: Mapping[str, object], raw: Mapping[str, object], rest: str
) -> KeyPath | None:
    """The setting that one of these names and perhaps one below it make; long names first."""
    for name in sorted(names, key=len, reverse=True):
        upper = name.upper()
        if rest == upper:
            return (name,)
        if rest.startswith(upper + "_"):
            below = _find(kinds[name], raw.get(name), rest[len(upper) + 1 :])
            if below:
                return (name, *below)
    return None


def _unknown(name: str, sources: Sources) -> str:
    rest = name.removeprefix(PREFIX)
    names = [variable(path) for path in _paths(Settings, sources.values, rest)]
    near = difflib.get_close_matches(name, [*names, *sorted(RESERVED)], 1)
    hint = f"did you mean {near[0]}?" if near else "`waterbutler settings` lists all settings."
    return f"{name} in the environment is no setting; {hint}"


def _paths(kind: Kind, raw: object, rest: str, path: KeyPath = ()) -> Iterator[KeyPath]:
    """All settings there are, for free names that are known and those that ``rest`` may hold."""
    known = raw if isinstance(raw, dict) else {}
    if table := as_table(kind):
        for name, inner in fields(table).items():
            upper = name.upper() + "_"
            below = rest.removeprefix(upper) if rest.startswith(upper) else ""
            yield from _paths(inner, known.get(name), below, (*path, name))
    elif as_table(value := values_of(kind)):
        guesses = (rest[:end].lower() for end, letter in enumerate(rest) if letter == "_" and end)
        for name in dict.fromkeys([*known, *guesses]):
            upper = name.upper() + "_"
            below = rest.removeprefix(upper) if rest.startswith(upper) else ""
            yield from _paths(value, known.get(name), below, (*path, name))
    else:
        yield path
