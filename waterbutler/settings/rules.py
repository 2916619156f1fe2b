"""What settings must be beyond their types, and what is too open for a network."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings.model import ResourceSettings, Settings, UserSettings, parse_size

ANONYMOUS = "anonymous"
"""The name in ``access`` that stands for everybody who is not signed in."""

PUBLISHED_SECRETS = frozenset(
    {"changeme", "CirclesAre4Squares", "yusaltydough", "ILiekTrianglesALot"}
)
"""Secrets that are defaults elsewhere, so that everybody knows them."""

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def check(settings: Settings) -> None:
    """Check what no type can say.

    Raises:
        ConfigInvalid: Something is missing, doubled, or does not fit together.
    """
    _check_sizes(settings)
    _check_users(settings)
    if not re.match(r"rediss?://[^/]|unix:///", settings.limits.redis):
        raise ConfigInvalid('limits.redis: expected an address like "redis://127.0.0.1:6379/0".')
    for name, resource in settings.resources.items():
        _check_resource(f"resources.{name}", resource, settings)
    needs = 'the auth handler "osf"' if "osf" in settings.auth.handlers else ""
    if settings.host.serve:
        needs = needs or "host.serve"
    if settings.host.alone and not settings.serves_host:
        raise ConfigInvalid("host.alone: nothing would be served; host.serve is off.")
    for key, secret in _osf_secrets(settings):
        if needs and not secret:
            raise ConfigInvalid(f"{key} is missing; {needs} needs it.")


def check_exposure(settings: Settings, generated: bool) -> None:
    """Refuse to show a server to a network whose secrets are not its administrator's own.

    Args:
        settings: What is about to be served.
        generated: Whether a token was made up for the start without a configuration file.

    Raises:
        ConfigInvalid: Other machines could reach it, and a secret is generated or published.
    """
    server = settings.server
    if server.is_loopback:
        return
    where = f"server.host is {server.host!r}, which other machines can reach"
    if generated:
        raise ConfigInvalid(
            f"{where}, but the token of users.admin is a generated one. Set"
            " WATERBUTLER_USERS_ADMIN_TOKEN, or write a configuration file and start with --config."
        )
    for key, secret in _secrets(settings):
        if secret in PUBLISHED_SECRETS:
            raise ConfigInvalid(f"{where}, but {key} is a published default. Choose a secret.")


def _check_sizes(settings: Settings) -> None:
    server = settings.server
    for name, text in (
        ("max_upload_size", server.max_upload_size or "0"),
        ("drain_limit", server.drain_limit),
    ):
        _check_size(f"server.{name}", text)
    _check_size("host.quota", settings.host.quota or "0")
    gateway = settings.gateway
    for name, text in (
        ("segment_size", gateway.segment_size),
        ("spool_quota", gateway.spool_quota),
    ):
        _check_size(f"gateway.{name}", text)
    if not gateway.segment_bytes:
        raise ConfigInvalid("gateway.segment_size: a segment has at least one byte.")
    if not _PREFIX.fullmatch(gateway.prefix):
        raise ConfigInvalid('gateway.prefix: expected a path like "/storage", or nothing.')
    if server.domain and not re.match(r"https?://[^/]", server.domain):
        raise ConfigInvalid('server.domain: expected an address like "https://files.example.org".')
    if not server.data:
        raise ConfigInvalid("server.data: expected the name of a folder.")


def _check_size(key: str, text: str) -> None:
    try:
        parse_size(text)
    except ValueError as error:
        raise ConfigInvalid(f"{key}: {error}.") from None


def _check_users(settings: Settings) -> None:
    seen: dict[str, str] = {}
    for name, user in settings.users.items():
        key = f"users.{name}"
        if name == ANONYMOUS:
            raise ConfigInvalid(f"{key}: this name stands for everybody who is not signed in.")
        _check_token(key, user)
        other = seen.setdefault(user.digest, key)
        if other != key:
            raise ConfigInvalid(f"{other} and {key} have the same token.")


def _check_token(key: str, user: UserSettings) -> None:
    if bool(user.token) == bool(user.token_sha256):
        raise ConfigInvalid(f"{key}: expected exactly one of token and token_sha256.")
    if user.token_sha256 and not _SHA256.fullmatch(user.token_sha256):
        raise ConfigInvalid(f"{key}.token_sha256: expected 64 hexadecimal digits.")


def _check_resource(key: str, resource: ResourceSettings, settings: Settings) -> None:
    for name in resource.access:
        if name != ANONYMOUS and name not in settings.users:
            raise ConfigInvalid(f"{key}.access: there is no user {name!r}.")
    _check_size(f"{key}.quota", resource.quota or "0")
    if not all(resource.view_only):
        raise ConfigInvalid(f"{key}.view_only: a key must not be empty.")


def _osf_secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, secret in settings.auth.osf.secrets.items():
        yield f"auth.osf.{name}", secret


def _secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    yield from _osf_secrets(settings)
    yield "server.session_secret", settings.server.session_secret
    for name, user in settings.users.items():
        yield f"users.{name}.token", user.token
    for name, resource in settings.resources.items():
        for key in resource.view_only:
            yield f"resources.{name}.view_only", key
