"""The composition root: from settings to a server that can be started."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from waterbutler.auth import (
    COOKIE,
    Account,
    AuthChain,
    AuthHandler,
    MountConfig,
    Resource,
    Sessions,
    StaticHandler,
    digest,
)
from waterbutler.auth.envelope import EnvelopeKeys
from waterbutler.auth.osf import OsfExchange, OsfHandler
from waterbutler.callbacks import CallbackSink, Spool
from waterbutler.core import ANONYMOUS, Grant
from waterbutler.core.errors import ConfigInvalid, WaterButlerError
from waterbutler.core.filetree import OSFSTORAGE
from waterbutler.events import Events, Sink
from waterbutler.http import HttpClient, Reach
from waterbutler.limits import (
    Breaker,
    Limiter,
    MemoryStore,
    Policy,
    Rate,
    RedisStore,
    WhenDown,
)
from waterbutler.mounts import Mounts
from waterbutler.plugins import Context, Registry
from waterbutler.segments import OpenStorage, SegmentUploads
from waterbutler.server.app import make_application, make_server
from waterbutler.server.context import GatewayServices, ServerContext, ServerOptions
from waterbutler.server.cors import Cors
from waterbutler.server.http1 import Server
from waterbutler.server.limits import Limits
from waterbutler.server.metrics import Metrics
from waterbutler.service import Butler
from waterbutler.settings import OsfSettings, Settings, session_secret
from waterbutler.thumbnails import Thumbnails
from waterbutler.tokens import TokenStore

if TYPE_CHECKING:
    from waterbutler.host import Host

ABANDON_SECONDS = 5.0
"""How long it may take to clean up after requests that were broken off."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler")


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything that was built, for whoever starts and stops it."""

    settings: Settings
    context: ServerContext
    server: Server
    mounts: Mounts
    registry: Registry
    http: HttpClient
    outside: HttpClient
    """Speaks to machines that others named."""
    host: Host | None
    callbacks: CallbackSink
    storages: Mapping[str, OpenStorage]
    """What opens the configured storages that may be changed, by where they are."""

    async def sweep(self) -> None:
        """Clean up in all configured storages after processes that did not end well."""
        for where, use in self.storages.items():
            try:
                async with use() as storage:
                    count = await storage.sweep()
            except WaterButlerError as error:
                _log.warning("storage not ready", storage=where, reason=error.message)
            else:
                if count:
                    _log.info("left-overs removed", storage=where, count=count)

    async def aclose(self) -> None:
        """Break what is still running, and close all storages."""
        await self.server.close_all_connections()
        # What is cleaned up now still needs its storages.
        await self.context.state.abandon(ABANDON_SECONDS)
        await self.callbacks.aclose()
        await self.context.limits.aclose()
        if self.context.gateway is not None:
            await self.context.gateway.aclose()
        await self.mounts.aclose()
        await self.http.aclose()
        await self.outside.aclose()
        if self.host is not None:
            await self.host.aclose()


def assemble(settings: Settings, *, url: str | None = None) -> Assembly:
    """Build the server; must be called in its event loop.

    Args:
        settings: The settings.
        url: What links start with, if it is not as the settings say.

    Raises:
        ConfigInvalid: The settings do not fit together.
    """
    metrics = Metrics()
    registry = Registry.from_entry_points()
    data = Path(settings.server.data)
    http, outside = HttpClient(), HttpClient(reach=_reach(settings))
    secret = session_secret(settings)
    sessions = Sessions(secret, lifetime=settings.server.session_hours * 3600)
    accounts, resources = _accounts(settings), _resources(settings)
    passes_on = settings.auth.handlers[-1:] != ["static"]
    static = StaticHandler(accounts, resources, sessions, passes_on=passes_on)
    domain = (url or settings.server.url).rstrip("/")
    host = _host(settings, accounts, resources, static, domain)
    shared = Context(
        registry=registry,
        data=data,
        http=http,
        trees=host.trees if host else None,
        hooks_secret=settings.auth.osf.hmac_secret,
    )
    mounts = Mounts(shared, metrics, foreign=replace(shared, http=outside))
    storages = _writable(resources, mounts)
    auth = AuthChain(_handlers(settings, static, http))
    callbacks = CallbackSink(outside, Spool(data / "callbacks.db"), settings.auth.osf.hmac_secret)
    callbacks.start()
    context = ServerContext(
        butler=Butler(auth, mounts, concurrency=settings.server.transfer_concurrency),
        auth=auth,
        sessions=sessions,
        options=_options(settings, domain),
        metrics=metrics,
        readiness=_readiness(data, host),
        accounts=static if "static" in settings.auth.handlers else None,
        limits=_limits(settings, metrics, secret),
        events=Events((callbacks, *_counting(host))),
        gateway=_gateway(settings, data, storages),
    )
    server = _server(settings, context, host)
    return Assembly(
        settings, context, server, mounts, registry, http, outside, host, callbacks, storages
    )


def _reach(settings: Settings) -> Reach | None:
    """Where storages and callbacks may be that a host names."""
    if settings.outbound.private:
        return None
    own = (settings.auth.osf.url, settings.host.url)
    return Reach.of((*settings.outbound.hosts, *own))


def _host(
    settings: Settings,
    accounts: Sequence[Account],
    resources: Sequence[Resource],
    static: StaticHandler,
    url: str,
) -> Host | None:
    """The embedded host, where anything needs its database."""
    mounts = (mount for resource in resources for mount in resource.mounts.values())
    if not settings.serves_host and all(mount.provider != OSFSTORAGE for mount in mounts):
        return None
    # Imported only where it is used: its database library takes a third of an idle server's memory.
    from waterbutler.hosting import make_host  # noqa: PLC0415

    host = make_host(settings, accounts, resources, static, url=url)
    host.start()
    return host


def _counting(host: Host | None) -> Sequence[Sink]:
    """Who counts the downloads of files whose tree is in this process."""
    if host is None:
        return ()
    from waterbutler.hosting import DownloadCounter  # noqa: PLC0415 - as above

    return (DownloadCounter(host),)


def _server(settings: Settings, context: ServerContext, host: Host | None) -> Server:
    if host is None or not settings.serves_host:
        application = make_application(context)
    else:
        from waterbutler.server.host import host_rules  # noqa: PLC0415 - as above

        rules = host_rules(context, host)
        application = make_application(context, rules, alone=settings.host.alone)
    return make_server(application, context.options)


def _gateway(
    settings: Settings, data: Path, storages: Mapping[str, OpenStorage]
) -> GatewayServices | None:
    """What the storage gateway API needs, where it is switched on."""
    chosen = settings.gateway
    if not chosen.enabled or settings.host.alone:
        return None
    segments = SegmentUploads(
        data / "segments.db",
        data / "segments",
        quota=chosen.spool_bytes,
        lifetime=86400,
        storages=storages.values(),
    )
    segments.start()
    return GatewayServices(
        tokens=TokenStore(
            data / "tokens.db",
            access_seconds=chosen.access_minutes * 60,
            refresh_seconds=chosen.refresh_days * 86400,
        ),
        thumbnails=Thumbnails(data / "thumbnails"),
        segments=segments,
        segment_size=chosen.segment_bytes,
        prefix=chosen.prefix,
    )


def _options(settings: Settings, domain: str) -> ServerOptions:
    return ServerOptions(
        domain=domain,
        cors=Cors.of(settings.server.cors_origins),
        max_upload_size=settings.server.max_upload_bytes,
        redirect_downloads=settings.server.redirect_downloads,
        drain_limit=settings.server.drain_bytes,
        trust_proxy=settings.server.trust_proxy,
        mfr_url=settings.auth.osf.mfr_url,
        idle_seconds=settings.server.idle_seconds,
        stall_seconds=settings.server.stall_seconds,
    )


def _limits(settings: Settings, metrics: Metrics, secret: bytes) -> Limits:
    chosen = settings.limits
    policies = {
        name: Policy(Rate(limit.requests, limit.window_seconds), address_only=name == "sign_in")
        for name, limit in chosen.enabled.items()
    }
    if not policies:
        return Limits()
    limiter = Limiter(
        policies,
        Breaker(RedisStore(chosen.redis)) if chosen.store == "redis" else MemoryStore(),
        secret=secret,
        when_down=WhenDown(chosen.when_down),
    )
    return Limits(
        limiter,
        metrics,
        cookies=(COOKIE, settings.auth.osf.session_cookie),
        behind_proxy=settings.server.trust_proxy,
    )


def grant_for(mount: MountConfig) -> Grant:
    """The grant that opens a configured storage for the server itself."""
    return Grant(
        user=ANONYMOUS,
        provider=mount.provider,
        settings=mount.settings,
        credentials=mount.credentials,
        read_only=mount.read_only,
    )


def _writable(resources: Sequence[Resource], mounts: Mounts) -> dict[str, OpenStorage]:
    """See `Assembly.storages`."""
    return {
        f"{resource.id}/{name}": partial(
            mounts.use, grant_for(mount), resource=resource.id, name=name
        )
        for resource in resources
        for name, mount in resource.mounts.items()
        if not mount.read_only
    }


def _handlers(settings: Settings, static: StaticHandler, http: HttpClient) -> list[AuthHandler]:
    known: dict[str, Callable[[], AuthHandler]] = {
        "static": lambda: static,
        "osf": lambda: OsfHandler(http, _exchange(settings.auth.osf)),
    }
    missing = [name for name in settings.auth.handlers if name not in known]
    if missing:
        raise ConfigInvalid(
            f"auth.handlers: there is no handler {missing[0]!r}; known: {', '.join(known)}."
        )
    return [known[name]() for name in settings.auth.handlers]


def _exchange(settings: OsfSettings) -> OsfExchange:
    keys = EnvelopeKeys.derive(
        jwe_secret=settings.jwe_secret,
        jwe_salt=settings.jwe_salt,
        jwt_secret=settings.jwt_secret,
    )
    return OsfExchange(url=settings.url, keys=keys, session_cookie=settings.session_cookie)


def _accounts(settings: Settings) -> list[Account]:
    return [
        Account(
            id=id,
            token_sha256=user.digest,
            name=user.name or None,
            email=user.email or None,
        )
        for id, user in settings.users.items()
    ]


def _resources(settings: Settings) -> list[Resource]:
    return [
        Resource(
            id=id,
            title=resource.title,
            access={who: level == "write" for who, level in resource.access.items()},
            view_only_sha256=frozenset(digest(key) for key in resource.view_only),
            mounts={
                name: MountConfig(
                    provider=mount.provider or name,
                    settings=mount.settings,
                    credentials=mount.credentials,
                    redirect=mount.redirect,
                    read_only=mount.read_only,
                )
                for name, mount in resource.providers.items()
            },
        )
        for id, resource in settings.resources.items()
    ]


def _readiness(data: Path, host: Host | None) -> Callable[[], Awaitable[list[str]]]:
    async def reasons() -> list[str]:
        usable = await asyncio.to_thread(os.access, data, os.R_OK | os.W_OK | os.X_OK)
        found = [] if usable else ["The data folder cannot be used."]
        if host is not None:
            try:
                await host.trees.database.check()
            except WaterButlerError as error:
                found.append(error.message)
        return found

    return reasons
