"""Settings: one frozen value, read from a TOML file and the environment."""

from waterbutler.settings.environment import ALIASES, CONFIG, RESERVED, TOKEN, URL
from waterbutler.settings.limits import LimitSettings, LimitsSettings
from waterbutler.settings.load import NO_OVERRIDES, Loaded, load
from waterbutler.settings.model import (
    AuthSettings,
    GatewaySettings,
    HostSettings,
    JobSettings,
    LoggingSettings,
    MountSettings,
    OsfSettings,
    ResourceSettings,
    ServerSettings,
    Settings,
    UserSettings,
    parse_size,
)
from waterbutler.settings.outbound import OutboundSettings
from waterbutler.settings.redaction import HIDDEN
from waterbutler.settings.rules import ANONYMOUS, PUBLISHED_SECRETS, check_exposure
from waterbutler.settings.standalone import load_standalone, session_secret, standalone
from waterbutler.settings.table import Described, Row, describe, documented, markdown

__all__ = [
    "ALIASES",
    "ANONYMOUS",
    "CONFIG",
    "HIDDEN",
    "NO_OVERRIDES",
    "PUBLISHED_SECRETS",
    "RESERVED",
    "TOKEN",
    "URL",
    "AuthSettings",
    "Described",
    "GatewaySettings",
    "HostSettings",
    "JobSettings",
    "LimitSettings",
    "LimitsSettings",
    "Loaded",
    "LoggingSettings",
    "MountSettings",
    "OsfSettings",
    "OutboundSettings",
    "ResourceSettings",
    "Row",
    "ServerSettings",
    "Settings",
    "UserSettings",
    "check_exposure",
    "describe",
    "documented",
    "load",
    "load_standalone",
    "markdown",
    "parse_size",
    "session_secret",
    "standalone",
]
