"""An embedded host on a free port, and somebody who speaks its wire contract by hand."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
from urllib.parse import quote, urlencode

from tornado.netutil import bind_sockets

from tests.harness import Connection, Reply
from waterbutler.auth import (
    Account,
    AuthChain,
    MountConfig,
    Resource,
    Sessions,
    StaticHandler,
    digest,
)
from waterbutler.auth.envelope import EnvelopeKeys, open_sealed, seal
from waterbutler.host import Accounts, Database, EmbeddedTrees, Host, HostOptions
from waterbutler.mounts import Mounts
from waterbutler.plugins import Context, Registry
from waterbutler.server.app import make_application, make_server
from waterbutler.server.context import ServerContext, ServerOptions
from waterbutler.server.host import host_rules
from waterbutler.server.metrics import Metrics
from waterbutler.service import Butler

HMAC = "hmac secret"
KEYS = EnvelopeKeys.derive(jwe_secret="jwe secret", jwe_salt="jwe salt", jwt_secret="jwt secret")
TOKENS = {"alice": "alice-token", "bob": "bob-token", "carol": "carol-token"}
LINK_KEY = "link-key"
ALICE = {"Authorization": "Bearer alice-token"}
BOB = {"Authorization": "Bearer bob-token"}
CAROL = {"Authorization": "Bearer carol-token"}
STORAGE = {"provider": "filesystem", "folder": "/blobs"}
OTHER = {"provider": "s3", "bucket": "far"}
OTHER_CREDENTIALS = {"access_key": "a", "secret_key": "s"}


def signed(payload, *, secret=HMAC, now=None):
    """A message as another server signs it; written anew here, so that it proves something."""
    document = {"time": int((now or time.time()) + 100), **payload}
    text = base64.b64encode(json.dumps(document, sort_keys=True).encode()).decode()
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {"payload": text, "signature": signature}


class HostServer:
    """The server; ``guid0`` is alice's, bob reads; ``public`` may be read by anybody."""

    def __init__(self, url):
        sessions = Sessions(b"only for tests, 32 bytes of it..", lifetime=3600)
        accounts = [
            Account(id=id, token_sha256=digest(token), name=id.title(), email=f"{id}@example.org")
            for id, token in TOKENS.items()
        ]
        near = MountConfig(provider="osfstorage", settings={"storage": STORAGE})
        far = MountConfig(
            provider="osfstorage",
            settings={"storage": OTHER},
            credentials={"storage": OTHER_CREDENTIALS},
        )
        files = MountConfig(provider="filesystem", settings={"folder": "/srv"})
        frozen = MountConfig(provider="s3", credentials={"secret_key": "k"}, read_only=True)
        resources = [
            Resource(
                id="guid0",
                access={"alice": True, "bob": False},
                view_only_sha256=frozenset({digest(LINK_KEY)}),
                mounts={"osfstorage": near, "filesystem": files, "archive": frozen},
            ),
            Resource(
                id="public",
                access={"alice": True, "anonymous": False},
                mounts={"osfstorage": far},
            ),
        ]
        self.sessions = sessions
        self.accounts = accounts
        rights = StaticHandler(accounts, resources, sessions)
        known = Accounts(accounts, resources, rights, quotas={"guid0": 100})
        trees = EmbeddedTrees(Database(url), names=known.author, limits=known.limit)
        (self.listening,) = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
        self.port = self.listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/host"
        options = HostOptions(
            url=self.url, keys=KEYS, hmac_secret=HMAC, origins=frozenset({"http://own.example"})
        )
        self.host = Host(known, trees, options)
        self.trees = trees
        metrics = Metrics()
        self.mounts = Mounts(Context(Registry(), None), metrics)
        auth = AuthChain([rights])
        self.context = ServerContext(
            butler=Butler(auth, self.mounts),
            auth=auth,
            sessions=sessions,
            options=ServerOptions(domain=self.url.removesuffix("/host")),
            metrics=metrics,
            readiness=self._readiness,
        )

    async def start(self):
        rules = host_rules(self.context, self.host)
        application = make_application(self.context, rules, alone=True)
        self.server = make_server(application, self.context.options)
        self.server.add_sockets([self.listening])
        return self

    async def stop(self):
        self.server.stop()
        await self.server.close_all_connections()
        await self.mounts.aclose()
        await self.host.aclose()

    async def request(self, method, target, headers=None, body=None) -> Reply:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            return await connection.request(method, target, headers or {}, body)
        finally:
            await connection.close()

    async def ask(self, data, headers=None, *, view_only=None, exp=None, token=None):
        """Ask the auth endpoint; returns the answer as it came."""
        now = time.time() if exp is None else exp - 15
        claims = {"nid": "guid0", "provider": "osfstorage", "action": "download", "path": "/"}
        token = token or seal({"data": {**claims, **data}}, KEYS, now=now)
        query = {"payload": token} | ({"view_only": view_only} if view_only else {})
        return await self.request("GET", f"/host/api/v1/files/auth/?{urlencode(query)}", headers)

    async def grant(self, data, headers=None, **options):
        """What the auth endpoint grants."""
        reply = await self.ask(data, headers, **options)
        assert reply.status == 200, reply.body
        return open_sealed(reply.json["payload"], KEYS, now=time.time())["data"]

    async def hook(
        self, method, where, payload=None, *, resource="guid0", query=None, message=None
    ):
        """Call a hook."""
        message = signed(payload or {}) if message is None else message
        target = f"/host/api/v1/{quote(resource)}/osfstorage/{where}"
        if method in {"GET", "DELETE"}:
            return await self.request(method, f"{target}?{urlencode({**(query or {}), **message})}")
        body = json.dumps(message).encode()
        headers = {"Content-Type": "application/json"}
        return await self.request(method, target, headers, body)

    async def log(self, payload, *, resource="guid0", **options):
        """Send a log callback."""
        message = signed(payload, **options)
        target = f"/host/api/v1/project/{resource}/waterbutler/logs/"
        return await self.request("PUT", target, {}, json.dumps(message).encode())

    @staticmethod
    async def _readiness():
        return []


def upload(name, content, *, user="alice", **changes):
    """The payload that records a blob, as servers in the field send it."""
    data = content.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    return {
        "name": name,
        "user": user,
        "settings": STORAGE,
        "metadata": {
            "provider": "filesystem",
            "kind": "file",
            "name": sha256,
            "path": f"/{sha256}",
            "materialized": f"/{sha256}",
            "etag": "0" * 64,
            "contentType": None,
            "size": len(data),
            "sizeInt": len(data),
            "modified": "Sun, 22 Nov 2026 02:30:24 +0000",
            "modified_utc": "2026-11-22T02:30:24.424125+00:00",
            "created_utc": None,
            "extra": {},
        },
        "hashes": {name: hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha256")},
        "worker": {"host": "w", "address": None, "version": "0.0.1"},
        **changes,
    }
