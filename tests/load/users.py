"""Users that do what users do, each in a folder of its own, and know what must be in it.

A user speaks one dialect to one storage. Every answer is checked, and every byte of every file that
comes back. Nothing is tried twice: any failure is one of the server.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import zipfile
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlencode

from tests.gateway.client import VOCABULARIES, Gateway, Segments
from tests.harness import Reply
from tests.load.support import KIB, Client, connect, pattern
from tests.running import Running

RESOURCE = "demo"
SIZES = (0, 1, 700, 5 * KIB, 60 * KIB, 300 * KIB)
LARGE = 6 * 1024 * KIB
"""More than one part of S3, and more than the buffers of a connection hold."""


class User:
    """What all users do; a subclass says it in its dialect.

    Args:
        server: The server.
        mount: The storage.
        name: The user's folder.
        token: Signs in.
    """

    def __init__(self, server: Running, mount: str, name: str, token: str) -> None:
        self.client = Client(server, token)
        self.mount = mount
        self.name = name
        self.token = token
        self.random = random.Random(name)
        self.known: dict[str, bytes] = {}
        """What is in the folder, by name."""
        self.done = 0
        self._next = 0

    # -- the dialect ---------------------------------------------------------------------------

    async def begin(self) -> None:
        """Make the folder."""
        raise NotImplementedError

    async def end(self) -> None:
        """Remove it, with all that is in it."""
        raise NotImplementedError

    async def create(self, name: str, data: bytes) -> None:
        raise NotImplementedError

    async def replace(self, name: str, data: bytes) -> None:
        raise NotImplementedError

    async def read(self, name: str, range: tuple[int, int] | None = None) -> bytes:
        raise NotImplementedError

    async def names(self) -> set[str]:
        raise NotImplementedError

    async def rename(self, name: str, new: str) -> None:
        raise NotImplementedError

    async def delete(self, name: str) -> None:
        raise NotImplementedError

    async def more(self) -> None:
        """What only this dialect has."""

    def half_an_upload(self, name: str) -> tuple[str, str, dict[str, str]]:
        """Method, target and headers of an upload that will never be complete."""
        raise NotImplementedError

    # -- what is done --------------------------------------------------------------------------

    async def step(self) -> None:
        """Do one thing, whatever it is."""
        choices: list[Callable[[], Awaitable[None]]] = [self._create] * 4
        if self.known:
            choices += [self._read] * 6 + [self._part] * 2 + [self._replace] * 3
            choices += [self._rename, self._delete, self._delete, self._list, self.more]
            choices += [self._abandon, self._leave]
        await self.random.choice(choices)()
        self.done += 1

    async def check_all(self) -> None:
        """All of it is there, and nothing else."""
        await self._list()
        for name, data in self.known.items():
            assert await self.read(name) == data, f"{self.name}: {name}"

    def _data(self) -> bytes:
        size = LARGE if self.random.random() < 0.02 else self.random.choice(SIZES)
        return pattern(self.random.random(), size)

    def _some(self) -> str:
        return self.random.choice(sorted(self.known))

    def new_name(self) -> str:
        self._next += 1
        return f"{self._next} é&%.bin"

    async def _create(self) -> None:
        if len(self.known) > 12:
            await self._delete()
        name, data = self.new_name(), self._data()
        await self.create(name, data)
        self.known[name] = data

    async def _replace(self) -> None:
        name, data = self._some(), self._data()
        await self.replace(name, data)
        self.known[name] = data

    async def _read(self) -> None:
        name = self._some()
        assert await self.read(name) == self.known[name], f"{self.name}: {name}"

    async def _part(self) -> None:
        name = self._some()
        data = self.known[name]
        if data:
            start = self.random.randrange(len(data))
            stop = self.random.randrange(start, len(data)) + 1
            assert await self.read(name, (start, stop)) == data[start:stop]

    async def _rename(self) -> None:
        name, new = self._some(), self.new_name()
        await self.rename(name, new)
        self.known[new] = self.known.pop(name)

    async def _delete(self) -> None:
        name = self._some()
        await self.delete(name)
        del self.known[name]

    async def _list(self) -> None:
        assert await self.names() == set(self.known), self.name

    async def _abandon(self) -> None:
        """Go away in the middle of an upload."""
        method, target, headers = self.half_an_upload(self.new_name())
        connection = await connect(self.client.server)
        length = {"Content-Length": str(LARGE)}
        await connection.start(method, target, {**headers, **length})
        await connection.send(bytes(self.random.choice((1, 100 * KIB))))
        await asyncio.sleep(self.random.random() / 50)
        connection.reset()

    async def _leave(self) -> None:
        """Go away in the middle of a download, or of anything else."""
        connection = await connect(self.client.server)
        target = f"/v1/resources/{RESOURCE}/providers/{self.mount}/?zip="
        await connection.start("GET", target, {"Authorization": f"Bearer {self.token}"})
        await asyncio.sleep(self.random.random() / 50)
        connection.reset()

    async def ask(
        self,
        method: str,
        target: str,
        *statuses: int,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        reply = await self.client.request(method, target, headers, body)
        assert reply.status in (statuses or (200,)), f"{method} {target}: {reply}"
        return reply


class V1(User):
    """Version 1 of the API."""

    async def begin(self):
        self._base = f"/v1/resources/{RESOURCE}/providers/{self.mount}"
        self._auth = {"Authorization": f"Bearer {self.token}"}
        made = await self.ask("PUT", f"{self._base}/?kind=folder&name={self.name}", 201)
        self._folder = made.data["attributes"]["path"]
        self._paths = {}

    async def end(self):
        await self.ask("DELETE", f"{self._base}{self._at(self._folder)}", 204)

    def _at(self, path):
        return quote(path)

    def _url(self, name):
        return f"{self._base}{self._at(self._paths[name])}"

    async def create(self, name, data):
        target = f"{self._base}{self._at(self._folder)}?{urlencode({'kind': 'file', 'name': name})}"
        made = await self.ask("PUT", target, 201, body=data)
        self._paths[name] = made.data["attributes"]["path"]

    async def replace(self, name, data):
        await self.ask("PUT", self._url(name), body=data)

    async def read(self, name, range=None):
        if range is None:
            return (await self.ask("GET", f"{self._url(name)}?direct=")).body
        headers = {"Range": f"bytes={range[0]}-{range[1] - 1}"}
        return (await self.ask("GET", f"{self._url(name)}?direct=", 206, headers=headers)).body

    async def names(self):
        found = (await self.ask("GET", f"{self._base}{self._at(self._folder)}")).data
        return {each["attributes"]["name"] for each in found}

    async def _post(self, name, document):
        body = json.dumps(document).encode()
        reply = await self.ask("POST", self._url(name), 200, 201, body=body)
        return reply.data["attributes"]["path"]

    async def rename(self, name, new):
        path = await self._post(name, {"action": "rename", "rename": new})
        self._paths[new] = path
        del self._paths[name]

    async def delete(self, name):
        await self.ask("DELETE", self._url(name), 204)
        del self._paths[name]

    async def more(self):
        """A copy, a copy to another storage and back, and all of it as an archive."""
        name, new = self._some(), self.new_name()
        document = {"action": "copy", "path": self._folder, "rename": new}
        self._paths[new] = await self._post(name, document)
        self.known[new] = self.known[name]
        await self._there_and_back(self._some())
        folder = f"{self._base}{self._at(self._folder)}"
        answer = (await self.ask("GET", f"{folder}?zip=")).body
        with zipfile.ZipFile(io.BytesIO(answer)) as archive:
            assert {each: archive.read(each) for each in archive.namelist()} == self.known
        assert (await self.client.request("HEAD", folder)).status == 200

    async def _there_and_back(self, name):
        other = "osfstorage" if self.mount == "filesystem" else "filesystem"
        away = f"{self.name} {self.new_name()}"
        document = {"action": "copy", "path": "/", "provider": other, "rename": away}
        path = await self._post(name, document)
        there = f"/v1/resources/{RESOURCE}/providers/{other}{self._at(path)}"
        document = {
            "action": "move",
            "path": self._folder,
            "provider": self.mount,
            "rename": name,
            "conflict": "replace",
        }
        reply = await self.ask("POST", there, 200, 201, body=json.dumps(document).encode())
        self._paths[name] = reply.data["attributes"]["path"]

    def half_an_upload(self, name):
        query = urlencode({"kind": "file", "name": name})
        return "PUT", f"{self._base}{self._at(self._folder)}?{query}", self._auth


class V0(User):
    """Version 0 of the API."""

    async def begin(self):
        made = await self.ask("POST", self._url("file", f"/{self.name}/"), 201)
        self._folder = made.json["path"]
        self._paths = {}

    async def end(self):
        await self.ask("DELETE", self._url("file", self._folder), 204)

    def _url(self, what, path):
        query = urlencode({"nid": RESOURCE, "provider": self.mount, "path": path})
        return f"/{what}?{query}&accept_url=false"

    async def create(self, name, data):
        made = await self.ask("PUT", self._url("file", self._folder + name), 201, body=data)
        self._paths[name] = made.json["path"]

    async def replace(self, name, data):
        await self.ask("PUT", self._url("file", self._paths[name]), body=data)

    async def read(self, name, range=None):
        headers = {} if range is None else {"Range": f"bytes={range[0]}-{range[1] - 1}"}
        status = 200 if range is None else 206
        target = self._url("file", self._paths[name])
        return (await self.ask("GET", target, status, headers=headers)).body

    async def names(self):
        found = (await self.ask("GET", self._url("data", self._folder))).data
        return {each["name"] for each in found}

    async def _ops(self, what, name, new):
        place = {"nid": RESOURCE, "provider": self.mount}
        document = {
            "source": {**place, "path": self._paths[name]},
            "destination": {**place, "path": self._folder},
            "rename": new,
        }
        body = json.dumps(document).encode()
        reply = await self.ask("POST", f"/ops/{what}", 200, 201, body=body)
        self._paths[new] = reply.json["path"]

    async def rename(self, name, new):
        await self._ops("move", name, new)
        del self._paths[name]

    async def delete(self, name):
        await self.ask("DELETE", self._url("file", self._paths.pop(name)), 204)

    async def more(self):
        """A copy, and all of it as an archive."""
        name, new = self._some(), self.new_name()
        await self._ops("copy", name, new)
        self.known[new] = self.known[name]
        answer = (await self.ask("GET", self._url("zip", self._folder))).body
        with zipfile.ZipFile(io.BytesIO(answer)) as archive:
            assert {each: archive.read(each) for each in archive.namelist()} == self.known

    def half_an_upload(self, name):
        auth = {"Authorization": f"Bearer {self.token}"}
        return "PUT", self._url("file", self._folder + name), auth


class GatewayUser(User):
    """Either vocabulary of the gateway API."""

    vocabulary = ""

    async def begin(self):
        words = VOCABULARIES[self.vocabulary]
        self._session = Gateway(self.client, words)
        await self._sign_in()
        self._folder = (await self._session.folder(self._session.root, self.name)).id
        self._meta = {}

    async def _sign_in(self):
        await self._session.sign_in(self.token, resource=RESOURCE, provider=self.mount)

    async def end(self):
        await self._session.delete(self._folder)
        await self._session.sign_out()

    async def create(self, name, data):
        self._meta[name] = await self._session.upload(self._folder, name, data)

    async def replace(self, name, data):
        self._meta[name] = await self._session.update(self._meta[name].id, data)

    async def read(self, name, range=None):
        headers = {} if range is None else {"Range": f"bytes={range[0]}-{range[1] - 1}"}
        reply = await self._session.send("download", self._meta[name].id, headers=headers)
        assert reply.status == (200 if range is None else 206), reply
        return reply.body

    async def names(self):
        return set(await self._session.children(self._folder))

    async def rename(self, name, new):
        self._meta[new] = await self._session.rename(self._meta.pop(name), new)

    async def delete(self, name):
        await self._session.delete(self._meta.pop(name).id)

    async def more(self):
        """A new session in the place of the old one; a move away and back."""
        await self._session.sign_out()
        await self._sign_in()
        await self._session.refresh()
        name = self._some()
        parent = (await self._session.folder(self._folder, "aside")).id
        moved = await self._session.move(self._meta[name], parent)
        self._meta[name] = await self._session.move(moved, self._folder)
        await self._session.delete(parent)

    def half_an_upload(self, name):
        words, session = self._session.words, self._session
        headers = {**session.authorization, **session.says(name, LARGE)}
        return words["create"][0], session.url("create", self._folder), headers


class First(GatewayUser):
    """The first vocabulary."""

    vocabulary = "first"


class Second(GatewayUser):
    """The second vocabulary, which has segments as well."""

    vocabulary = "second"

    async def more(self):
        """The same, an upload in segments, and one that is given up."""
        await super().more()
        name, data = self.new_name(), pattern(self.random.random(), 700 * KIB)
        upload = Segments(self._session, data, 300 * KIB, parent=self._folder, name=name)
        for half in (True, False):
            assert (await upload.begin()).status == 200
            for number in (1,) if half else (2, 1, 3):
                assert (await upload.send(number)).status == 200
            if half:
                assert (await upload.cancel()).status == 200
        reply = await upload.finish()
        assert reply.status == 200, reply
        self._meta[name] = self._session.meta(reply.json)
        self.known[name] = data


KINDS: tuple[type[User], ...] = (V1, V0, First, Second)
