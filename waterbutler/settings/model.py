"""The settings as frozen values; each field carries its own help."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Literal

from msgspec import Meta, field

from waterbutler.core import JSON
from waterbutler.core.hosts import is_loopback
from waterbutler.settings.limits import LimitsSettings
from waterbutler.settings.outbound import OutboundSettings
from waterbutler.settings.tables import SECRET, Table

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(?:([kmgtp]i?)?b)?", re.IGNORECASE)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_size(text: str) -> int:
    """How many bytes ``"5GiB"``, ``"500 MB"`` or ``"1024"`` are.

    Raises:
        ValueError: It is none of these.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError('expected a size like "5GiB", "500MB" or "1024"')
    number, unit = match[1], (match[2] or "").lower()
    base = 1024 if unit.endswith("i") else 1000
    try:
        return int(float(number) * (base ** _POWERS[unit[0]] if unit else 1))
    except OverflowError:
        raise ValueError("no disk has so many bytes") from None


class ServerSettings(Table, frozen=True, kw_only=True):
    """Table ``server``."""

    host: Annotated[str, Meta(description="The address to listen on.")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="The port to listen on; 0 for any free one.")
    ] = 7777
    domain: Annotated[
        str,
        Meta(description="What links to this server start with. Empty: made of host and port."),
    ] = ""
    workers: Annotated[int, Meta(ge=1, le=1024, description="How many processes serve.")] = 1
    cors_origins: Annotated[
        list[str],
        Meta(description='Web pages from these origins may use the API; "*" for all.'),
    ] = field(default_factory=lambda: ["*"])
    max_upload_size: Annotated[
        str, Meta(description='The largest upload, "5GiB". Empty: no limit of our own.')
    ] = ""
    redirect_downloads: Annotated[
        bool,
        Meta(
            description="Send downloads to a signed link of the storage where it can make one;"
            " a mount may override this."
        ),
    ] = True
    data: Annotated[
        str, Meta(description="The server's own folder, for all that outlives the process.")
    ] = "./waterbutler-data"
    shutdown_seconds: Annotated[
        float, Meta(ge=0, description="How long running transfers may go on after a stop signal.")
    ] = 30
    drain_limit: Annotated[
        str,
        Meta(
            description="How much of a refused upload is still read, so that the client sees the"
            " answer instead of a broken connection."
        ),
    ] = "1GiB"
    transfer_concurrency: Annotated[
        int, Meta(ge=1, le=1000, description="How many files of one folder are copied at once.")
    ] = 5
    idle_seconds: Annotated[
        float,
        Meta(gt=0, description="How long an open connection may wait for a request's headers."),
    ] = 75
    stall_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="How long a client may move less than 4 KiB in the middle of a body before"
            " it is given up.",
        ),
    ] = 120
    trust_proxy: Annotated[
        bool,
        Meta(description="Believe X-Forwarded-For and X-Forwarded-Proto. Only behind a proxy."),
    ] = False
    session_secret: Annotated[
        str,
        Meta(
            description="Seals session cookies. Empty: generated and kept in the data folder.",
            extra=SECRET,
        ),
    ] = ""
    session_hours: Annotated[
        float, Meta(gt=0, description="How long a session cookie signs in.")
    ] = 168

    @property
    def url(self) -> str:
        """What links to this server start with, without a slash at the end."""
        if self.domain:
            return self.domain.rstrip("/")
        host = "localhost" if self.host in {"", "0.0.0.0", "::"} else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def max_upload_bytes(self) -> int | None:
        """The largest upload in bytes; ``None`` for no limit."""
        return parse_size(self.max_upload_size) if self.max_upload_size else None

    @property
    def drain_bytes(self) -> int:
        """How many bytes of a refused upload are still read."""
        return parse_size(self.drain_limit)

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can connect."""
        return is_loopback(self.host)


class OsfSettings(Table, frozen=True, kw_only=True):
    """Table ``auth.osf``: the exchange with an OSF-like host."""

    url: Annotated[str, Meta(description="Where the host answers who may do what.")] = (
        "http://localhost:5000/api/v1/files/auth/"
    )
    jwe_secret: Annotated[
        str, Meta(description="Encrypts the exchange; the same as the host's.", extra=SECRET)
    ] = ""
    jwe_salt: Annotated[
        str, Meta(description="Salt of that encryption; the same as the host's.", extra=SECRET)
    ] = ""
    jwt_secret: Annotated[
        str, Meta(description="Signs the exchange; the same as the host's.", extra=SECRET)
    ] = ""
    hmac_secret: Annotated[
        str,
        Meta(description="Signs hooks and log callbacks; the same as the host's.", extra=SECRET),
    ] = ""
    session_cookie: Annotated[
        str, Meta(description="The host's session cookie, the only one that is handed on to it.")
    ] = "osf"
    mfr_url: Annotated[
        str,
        Meta(
            description="Where files are rendered; downloads for its pages are marked for the host."
        ),
    ] = "http://localhost:7778"

    @property
    def secrets(self) -> dict[str, str]:
        """What both sides of the exchange must have, by name."""
        names = ("jwe_secret", "jwe_salt", "jwt_secret", "hmac_secret")
        return {name: getattr(self, name) for name in names}


class AuthSettings(Table, frozen=True, kw_only=True):
    """Table ``auth``."""

    handlers: Annotated[
        list[str],
        Meta(description='Who decides, asked in this order: "static", "osf".'),
    ] = field(default_factory=lambda: ["static"])
    osf: OsfSettings = OsfSettings()


class UserSettings(Table, frozen=True, kw_only=True):
    """Table ``users.<user>``: somebody who may sign in."""

    token: Annotated[str, Meta(description="The token to sign in with.", extra=SECRET)] = ""
    token_sha256: Annotated[
        str,
        Meta(description="Instead of the token: its SHA-256 in hexadecimal.", extra=SECRET),
    ] = ""
    name: Annotated[str, Meta(description="The full name.")] = ""
    email: Annotated[str, Meta(description="The address for mail.")] = ""

    @property
    def digest(self) -> str:
        """The SHA-256 of the token in lower-case hexadecimal."""
        if self.token:
            return hashlib.sha256(self.token.encode()).hexdigest()
        return self.token_sha256.lower()


class MountSettings(Table, frozen=True, kw_only=True):
    """Table ``resources.<resource>.providers.<mount>``: a storage under a name."""

    provider: Annotated[
        str, Meta(description="The installed provider. Empty: the mount's own name.")
    ] = ""
    settings: Annotated[dict[str, JSON], Meta(description="What the provider is opened with.")] = (
        field(default_factory=dict)
    )
    credentials: Annotated[
        dict[str, JSON], Meta(description="The provider's secrets.", extra=SECRET)
    ] = field(default_factory=dict)
    redirect: Annotated[bool | None, Meta(description="Overrides server.redirect_downloads.")] = (
        None
    )
    read_only: Annotated[bool, Meta(description="Nobody may write here.")] = False


class ResourceSettings(Table, frozen=True, kw_only=True):
    """Table ``resources.<resource>``: a project with its storages."""

    title: Annotated[str, Meta(description="What people call it.")] = ""
    access: Annotated[
        dict[str, Literal["read", "write"]],
        Meta(description='Who may do what here; "anonymous" for everybody.'),
    ] = field(default_factory=dict)
    view_only: Annotated[
        list[str],
        Meta(description="Keys that give the right to read with ?view_only=.", extra=SECRET),
    ] = field(default_factory=list)
    quota: Annotated[
        str,
        Meta(description='How much its osfstorage may hold, "50GiB". Empty: as host.quota says.'),
    ] = ""
    providers: dict[str, MountSettings] = field(default_factory=dict)


class HostSettings(Table, frozen=True, kw_only=True):
    """Table ``host``: the embedded host."""

    database: Annotated[
        str,
        Meta(description="The embedded host's database. Empty: host.db in the data folder."),
    ] = ""
    serve: Annotated[
        bool | None,
        Meta(
            description="Answer other servers under /host/; needs the secrets of auth.osf. Empty:"
            " yes, if they are set and this server does not ask another host."
        ),
    ] = None
    alone: Annotated[bool, Meta(description="Answer nothing else, as `waterbutler host` does.")] = (
        False
    )
    url: Annotated[
        str, Meta(description="What the host's own URLs start with. Empty: this server's /host.")
    ] = ""
    quota: Annotated[
        str,
        Meta(description='How much a resource\'s osfstorage may hold, "5GiB". Empty: no limit.'),
    ] = ""
    keep_deleted_days: Annotated[
        float,
        Meta(ge=0, description="How long the database remembers what was deleted. 0: for ever."),
    ] = 0


class JobSettings(Table, frozen=True, kw_only=True):
    """Table ``jobs``: long copies and moves."""

    runner: Annotated[
        Literal["inline", "celery"], Meta(description="Who does them: this process, or workers.")
    ] = "inline"
    broker: Annotated[str, Meta(description="How workers are reached.")] = (
        "redis://127.0.0.1:6379/0"
    )
    wait_seconds: Annotated[
        float, Meta(ge=0, description="How long a request waits before it is answered 202.")
    ] = 20


class GatewaySettings(Table, frozen=True, kw_only=True):
    """Table ``gateway``: the storage gateway API."""

    enabled: Annotated[bool, Meta(description="Answer the storage gateway API, under /v2/.")] = True
    prefix: Annotated[
        str, Meta(description='What its URLs may start with besides, "/storage". Empty: nothing.')
    ] = ""
    access_minutes: Annotated[
        float, Meta(gt=0, description="How long an access token is good.")
    ] = 60
    refresh_days: Annotated[
        float, Meta(gt=0, description="How long a refresh token is good if it is not used.")
    ] = 30
    segment_size: Annotated[
        str, Meta(description="Clients are asked to send larger files in segments of this size.")
    ] = "100MiB"
    spool_quota: Annotated[
        str, Meta(description="How much segments may take in the data folder before all are there.")
    ] = "50GiB"

    @property
    def segment_bytes(self) -> int:
        """The size of segments in bytes."""
        return parse_size(self.segment_size)

    @property
    def spool_bytes(self) -> int:
        """How many bytes segments may take."""
        return parse_size(self.spool_quota)


class LoggingSettings(Table, frozen=True, kw_only=True):
    """Table ``logging``."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is logged.")
    ] = "info"
    format: Annotated[
        Literal["auto", "text", "json"],
        Meta(description="How; auto is text on a terminal and JSON elsewhere."),
    ] = "auto"


class Settings(Table, frozen=True, kw_only=True):
    """Everything that can be set."""

    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    users: dict[str, UserSettings] = field(default_factory=dict)
    resources: dict[str, ResourceSettings] = field(default_factory=dict)
    host: HostSettings = HostSettings()
    jobs: JobSettings = JobSettings()
    gateway: GatewaySettings = GatewaySettings()
    limits: LimitsSettings = LimitsSettings()
    outbound: OutboundSettings = OutboundSettings()
    logging: LoggingSettings = LoggingSettings()

    @property
    def serves_host(self) -> bool:
        """Whether other servers are answered under ``/host/``."""
        if self.host.serve is not None:
            return self.host.serve
        return "osf" not in self.auth.handlers and all(self.auth.osf.secrets.values())

    @property
    def database(self) -> str:
        """The embedded host's database, in the data folder unless it is set."""
        return self.host.database or f"sqlite:///{self.server.data.rstrip('/')}/host.db"
