"""A client of the gateway API in both vocabularies, as a synchronising program would have it.

It says everything in the words of one vocabulary and shows everything in the same words (`Meta`),
so that one test proves both. Names of headers and keys stand here once more, and are not taken from
the server: that is what makes them a proof.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

FIRST = {
    "access": "access.token",
    "refresh": "refresh.token",
    "root": "root.content.id",
    "id": "content.id",
    "type": "content.type",
    "name": "content.name",
    "size": "file.size",
    "modified": "file.modified",
    "etag": "file.etag",
    "new_parent": "parent.content.id",
    "new_name": "content.name",
    "upload": "X-Upload-Json",
    "page": "page",
    "auth": ("POST", "auth"),
    "renew": ("POST", "auth"),
    "leave": ("DELETE", "auth"),
    "download": ("GET", "file"),
    "thumbnail": ("GET", "file_thumbnail"),
    "folder": ("POST", "metadata_folder"),
    "delete": ("DELETE", "metadata"),
    "describe": ("GET", "metadata"),
    "children": ("GET", "metadata_children"),
    "move": ("PATCH", "metadata_parent"),
    "rename": ("PATCH", "metadata_name"),
    "create": ("POST", "metadata_file"),
    "update": ("PUT", "metadata"),
}
SECOND = {
    "access": "gateway.auth.access.token",
    "refresh": "gateway.auth.refresh.token",
    "root": "gateway.auth.metadata.id",
    "account": "gateway.auth.id",
    "segment_size": "gateway.upload.segment.size",
    "id": "gateway.metadata.id",
    "parent": "gateway.metadata.parent.id",
    "type": "gateway.metadata.type",
    "name": "gateway.metadata.name",
    "size": "gateway.metadata.file.size",
    "modified": "gateway.metadata.modified",
    "etag": "gateway.metadata.file.hash",
    "sha256": "gateway.metadata.file.sha256",
    "new_parent": "new.gateway.metadata.parent.id",
    "old_parent": "old.gateway.metadata.parent.id",
    "new_name": "new.gateway.metadata.name",
    "old_name": "old.gateway.metadata.name",
    "upload": "X-Gateway-Upload",
    "page": "X-Gateway-Page",
    "auth": ("POST", "gateway_auth"),
    "renew": ("POST", "gateway_auth_access"),
    "leave": ("DELETE", "gateway_auth"),
    "download": ("GET", "gateway_file"),
    "thumbnail": ("GET", "gateway_file_thumbnail"),
    "folder": ("POST", "gateway_metadata_folder"),
    "delete": ("DELETE", "gateway_metadata"),
    "describe": ("GET", "gateway_metadata"),
    "children": ("GET", "gateway_metadata_children"),
    "move": ("PUT", "gateway_metadata_parent"),
    "rename": ("PUT", "gateway_metadata_name"),
    "create": ("POST", "gateway_metadata_file"),
    "update": ("PUT", "gateway_metadata_file"),
}
VOCABULARIES = {"first": FIRST, "second": SECOND}


@dataclass
class Meta:
    """Metadata, whatever the vocabulary; ``raw`` is what came."""

    id: str
    type: str
    name: str
    size: int | None = None
    modified: int | None = None
    etag: str | None = None
    parent: str | None = None
    raw: dict[str, Any] = field(default_factory=dict)


class GatewayError(Exception):
    """An answer that is no success."""

    def __init__(self, reply):
        super().__init__(f"{reply.status} {reply.body!r}")
        self.reply = reply
        self.status = reply.status


class Gateway:
    """One user's session.

    Args:
        server: Has ``request(method, target, headers, body)``, which gives an answer.
        words: `FIRST` or `SECOND`.
        prefix: What the base URL has before ``/v2``.
    """

    def __init__(self, server, words, prefix=""):
        self.server = server
        self.words = words
        self.prefix = prefix
        self.tokens: dict[str, Any] = {}

    @property
    def root(self):
        return self.tokens[self.words["root"]]

    @property
    def authorization(self):
        return {"Authorization": f"Bearer {self.tokens[self.words['access']]}"}

    def url(self, what, id=None, query=""):
        path = f"{self.prefix}/v2/{self.words[what][1]}"
        return path + ("" if id is None else f"/{id}") + query

    async def send(self, what, id=None, body=None, headers=None, *, query="", method=None):
        """Send a request as it is, signed in if this is; gives the answer, whatever it is."""
        given = {**(self.authorization if self.tokens else {}), **(headers or {})}
        given = {name: value for name, value in given.items() if value is not None}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return await self.server.request(
            method or self.words[what][0], self.url(what, id, query), given, body
        )

    async def ask(self, what, id=None, body=None, headers=None, **more):
        """The same; what is no success is raised."""
        reply = await self.send(what, id, body, headers, **more)
        if reply.status != 200:
            raise GatewayError(reply)
        return reply

    async def sign_in(self, token, **where):
        self.tokens = {}
        reply = await self.ask("auth", body={"token": token, **where})
        self.tokens = reply.json
        return self

    async def refresh(self):
        token = self.tokens[self.words["refresh"]]
        reply = await self.ask("renew", body={self.words["refresh"]: token})
        self.tokens = {**self.tokens, **reply.json}

    async def sign_out(self):
        access = self.tokens[self.words["access"]]
        await self.ask("leave", access, headers={"Authorization": None})

    async def describe(self, id):
        return self.meta((await self.ask("describe", id)).json)

    async def page(self, id, token=None):
        """One page of a folder, and the token of the next one."""
        query = "" if token is None else f"?page={token}"
        reply = await self.ask("children", id, query=query)
        return [self.meta(each) for each in reply.json], reply.headers.get(self.words["page"])

    async def children(self, id):
        """All of a folder, by name; a file and a folder of one name need `page`."""
        found, token = await self.page(id)
        while token is not None:
            more, token = await self.page(id, token)
            found += more
        return {each.name: each for each in found}

    async def folder(self, parent, name):
        return self.meta((await self.ask("folder", parent, {self.words["name"]: name})).json)

    def says(self, name=None, size=None, modified=None, **more):
        """The header of an upload."""
        words = self.words
        if name is not None:
            encoded = quote(name, safe="") if words is SECOND else name
            more[words["name"]] = encoded
        if size is not None:
            more[words["size"]] = size
        if modified is not None:
            more[words["modified"]] = modified
        return {words["upload"]: json.dumps(more)}

    async def upload(self, parent, name, data, modified=1_600_000_000_000):
        headers = self.says(name, len(data), modified)
        return self.meta((await self.ask("create", parent, data, headers)).json)

    async def update(self, id, data, modified=1_600_000_000_000):
        headers = self.says(None, len(data), modified)
        return self.meta((await self.ask("update", id, data, headers)).json)

    async def download(self, id):
        return (await self.ask("download", id)).body

    async def delete(self, id):
        await self.ask("delete", id)

    async def rename(self, meta, name):
        body = {self.words["new_name"]: name}
        if "old_name" in self.words:
            body[self.words["old_name"]] = meta.name
        return self.meta((await self.ask("rename", meta.id, body)).json)

    async def move(self, meta, parent):
        body = {self.words["new_parent"]: parent}
        if "old_parent" in self.words:
            body[self.words["old_parent"]] = meta.parent
        return self.meta((await self.ask("move", meta.id, body)).json)

    def meta(self, raw):
        names = ("id", "type", "name", "size", "modified", "etag", "parent")
        known = {name: raw.get(self.words.get(name)) for name in names}
        return Meta(**known, raw=raw)


class Segments:
    """An upload in segments, of the second vocabulary.

    Args:
        client: A session.
        data: The whole file.
        size: How large its segments are.
        parent: The folder of a new file, with its name.
        file: The file to replace.
    """

    def __init__(self, client, data, size, *, parent=None, name=None, file=None):
        self.client = client
        self.data = data
        self.name = name
        self.target = parent if file is None else file
        self.verb = "POST" if file is None else "PUT"
        self.pieces = [data[start : start + size] for start in range(0, len(data), size)]
        self.told = {}
        self.says = {
            SECOND["size"]: len(data),
            SECOND["modified"]: 1_600_000_000_000,
            "gateway.upload.segment": [
                {
                    "gateway.upload.segment.number": number,
                    "gateway.upload.segment.sha256": hashlib.sha256(piece).hexdigest(),
                    "gateway.upload.segment.size": len(piece),
                }
                for number, piece in enumerate(self.pieces, 1)
            ],
        }
        if file is None:
            self.says |= {SECOND["parent"]: parent, SECOND["name"]: name}
        else:
            self.says[SECOND["id"]] = file

    async def request(self, method, path, body=None, headers=None):
        given = {**self.client.authorization, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        target = f"{self.client.prefix}/v2/{path}"
        return await self.client.server.request(method, target, given, body)

    async def begin(self, **changes):
        reply = await self.request("POST", "gateway_upload", {**self.says, **changes})
        if reply.status == 200:
            self.told = reply.json
        return reply

    @property
    def id(self):
        return self.told["gateway.upload.id"]

    async def send(self, number, data=None, id=None, **changes):
        """Send a segment, with what the server said of it."""
        segment = self.told["gateway.upload.segment"][number - 1]
        says = {**segment, "gateway.upload.cookie": self.told["gateway.upload.cookie"], **changes}
        headers = {"X-Gateway-Upload-Segment": json.dumps(says)}
        body = self.pieces[number - 1] if data is None else data
        return await self.request("POST", f"gateway_upload_segment/{id or self.id}", body, headers)

    async def finish(self, target=None, verb=None, **changes):
        words = ("gateway.upload.id", "gateway.upload.segment", "gateway.upload.cookie")
        body = {word: self.told[word] for word in words}
        keys = (SECOND["size"], SECOND["modified"], SECOND["name"])
        body |= {key: self.says[key] for key in keys if key in self.says}
        body |= changes
        where = self.target if target is None else target
        return await self.request(verb or self.verb, f"gateway_metadata_upload/{where}", body)

    async def cancel(self):
        return await self.request("DELETE", f"gateway_upload/{self.id}")
