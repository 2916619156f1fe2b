"""What an S3 mount is set up with, and what follows from it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

import msgspec

from waterbutler.core.errors import ConfigInvalid
from waterbutler.core.hosts import is_loopback
from waterbutler_s3.dialects import Dialect, choose

MIB = 1 << 20
MIN_PART = 5 * MIB
"""The least that all parts but the last must have."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_AWS_ITSELF = re.compile(r"s3\.amazonaws\.com|s3[.-]([a-z]{2}(?:-[a-z]+)+-\d+)\.amazonaws\.com")
_PLAIN_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
"""Buckets that can be a label of a host name under one certificate."""

Style = Literal["auto", "path", "virtual"]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class S3Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a mount.

    Attributes:
        bucket: The bucket.
        id: The bucket and the folder in it as ``bucket:/folder/``; what `bucket` and `prefix` say
            goes before it.
        prefix: Only keys that begin with this folder are shown.
        encrypt_uploads: Ask the server to encrypt with keys of its own (``AES256``).
        endpoint_url: Where the server is; without it, and without `host`, that is Amazon.
        host, port, secure: The same in three parts.
        region: The region; found out if it is not given.
        addressing_style: ``path`` puts the bucket into the path, ``virtual`` into the host name.
        dialect: Which kind of server it is, a name of `DIALECTS`; by default told from the host.
        versions: Whether old versions are offered, if it is not as usual for the dialect.
        part_size: In what pieces larger files are sent, in bytes; more where a file needs it.
        concurrency: How many parts of a file are under way at a time.
    """

    bucket: str | None = None
    id: str | None = None
    prefix: str | None = None
    encrypt_uploads: bool | None = False
    endpoint_url: str | None = None
    host: str | None = None
    port: Port | None = None
    secure: bool | None = None
    region: str | None = None
    addressing_style: Style | None = None
    dialect: str | None = None
    versions: bool | None = None
    part_size: Annotated[int, msgspec.Meta(ge=MIN_PART, le=5 << 30)] = 8 * MIB
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=32)] = 4


class S3Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials of a mount; none at all for a bucket that is public.

    Attributes:
        access_key, secret_key: The pair of keys.
        session_token: What belongs to a pair that is only valid for a time.
        host, port, secure: Where the server is, for hosts that keep this here.
    """

    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    host: str | None = None
    port: Port | None = None
    secure: bool | None = None

    def __repr__(self) -> str:
        """Without the values."""
        return "S3Credentials(…)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bucket is.

    Attributes:
        scheme: ``https`` or ``http``.
        host: The host, with its port if it is not the usual one, in which ``{region}`` stands for
            the region.
        base: What comes before the bucket in paths; empty or with a slash at its start.
        bucket: The bucket.
        in_host: Whether the bucket is a part of the host name.
    """

    scheme: str
    host: str
    base: str
    bucket: str
    in_host: bool

    def __str__(self) -> str:
        """What identifies the bucket, whatever its region."""
        return f"s3://{_without_region(self.host)}{self.base}/{self.bucket}"

    @property
    def is_exposed(self) -> bool:
        """Whether others than this machine and the server could alter what is sent there."""
        name = urlsplit(f"//{self.host}").hostname or ""
        return self.scheme == "http" and not is_loopback(name)

    def url(self, region: str, key: str) -> str:
        """The address of a key, or of the bucket itself for an empty one, percent-encoded."""
        suffix = ".cn" if region.startswith("cn-") else ""
        host = self.host.replace("{region}", region).replace("{cn}", suffix)
        path = f"/{quote(key, safe='/~', errors='surrogateescape')}"
        if self.in_host:
            return f"{self.scheme}://{self.bucket}.{host}{self.base}{path}"
        return f"{self.scheme}://{host}{self.base}/{self.bucket}{path if key else ''}"


@dataclass(frozen=True, slots=True)
class Setup:
    """What settings and credentials come to."""

    place: Place
    dialect: Dialect
    region: str
    prefix: str
    """What all keys begin with: empty, or with a slash at its end."""


def understand(settings: S3Settings, credentials: S3Credentials) -> Setup:
    """Put settings and credentials together.

    Raises:
        ConfigInvalid: They make no sense.
    """
    id_bucket, _, id_prefix = (settings.id or "").partition(":/")
    bucket = settings.bucket or id_bucket
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise ConfigInvalid("The settings name no bucket, or one that cannot exist.")
    if bool(credentials.access_key) != bool(credentials.secret_key):
        raise ConfigInvalid("The credentials have only one of access_key and secret_key.")
    prefix = settings.prefix if settings.prefix is not None else id_prefix
    scheme, host, base, region = _endpoint(settings, credentials)
    plain = _without_region(host)
    dialect = choose(settings.dialect or "", urlsplit(f"//{plain}").hostname or "")
    region = settings.region or region or dialect.region
    if not _REGION.fullmatch(region):
        raise ConfigInvalid("The region cannot be one.")
    in_host = _in_host(settings.addressing_style or "auto", dialect, host, bucket)
    return Setup(Place(scheme, host, base, bucket, in_host), dialect, region, _prefix(prefix))


def _endpoint(settings: S3Settings, credentials: S3Credentials) -> tuple[str, str, str, str]:
    """Scheme, host, base of paths, and the region if the host tells it."""
    url = (settings.endpoint_url or "").rstrip("/")
    if not url:
        host = settings.host or credentials.host or ""
        port = settings.port or credentials.port
        secure = settings.secure if settings.secure is not None else credentials.secure
        if not host:
            return "https", "s3.{region}.amazonaws.com{cn}", "", ""
        url = f"{'http' if secure is False else 'https'}://{host}{f':{port}' if port else ''}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigInvalid("The endpoint is no address.") from None
    odd = parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in {"http", "https"} or not parts.hostname or odd or not url.isascii():
        raise ConfigInvalid("The endpoint is no address of the form https://host:port.")
    aws = _AWS_ITSELF.fullmatch(parts.hostname)
    if aws and port is None:
        return parts.scheme, "s3.{region}.amazonaws.com{cn}", "", aws[1] or ""
    usual = {"http": 80, "https": 443}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != usual:
        host = f"{host}:{port}"
    return parts.scheme, host, quote(parts.path.rstrip("/"), safe="/~%"), ""


def _without_region(host: str) -> str:
    return host.replace("{region}.", "").replace("{cn}", "")


def _in_host(style: Style, dialect: Dialect, host: str, bucket: str) -> bool:
    if style == "auto":
        return dialect.bucket_in_host and _PLAIN_LABEL.fullmatch(bucket) is not None
    if style == "virtual" and _is_address(host):
        raise ConfigInvalid("An address of numbers has no names below it: use the path style.")
    return style == "virtual"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
    return True


def _prefix(text: str) -> str:
    prefix = text.strip("/")
    if "\0" in prefix or len(prefix.encode(errors="replace")) > 900:
        raise ConfigInvalid("The prefix cannot be one.")
    return f"{prefix}/" if prefix else ""
