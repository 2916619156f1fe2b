"""The settings of limits: how many requests who may make."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from waterbutler.settings.tables import Table


class LimitSettings(Table, frozen=True, kw_only=True):
    """Tables ``limits.v1``, ``limits.v0``, ``limits.page``: off unless they are switched on."""

    enabled: Annotated[bool, Meta(description="Whether these requests are limited.")] = False
    requests: Annotated[
        int, Meta(ge=1, le=1_000_000, description="How many of them each caller may make.")
    ] = 3600
    window_seconds: Annotated[int, Meta(ge=1, le=86_400, description="In how many seconds.")] = 3600


class GatewayLimitSettings(LimitSettings, frozen=True, kw_only=True):
    """Table ``limits.gateway``."""

    enabled: Annotated[bool, Meta(description="Whether these requests are limited.")] = True
    requests: Annotated[
        int, Meta(ge=1, le=1_000_000, description="How many of them each caller may make.")
    ] = 1200
    window_seconds: Annotated[int, Meta(ge=1, le=86_400, description="In how many seconds.")] = 60


class SignInLimitSettings(GatewayLimitSettings, frozen=True, kw_only=True):
    """Table ``limits.sign_in``: signing in, and renewing that, counted by address alone."""

    requests: Annotated[
        int, Meta(ge=1, le=1_000_000, description="How many of them each address may make.")
    ] = 60


class LimitsSettings(Table, frozen=True, kw_only=True):
    """Table ``limits``: how many requests who may make."""

    store: Annotated[
        Literal["memory", "redis"],
        Meta(description="Where requests are counted: in each process, or for all servers."),
    ] = "memory"
    redis: Annotated[
        str, Meta(description="The Redis that counts; redis://, rediss:// or unix://.")
    ] = "redis://127.0.0.1:6379/0"
    when_down: Annotated[
        Literal["allow", "refuse"],
        Meta(
            description="While it cannot be reached: let requests through uncounted, or answer 503."
        ),
    ] = "allow"
    v1: LimitSettings = LimitSettings()
    v0: LimitSettings = LimitSettings()
    page: LimitSettings = LimitSettings()
    gateway: GatewayLimitSettings = GatewayLimitSettings()
    sign_in: SignInLimitSettings = SignInLimitSettings()

    @property
    def enabled(self) -> dict[str, LimitSettings]:
        """The limits that are switched on, by name."""
        all = {
            "v1": self.v1,
            "v0": self.v0,
            "page": self.page,
            "gateway": self.gateway,
            "sign_in": self.sign_in,
        }
        return {name: limit for name, limit in all.items() if limit.enabled}
