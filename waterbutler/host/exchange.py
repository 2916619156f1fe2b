"""The host's part of the exchange: who may do what, and what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import msgspec

from waterbutler.auth.envelope import BadEnvelope, EnvelopeKeys, open_sealed, seal
from waterbutler.core import JSON, AccessRequest, Action, Grant, Identity
from waterbutler.core.errors import BadPath, Forbidden, InvalidRequest, IsAFolder, NotFound
from waterbutler.core.filetree import OSFSTORAGE, Location, check_id
from waterbutler.host.accounts import Accounts, storage_of
from waterbutler.host.tree import EmbeddedTrees

MFR_HEADER = "x-cos-mfr-render-request"

DOWNLOADS = frozenset({"download_file", "download_zip"})
"""Actions of log callbacks of which nothing is kept: downloads are counted when they begin."""

_ACTIONS = {
    "metadata": Action.METADATA,
    "revisions": Action.REVISIONS,
    "download": Action.DOWNLOAD,
    "render": Action.RENDER,
    "export": Action.EXPORT,
    "copyfrom": Action.COPY_FROM,
    "upload": Action.UPDATE_FILE,
    "create_folder": Action.CREATE_FOLDER,
    "delete": Action.DELETE,
    "copy": Action.COPY_TO,
    "move": Action.MOVE_TO,
    "copyto": Action.COPY_TO,
    "moveto": Action.MOVE_TO,
    "movefrom": Action.MOVE_FROM,
}
"""The host's words for actions; they need the same rights there as ours do here."""


class _Metrics(msgspec.Struct):
    origin: str | None = None
    uri: str | None = None


class _Asked(msgspec.Struct):
    """What a server asks."""

    nid: str
    provider: str
    action: str
    path: str = "/"
    version: str | int | None = None
    metrics: _Metrics | None = None
    cookie: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """How the host presents itself.

    Attributes:
        url: What its own URLs start with: ``http://127.0.0.1:7777/host``, without a slash.
        keys: Seal the exchange of rights.
        hmac_secret: Signs hooks and log callbacks.
        origins: Pages from these origins may write with a session cookie.
    """

    url: str
    keys: EnvelopeKeys = field(repr=False)
    hmac_secret: str = field(repr=False)
    origins: frozenset[str] = frozenset()


class Exchange:
    """Answers servers that ask who may do what.

    Args:
        accounts: Users, resources, rights.
        trees: The files.
        options: How the host presents itself.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        accounts: Accounts,
        trees: EmbeddedTrees,
        options: HostOptions,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.accounts = accounts
        self.trees = trees
        self.options = options
        self.clock = clock

    async def answer(self, token: str, identity: Identity) -> str:
        """The sealed grant for a sealed question.

        Args:
            token: The question.
            identity: What the server relayed of its client.

        Raises:
            InvalidRequest: The action is unknown, or the file has no such version.
            Unauthenticated, Forbidden, NotFound: See `Accounts.authorize`; `Forbidden` also where
                the token cannot be believed.
        """
        asked = self._opened(token)
        request = self._request(asked, identity)
        grant = await self.accounts.authorize(request)
        settings = dict(grant.settings)
        credentials = dict(grant.credentials)
        if grant.provider == OSFSTORAGE:
            location = await self._located(request)
            settings, credentials = await self._storage(grant, request.resource, location)
            if location is not None:
                await self._count(request, grant, asked, location)
        if grant.provider != request.provider:
            settings["service"] = grant.provider
        user = grant.user
        said = {"id": user.id, "email": user.email, "name": user.name} if user.id else {}
        data: dict[str, JSON] = {
            "auth": {name: value for name, value in said.items() if value is not None},
            "credentials": credentials,
            "settings": settings,
            "callback_url": f"{self.options.url}/api/v1/project/{request.resource}"
            "/waterbutler/logs/",
        }
        return seal({"data": data}, self.options.keys, now=self.clock())

    def _opened(self, token: str) -> _Asked:
        try:
            claims = open_sealed(token, self.options.keys, now=self.clock())
        except BadEnvelope as error:
            raise Forbidden(str(error)) from None
        try:
            return msgspec.convert(claims.get("data"), _Asked)
        except msgspec.ValidationError:
            raise InvalidRequest("The question makes no sense.") from None

    def _request(self, asked: _Asked, identity: Identity) -> AccessRequest:
        action = _ACTIONS.get(asked.action)
        if action is None:
            raise InvalidRequest("The action is unknown.")
        metrics = asked.metrics or _Metrics()
        # Browsers name the page that sends a write: another's must not use its visitor's cookie.
        trusted = metrics.origin is None or metrics.origin in self.options.origins
        return AccessRequest(
            resource=asked.nid,
            provider=asked.provider,
            action=action,
            path=asked.path,
            version=str(asked.version) if asked.version else None,
            identity=msgspec.structs.replace(
                identity, cookie=asked.cookie or None, same_origin=trusted
            ),
        )

    async def _located(self, request: AccessRequest) -> Location | None:
        """The version that is meant, where the path names a live file of this resource."""
        id = request.path.strip("/")
        try:
            check_id(id)
            number = None if request.version is None else _number(request.version)
            tree = self.trees.tree(request.resource)
            if not (await tree.lineage(id))[0].version:
                return None
        except (BadPath, NotFound):
            return None
        try:
            return await tree.locate(id, version=number)
        except IsAFolder:
            return None
        except NotFound as error:
            raise InvalidRequest(error.message) from None

    async def _storage(
        self, grant: Grant, resource: str, location: Location | None
    ) -> tuple[dict[str, JSON], dict[str, JSON]]:
        """Settings and credentials of the blob store that has the version."""
        settings, credentials = storage_of(grant.settings), storage_of(grant.credentials)
        region = self.accounts.region(location.settings) if location else None
        if region is not None and region.settings != settings:
            settings, credentials = dict(region.settings), dict(region.credentials)
        return {
            "storage": settings,
            "nid": resource,
            "rootId": await self.trees.root(resource),
            "baseUrl": f"{self.options.url}/api/v1/{resource}/{OSFSTORAGE}/",
        }, {"storage": credentials}

    async def _count(
        self, request: AccessRequest, grant: Grant, asked: _Asked, location: Location
    ) -> None:
        """Count a download, or keep that the version was seen."""
        id, user = request.path.strip("/"), grant.user.id
        number = location.version.index if location.version else None
        tree = self.trees.tree(request.resource)
        if request.action is Action.RENDER and user is not None:
            await tree.mark_seen(id, user=user, version=number)
        if (
            request.action is Action.DOWNLOAD
            and not self.accounts.contributes(user, request.resource)
            and MFR_HEADER not in request.identity.headers
            and not only_shows(asked.metrics.uri if asked.metrics else None)
        ):
            await tree.count_download(id, version=number)


def _number(version: str) -> int:
    """The number of a version.

    Raises:
        InvalidRequest: It is none.
    """
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise InvalidRequest("A version is a number.")
    return int(version)


def only_shows(uri: str | None) -> bool:
    """Whether a download's address says that the file is only shown."""
    if not uri or "?" not in uri:
        return False
    return "render" in parse_qs(urlsplit(uri).query).get("mode", [])


def check_log(accounts: Accounts, payload: Mapping[str, JSON]) -> tuple[str, str | None]:
    """The action and the user that a log callback is about.

    Raises:
        InvalidRequest: Something is missing, or the action or the user is unknown.
    """
    action = payload.get("action")
    auth = payload.get("auth")
    user = auth.get("id") if isinstance(auth, dict) else None
    if not isinstance(action, str):
        raise InvalidRequest("The action is missing.")
    if action in DOWNLOADS:
        return action, str(user) if user else None
    if not isinstance(user, str) or not accounts.knows(user):
        raise InvalidRequest("The user is missing or unknown.")
    if action in {"move", "copy"}:
        _need(payload.get("source"), "provider", "materialized", "name", "nid")
        _need(payload.get("destination"), "provider", "materialized", "name", "nid")
    elif action in {"create", "update", "delete", "create_folder", "rename"}:
        _need(payload, "provider")
        _need(payload.get("metadata"), "path", "materialized", "kind", "nid")
    else:
        raise InvalidRequest("The action is unknown.")
    return action, user


def _need(value: object, *names: str) -> None:
    if not isinstance(value, Mapping):
        raise InvalidRequest("The message lacks what it is about.")
    for name in names:
        if value.get(name) is None:
            raise InvalidRequest(f"The message lacks {name!r}.")
