"""Clients in the field over ``osfstorage``: each request that they send, and all that they read.

Each class is a client, each test a row of what is known of it: its odd headers and parameters are
sent as it sends them. Paths are ids, and access is asked of a host.
"""

import asyncio
import io
import json
import re
import zipfile
from typing import ClassVar
from urllib.parse import quote

import pytest

from tests.fakes.osf_host import USER, Refused, running_host
from tests.osf_server import BASE, OTHER, OsfServer

SITE = "https://osf.example"
SESSION = {"Authorization": None, "Cookie": "osf=session; csrftoken=abc; other=1"}
"""Who comes with the host's cookie and nothing else."""
EMBER = {
    **SESSION,
    "Origin": SITE,
    "Referer": f"{SITE}/guid0/files",
    "Accept": "application/vnd.api+json; version=2.20",
    "X-CSRFToken": "abc",
}
FANGORN = {**SESSION, "Origin": SITE, "X-Requested-With": "XMLHttpRequest"}


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def server(io_loop, host, tmp_path):
    server = OsfServer(host, tmp_path, origins=[SITE])
    io_loop.run_sync(server.start)
    yield Consumed(server, host)
    io_loop.run_sync(server.stop)


class Consumed:
    """The server as consumers see it: targets are links, or what stands behind the storage."""

    def __init__(self, server, host):
        self.inner, self.host, self.url = server, host, server.url

    async def ask(self, method, target, headers=None, body=None):
        if target.startswith("http"):
            assert target.startswith(self.url), "links lead here"
            target = target.removeprefix(self.url)
        elif not target.startswith("/v1/"):
            target = BASE + target
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return await self.inner.request(method, target, headers, body)

    async def file(self, name="a.txt", *bodies):
        """A file with a version for each body; the host's entity URL of it."""
        id = await self.inner.upload(quote(name), *bodies[:1])
        for body in bodies[1:]:
            assert (await self.inner.put(f"/{id}", body)).status == 200
        return f"{self.url}{BASE}/{id}"

    async def folder(self, name="f"):
        """A folder; the host's entity URL of it."""
        return f"{self.url}{BASE}/{await self.inner.folder(quote(name))}/"

    async def read(self, url):
        reply = await self.ask("GET", url)
        assert reply.status == 200
        return reply.body

    async def told(self, action):
        """What the host is told next of this action."""
        for _ in range(500):
            found = [said for said in self.host.logs if said["action"] == action]
            if found:
                return found[-1]
            await asyncio.sleep(0.01)
        raise AssertionError(f"The host was not told of {action}.")

    def names(self, resource="guid0", path="/"):
        """What the host has in a folder."""
        folder = self.host.find(resource, path)
        return sorted(node.name for node in self.host.children(folder.id))


def path_of(url):
    return url.partition("/providers/osfstorage")[2]


def attributes_of(reply, *wanted):
    """The attributes in an answer; they have at least these keys."""
    attributes = reply.data["attributes"]
    assert set(wanted) <= set(attributes)
    return attributes


def asked(host):
    """What the host was asked last about access, and how."""
    call = host.last("auth")
    return call.said["data"], call.headers, call.query


def readable_by(reply, origin=SITE):
    """Whether the script of a page may read the answer to its request with credentials."""
    assert reply.headers["Access-Control-Allow-Origin"] == origin
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"
    return True


class TestMfr:
    """The service that renders files."""

    @pytest.mark.parametrize("action", ["render", "export"])
    async def test_2_head(self, server, host, action):
        """The attributes that its cache keys and its choice of a renderer are made of."""
        file = await server.file("plot ü.CSV", b"a,b\n")
        headers = {**SESSION, "X-Cos-Mfr-Request-Action": action}
        target = f"{file}?direct&mode=render&version=1&cookie=session&view_only=key"
        reply = await server.ask("HEAD", target, headers)
        assert reply.status == 200
        attributes = json.loads(reply.headers["X-Waterbutler-Metadata"])["attributes"]
        assert attributes["name"] == "plot ü.CSV"
        assert attributes["size"] == 4
        assert "contentType" in attributes
        assert re.fullmatch(r"[0-9a-f]{64}", attributes["etag"])
        assert (attributes["resource"], attributes["provider"]) == ("guid0", "osfstorage")
        assert attributes["path"] == path_of(file)
        data, relayed, query = asked(host)
        assert (data["action"], data["intent"], data["version"]) == (action, action, "1")
        assert (relayed["cookie"], data["cookie"]) == ("osf=session", "session")
        assert query == {"view_only": ["key"]}

    async def test_2_head_its_key_follows_the_content(self, server):
        """Another version has another tag, and the first one keeps its own."""

        async def etag(target):
            reply = await server.ask("HEAD", target, {"X-Cos-Mfr-Request-Action": "render"})
            return json.loads(reply.headers["X-Waterbutler-Metadata"])["attributes"]["etag"]

        file = await server.file("a.txt", b"one")
        first = await etag(file)
        assert (await server.ask("PUT", file, body=b"two")).status == 200
        assert await etag(file) != first

    async def test_3_get(self, server, host):
        """No redirect; the length and the type are there, and the host learns that it is shown."""
        file = await server.file("plot.csv", b"a,b\n")
        headers = {**SESSION, "X-Cos-Mfr-Render-Request": "1"}
        reply = await server.ask("GET", f"{file}?direct&mode=render&cookie=session", headers)
        assert (reply.status, reply.body) == (200, b"a,b\n")
        assert reply.headers["Content-Length"] == "4"
        assert reply.headers["Content-Type"] == "text/csv"
        assert asked(host)[1]["x-cos-mfr-render-request"] == "1"
        assert (await server.told("download_file"))["action_meta"] == {"is_mfr_render": True}

    async def test_a_rendered_page(self, server):
        """The browser reads parts of a file with the cookie, and sees that it may."""
        file = await server.file("a.pdf", b"%PDF" * 1000)
        whole = await server.ask("GET", f"{file}?direct&mode=render", EMBER)
        assert readable_by(whole)
        exposed = whole.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"Accept-Ranges", "Content-Length", "Content-Encoding", "Content-Range"} <= set(
            exposed
        )
        assert whole.headers["Accept-Ranges"] == "bytes"
        assert whole.headers["Content-Length"] == "4000"
        assert "Content-Encoding" not in whole.headers
        part = await server.ask("GET", f"{file}?direct", {**EMBER, "Range": "bytes=4-7"})
        assert (part.status, part.body) == (206, b"%PDF")
        assert part.headers["Content-Range"] == "bytes 4-7/4000"


class TestEmber:
    """The single page of the host: links of the host's API, cookies, and a token in a header."""

    async def test_preflight(self, server):
        """Its methods and headers are allowed, with credentials."""
        headers = {
            "Authorization": None,
            "Origin": SITE,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type,x-csrftoken",
        }
        reply = await server.ask("OPTIONS", "/?kind=file&name=a.txt", headers)
        assert reply.status == 204
        assert readable_by(reply)
        assert {"PUT", "POST", "DELETE"} <= set(
            reply.headers["Access-Control-Allow-Methods"].split(", ")
        )
        assert {"Content-Type", "X-CSRFToken"} <= set(
            reply.headers["Access-Control-Allow-Headers"].split(", ")
        )

    async def test_upload(self, server, host):
        """201 with an id, whose last part leads to the file."""
        folder = await server.folder()
        headers = {**EMBER, "Content-Type": "text/plain"}
        reply = await server.ask("PUT", f"{folder}?kind=file&name=a%20b.txt", headers, b"new")
        assert reply.status == 201
        assert readable_by(reply)
        data, relayed, _ = asked(host)
        assert (data["path"], data["intent"]) == (path_of(folder), "create_file")
        assert relayed["cookie"] == "osf=session"
        assert "x-csrftoken" not in relayed
        id = reply.data["id"].rpartition("/")[2]
        assert await server.read(f"/{id}") == b"new"

    async def test_upload_409(self, server, host):
        """It goes on with the link in the refusal, as it is: a new version."""
        file = await server.file("a.txt", b"old")
        reply = await server.ask("PUT", "/?kind=file&name=a.txt", EMBER, b"new")
        assert reply.status == 409
        assert readable_by(reply)
        link = reply.json["data"]["links"]["upload"]
        assert link == f"{file}?kind=file"
        again = await server.ask("PUT", link, EMBER, b"new")
        assert again.status == 200
        assert again.data["id"] == f"osfstorage{path_of(file)}"
        assert again.data["attributes"]["extra"]["version"] == 2
        assert await server.read(file) == b"new"
        assert await server.read(f"{file}?version=1") == b"old"

    async def test_upload_409_in_a_folder(self, server):
        """There too."""
        folder = await server.folder()
        target = f"{folder}?kind=file&name=a.txt"
        assert (await server.ask("PUT", target, EMBER, b"old")).status == 201
        reply = await server.ask("PUT", target, EMBER, b"new")
        assert reply.status == 409
        again = await server.ask("PUT", reply.json["data"]["links"]["upload"], EMBER, b"new")
        assert (again.status, again.data["attributes"]["extra"]["version"]) == (200, 2)

    async def test_upload_507(self, server, host):
        """The code and a message, in both of the keys that its versions read."""
        host.over_quota = True
        reply = await server.ask("PUT", "/?kind=file&name=a.txt", EMBER, b"new")
        assert reply.status == 507
        assert readable_by(reply)
        assert reply.json["code"] == 507
        assert reply.json["message"]
        assert reply.json["message_long"]
        assert server.names() == []

    async def test_upload_other_errors(self, server, host):
        """What the host said is passed on, readable for the page."""

        def refuse(_data, _answer):
            raise Refused(403, "You may not write here.")

        host.answer = refuse
        reply = await server.ask("PUT", "/?kind=file&name=a.txt", EMBER, b"new")
        assert reply.status == 403
        assert readable_by(reply)
        assert reply.json["message_long"] == "You may not write here."

    async def test_update_text(self, server):
        file = await server.file("a.txt", b"old")
        headers = {**EMBER, "Content-Type": "text/plain;charset=UTF-8"}
        reply = await server.ask("PUT", file, headers, "nëw".encode())
        assert reply.status == 200
        assert await server.read(file) == "nëw".encode()

    async def test_preprint_new_version(self, server):
        """Uploads to the file, then renames it: one file, two versions."""
        file = await server.file("first.pdf", b"one")
        reply = await server.ask("PUT", f"{file}?kind=file", EMBER, b"two")
        assert reply.status == 200
        document = {"action": "rename", "rename": "second.pdf", "conflict": "replace"}
        renamed = await server.ask("POST", file, EMBER, document)
        assert renamed.status == 200
        attributes = attributes_of(renamed, "name")
        assert (attributes["name"], attributes["path"]) == ("second.pdf", path_of(file))
        assert attributes["extra"]["version"] == 2
        assert server.names() == ["second.pdf"]

    @pytest.mark.parametrize("key", ["", "&view_only=", "&view_only=key"])
    async def test_create_folder(self, server, host, key):
        """The link may hold a key already; it reads the new path."""
        parent = await server.folder("parent")
        reply = await server.ask("PUT", f"{parent}?kind=folder{key}&name=a%26b", EMBER)
        assert reply.status == 201
        path = reply.data["attributes"]["path"]
        assert re.fullmatch(r"/\w+/", path)
        assert (await server.ask("GET", path, EMBER)).data == []
        reply = await server.ask("PUT", f"/?kind=folder{key}&name=top", EMBER)
        assert reply.status == 201
        assert asked(host)[2] == ({"view_only": ["key"]} if key.endswith("key") else {})

    async def test_rename_without_a_policy(self, server):
        """The dialog sends an empty one: a taken name is kept, and the new name is told."""
        file = await server.file("a.txt", b"mine")
        taken = await server.file("b.txt", b"theirs")
        document = {"action": "rename", "rename": "b.txt", "conflict": ""}
        reply = await server.ask("POST", f"{file}?kind=file", EMBER, document)
        assert reply.status == 200
        assert reply.data["attributes"]["name"] == "b (1).txt"
        assert await server.read(taken) == b"theirs"
        free = {"action": "rename", "rename": "c.txt", "conflict": ""}
        reply = await server.ask("POST", file, EMBER, free)
        assert reply.data["attributes"]["name"] == "c.txt"

    async def test_rename_replace(self, server):
        """Onto another file, and a folder onto another folder."""
        file = await server.file("a.txt", b"mine")
        await server.file("b.txt", b"theirs")
        document = {"action": "rename", "rename": "b.txt", "conflict": "replace"}
        reply = await server.ask("POST", file, EMBER, document)
        assert reply.status == 200
        assert reply.data["attributes"]["name"] == "b.txt"
        assert server.names() == ["b.txt"]
        assert await server.read(reply.data["links"]["download"]) == b"mine"

    async def test_move(self, server):
        """201; a taken name is 409, and replaces when it is sent again so."""
        to = await server.folder("to")
        file = await server.file("a.txt", b"one")
        document = {
            "action": "move",
            "path": path_of(to),
            "provider": "osfstorage",
            "resource": "guid0",
        }
        reply = await server.ask("POST", file, EMBER, document)
        assert reply.status == 201
        assert reply.data["attributes"]["materialized"] == "/to/a.txt"
        assert reply.data["attributes"]["path"] == path_of(file)
        second = await server.file("a.txt", b"two")
        conflict = await server.ask("POST", second, EMBER, document)
        assert conflict.status == 409
        assert readable_by(conflict)
        assert conflict.message
        replaced = await server.ask("POST", second, EMBER, {**document, "conflict": "replace"})
        assert replaced.status == 200
        assert server.names(path="/to/") == ["a.txt"]
        assert await server.read(replaced.data["links"]["download"]) == b"two"

    @pytest.mark.parametrize("action", ["move", "copy"])
    async def test_move_and_copy_507(self, server, host, action):
        """The other resource has no room: nothing changed."""
        file = await server.file()
        host.over_quota = True
        document = {
            "action": action,
            "path": "/",
            "provider": "osfstorage",
            "resource": "guid1",
        }
        reply = await server.ask("POST", file, EMBER, document)
        assert reply.status == 507
        assert reply.json["code"] == 507
        assert (server.names(), server.names("guid1")) == (["a.txt"], [])

    async def test_copy_to_a_preprint(self, server):
        """201, and 200 when it replaces what the first one made."""
        file = await server.file("a.pdf", b"one")
        document = {
            "action": "copy",
            "path": "/",
            "provider": "osfstorage",
            "resource": "guid1",
            "conflict": "replace",
        }
        first = await server.ask("POST", file, EMBER, document)
        assert first.status == 201
        assert first.data["attributes"]["resource"] == "guid1"
        assert (await server.ask("PUT", file, EMBER, b"two")).status == 200
        second = await server.ask("POST", file, EMBER, document)
        assert second.status == 200
        assert server.names("guid1") == ["a.pdf"]
        path = second.data["attributes"]["path"]
        assert (await server.ask("GET", f"{OTHER}{path}", EMBER)).body == b"two"
        assert await server.read(file) == b"two"

    async def test_copy_a_folder(self, server):
        """With all that is in it."""
        folder, to = await server.folder("f"), await server.folder("to")
        assert (
            await server.ask("PUT", f"{folder}?kind=file&name=a.txt", EMBER, b"1")
        ).status == 201
        document = {
            "action": "copy",
            "path": path_of(to),
            "provider": "osfstorage",
            "resource": "guid0",
        }
        reply = await server.ask("POST", folder, EMBER, document)
        assert reply.status == 201
        assert server.names(path="/to/f/") == ["a.txt"]
        assert server.names(path="/f/") == ["a.txt"]

    async def test_delete(self, server):
        """Files and folders."""
        for link in (await server.file(), await server.folder()):
            reply = await server.ask("DELETE", link, EMBER)
            assert (reply.status, reply.body) == (204, b"")
            assert readable_by(reply)
        assert server.names() == []

    async def test_zip(self, server):
        """A link that the browser opens, with the cookie and no script."""
        folder = await server.folder("f")
        assert (
            await server.ask("PUT", f"{folder}?kind=file&name=a.txt", EMBER, b"1")
        ).status == 201
        for link, name, inner in ((folder, "f.zip", "a.txt"), ("/", "osfstorage", "f/a.txt")):
            reply = await server.ask("GET", f"{link}?zip=", SESSION)
            assert reply.headers["Content-Type"] == "application/zip"
            assert name in reply.headers["Content-Disposition"]
            with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
                assert archive.read(inner) == b"1"

    @pytest.mark.parametrize("query", ["?revisions=", "?kind=file&revisions="])
    async def test_revisions(self, server, query):
        """Of each its id, its time, its hashes and how often it was read."""
        file = await server.file("a.txt", b"one", b"two", b"three")
        reply = await server.ask("GET", file + query, EMBER)
        assert readable_by(reply)
        assert [entry["id"] for entry in reply.data] == ["3", "2", "1"]
        for entry in reply.data:
            attributes = entry["attributes"]
            assert attributes["modified"]
            assert isinstance(attributes["extra"]["downloads"], int)
            assert len(attributes["extra"]["hashes"]["md5"]) == 32
            assert len(attributes["extra"]["hashes"]["sha256"]) == 64

    async def test_read_text(self, server):
        """Where the host's own link leads."""
        file = await server.file("a.txt", b"text")
        reply = await server.ask("GET", f"{file}?direct=true&mode=render", EMBER)
        assert (reply.status, reply.body) == (200, b"text")
        assert readable_by(reply)

    async def test_version_download(self, server, host):
        """The host's link passes the parameter on."""
        file = await server.file("a.txt", b"one", b"two")
        for id, body in (("1", b"one"), ("2", b"two")):
            reply = await server.ask("GET", f"{file}?revision={id}", EMBER)
            assert (reply.status, reply.body) == (200, body)
            assert asked(host)[0]["version"] == id

    async def test_a_link_with_a_key(self, server, host):
        """Everything that it reads, it reads with the key."""
        file, folder = await server.file(), await server.folder()
        headers = {**EMBER, "Cookie": None, "X-CSRFToken": None}
        for target in (f"{file}?", f"{file}?revisions=&", f"{folder}?zip=&", f"{file}?meta=&"):
            reply = await server.ask("GET", f"{target}view_only=key", headers)
            assert reply.status == 200
            assert asked(host)[2] == {"view_only": ["key"]}

    async def test_a_link_that_hides_names(self, server):
        """Shows versions without those who made them."""
        file = await server.file()
        reply = await server.ask("GET", f"{file}?revisions=&view_only=anonymous", EMBER)
        (version,) = reply.data
        assert not (version["attributes"]["extra"].get("user") or {}).get("name")
        assert USER["name"].encode() not in reply.body


class TestHost:
    """The host application, whose helpers make bare keys and Python's words for truth."""

    COOKIE: ClassVar = "cookie=session"

    async def test_file_download_view(self, server):
        """Sends the reader here with the version, a mode and a name to save it under."""
        file = await server.file("a.txt", b"one", b"two")
        target = f"{file}?direct&version=1&mode=render&displayName=caf%C3%A9.txt&view_only"
        reply = await server.ask("GET", target, SESSION)
        assert (reply.status, reply.body) == (200, b"one")
        assert "caf%C3%A9.txt" in reply.headers["Content-Disposition"]

    async def test_download_link(self, server):
        """Passes every parameter on, known or not."""
        file = await server.file("a.txt", b"one", b"two")
        for query in ("", "?action=download&mode", "?_=1700000000&public_file=True", "?version="):
            reply = await server.ask("GET", file + query, SESSION)
            assert (reply.status, reply.body) == (200, b"two")

    async def test_touch(self, server, host):
        """Reads what it keeps of a file; a file that is gone is an answer too."""
        file = await server.file("a.txt", b"text")
        query = f"?meta=True&revision&{self.COOKIE}&view_only&_=17"
        reply = await server.ask("GET", file + query, {"Authorization": None})
        attributes = attributes_of(
            *(reply, "name", "materialized", "modified", "etag", "size", "contentType", "extra")
        )
        assert attributes["name"] == "a.txt"
        assert re.match(r"\d{4}-\d\d-\d\dT", attributes["modified"])
        data, _, query_to_host = asked(host)
        assert (data["cookie"], data["action"], data["version"]) == ("session", "metadata", None)
        assert query_to_host == {}
        reply = await server.ask("GET", f"/0123456789abcdef01234567{query}")
        assert reply.status == 404
        assert reply.message

    @pytest.mark.parametrize("key", ["view_only", "view_only=key"])
    async def test_v2_list_and_detail(self, server, key):
        """``data`` is a list for folders and an object for files, each with whole attributes."""
        folder = await server.folder()
        await server.ask("PUT", f"{folder}?kind=file&name=a.txt", EMBER, b"1")
        await server.ask("PUT", f"{folder}?kind=folder&name=g", EMBER)
        listing = await server.ask("GET", f"{folder}?meta=True&{key}", SESSION)
        assert {entry["attributes"]["kind"] for entry in listing.data} == {"file", "folder"}
        for entry in listing.data:
            attributes = entry["attributes"]
            wanted = {"provider", "kind", "path", "name", "materialized", "etag", "extra"}
            assert wanted <= set(attributes)
            detail = await server.ask("GET", f"{attributes['path']}?meta=True&{key}", SESSION)
            if attributes["kind"] == "folder":
                assert detail.data == []
            else:
                assert detail.data["attributes"] == attributes
                assert {"modified", "size", "contentType"} <= set(attributes)
                assert set(attributes["extra"]["hashes"]) >= {"md5", "sha256"}

    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    async def test_v2_list_errors(self, server, host, status):
        """The status that it translates, and never ``data``."""

        def refuse(_data, _answer):
            raise Refused(status, "No.")

        host.answer = refuse
        reply = await server.ask("GET", "/?meta=True&view_only", SESSION)
        assert reply.status == status
        assert "data" not in reply.json

    async def test_v2_list_when_all_is_out_of_order(self, server, host):
        """500 or more, which it shows as its own 503."""
        host.trouble("auth", status=500)
        reply = await server.ask("GET", "/?meta=True&view_only", SESSION)
        assert reply.status >= 500
        assert "data" not in reply.json

    async def test_archiver_stat(self, server, host):
        """Walks by listings: kind, name, path, size and the hash are there."""
        folder = await server.folder("f")
        await server.ask("PUT", f"{folder}?kind=file&name=a.txt", EMBER, b"12345")
        query = f"?user=Some%20One%20%3Cid%3E&view_only=True&{self.COOKIE}"
        (found,) = (await server.ask("GET", f"/{query}", SESSION)).data
        assert found["attributes"]["kind"] == "folder"
        reply = await server.ask("GET", f"{found['attributes']['path']}{query}", SESSION)
        (entry,) = reply.data
        attributes = entry["attributes"]
        assert (attributes["kind"], attributes["name"]) == ("file", "a.txt")
        assert attributes["size"] == 5
        assert len(attributes["extra"]["hashes"]["sha256"]) == 64
        assert asked(host)[2] == {"view_only": ["True"]}

    async def test_archiver_stat_versions(self, server):
        """Parameters that are for other storages do no harm."""
        await server.file()
        for version in ("latest", "latest-published"):
            query = f"?user=Some%20One&view_only=True&{self.COOKIE}&version={version}"
            assert len((await server.ask("GET", f"/{query}", SESSION)).data) == 1

    async def test_archiver_stat_error(self, server, host):
        """It is JSON."""

        def refuse(_data, _answer):
            raise Refused(403, "No.")

        host.answer = refuse
        reply = await server.ask("GET", f"/?user=x&view_only=True&{self.COOKIE}", SESSION)
        assert (reply.status, bool(reply.message)) == (403, True)

    ARCHIVE: ClassVar = {
        "action": "copy",
        "path": "/",
        "rename": "Archive of OSF Storage",
        "resource": "guid1",
        "provider": "osfstorage",
    }

    async def test_archiver_copy(self, server, host):
        """The root under a new name in another resource; no type is said, no policy.

        The callback of the other resource says that it is done.
        """
        folder = await server.folder("f")
        await server.ask("PUT", f"{folder}?kind=file&name=a.txt", EMBER, b"12345")
        await server.file("b.txt", b"one", b"two")
        reply = await server.ask("POST", f"/?{self.COOKIE}", SESSION, self.ARCHIVE)
        assert reply.status == 201
        attributes = attributes_of(reply, "children")
        assert (attributes["resource"], attributes["name"]) == ("guid1", "Archive of OSF Storage")
        assert attributes["materialized"] == "/Archive of OSF Storage/"
        assert server.names("guid1", "/Archive of OSF Storage/") == ["b.txt", "f"]
        assert server.names("guid1", "/Archive of OSF Storage/f/") == ["a.txt"]
        intents = [call["intent"] for call in questions(host)]
        assert intents[-2:] == ["copyfrom", "copyto"]
        (inner,) = [child for child in attributes["children"] if child["name"] == "b.txt"]
        assert (await server.ask("GET", f"{OTHER}{inner['path']}")).body == b"two"
        assert server.names() == ["b.txt", "f"]
        said = await server.told("copy")
        assert host.last("log").path == "/api/v1/project/guid1/waterbutler/logs/"
        assert said["errors"] == []
        assert said["auth"]["id"] == USER["id"]
        source, made = said["source"], said["destination"]
        assert (source["provider"], source["nid"], source["path"]) == ("osfstorage", "guid0", "/")
        assert (made["nid"], made["kind"]) == ("guid1", "folder")
        assert made["name"] == "Archive of OSF Storage"
        assert made["path"] == attributes["path"]

    async def test_archiver_copy_again(self, server):
        """A second try is told that the name is taken."""
        await server.file()
        first = await server.ask("POST", f"/?{self.COOKIE}", SESSION, self.ARCHIVE)
        assert first.status == 201
        again = await server.ask("POST", f"/?{self.COOKIE}", SESSION, self.ARCHIVE)
        assert again.status == 409
        assert again.json["data"]["attributes"]["path"] == first.data["attributes"]["path"]
        assert server.names("guid1") == ["Archive of OSF Storage"]

    async def test_archiver_copy_of_nothing(self, server):
        """An empty storage becomes an empty folder."""
        reply = await server.ask("POST", f"/?{self.COOKIE}", SESSION, self.ARCHIVE)
        assert reply.status == 201
        assert reply.data["attributes"]["children"] == []

    @pytest.mark.parametrize("revision", ["latest", "latest-published"])
    async def test_archiver_copy_of_an_addon(self, server, host, tmp_path, revision):
        """From another storage, byte for byte; the callback names where it came from."""
        (tmp_path / "addon" / "f").mkdir(parents=True)
        (tmp_path / "addon" / "f" / "a.txt").write_bytes(b"12345")

        def answer(data, answer):
            if data["provider"] == "dropbox":
                folder = str(tmp_path / "addon")
                answer["settings"] = {"service": "filesystem", "folder": folder}
            return answer

        host.answer = answer
        target = f"/v1/resources/guid0/providers/dropbox/?{self.COOKIE}&revision={revision}"
        document = {**self.ARCHIVE, "rename": "Archive of Dropbox"}
        reply = await server.ask("POST", target, SESSION, document)
        assert reply.status == 201
        node = host.find("guid1", "/Archive of Dropbox/f/a.txt")
        assert (await server.ask("GET", f"{OTHER}/{node.id}")).body == b"12345"
        said = await server.told("copy")
        assert (said["source"]["provider"], said["errors"]) == ("dropbox", [])
        assert said["destination"]["children"][0]["name"] == "f"

    async def test_account_export(self, server, host):
        """The whole storage as an archive; a refusal is JSON."""
        folder = await server.folder("f")
        await server.ask("PUT", f"{folder}?kind=file&name=a.txt", EMBER, b"1")
        await server.ask("PUT", f"{folder}?kind=folder&name=empty", EMBER)
        reply = await server.ask("GET", f"/?zip&{self.COOKIE}", SESSION)
        assert reply.status == 200
        with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
            assert archive.testzip() is None
            assert {"f/a.txt", "f/empty/"} <= set(archive.namelist())
        assert (await server.told("download_zip"))["metadata"]["path"] == "/"

        def refuse(_data, _answer):
            raise Refused(404, "No.")

        host.answer = refuse
        reply = await server.ask("GET", f"/?zip&{self.COOKIE}", SESSION)
        assert (reply.status, bool(reply.message)) == (404, True)

    async def test_conference_mail(self, server, host):
        """A new file without a kind, in the name of the cookie."""
        target = f"/?name=my%20talk.pdf&{self.COOKIE}"
        reply = await server.ask("PUT", target, SESSION, b"%PDF")
        assert reply.status == 201
        (question,) = questions(host)
        assert (question["cookie"], question["intent"]) == ("session", "create_file")
        assert asked(host)[1]["cookie"] == "osf=session"
        assert await server.read(reply.data["links"]["download"]) == b"%PDF"
        assert (await server.told("create"))["metadata"]["name"] == "my talk.pdf"

    async def test_boa(self, server):
        """Reads a query, stores its results with an accidental type; a conflict is told."""
        query = await server.file("query.boa", b"q: output")
        assert (await server.ask("GET", query, SESSION)).body == b"q: output"
        folder = await server.folder("results")
        headers = {**SESSION, "Content-Type": "application/x-www-form-urlencoded"}
        target = f"{folder}?kind=file&name=query_results.txt"
        reply = await server.ask("PUT", target, headers, b"a=1&b=2")
        assert reply.status == 201
        assert await server.read(reply.data["links"]["download"]) == b"a=1&b=2"
        assert (await server.ask("PUT", target, headers, b"c=3")).status == 409

    async def test_usage_reports(self, server):
        """A program with a token reads through the link for uploads, and writes to it."""
        bearer = {"Authorization": "Bearer personal-token"}
        folder = await server.folder("reports")
        reply = await server.ask("PUT", f"{folder}?kind=file&name=a.csv", bearer, b"1\n")
        assert reply.status == 201
        link = reply.data["links"]["upload"]
        assert (await server.ask("PUT", link, bearer, b"1\n2\n")).status == 200
        assert (await server.ask("GET", link, bearer)).body == b"1\n2\n"

    async def test_wiki_images(self, server):
        """Makes its folder, looks what is there, and adds a parameter to the new image's link."""
        made = await server.ask("PUT", "/?name=Wiki%20images&kind=folder", FANGORN)
        assert made.status == 201
        folder = made.data["attributes"]["path"]
        assert (await server.ask("GET", f"{folder}?meta=", FANGORN)).data == []
        headers = {**FANGORN, "Content-Type": "image/png"}
        reply = await server.ask("PUT", f"{folder}?name=image.png&type=file", headers, b"\x89PNG")
        assert reply.status == 201
        link = reply.data["links"]["download"]
        assert "?" not in link
        shown = await server.ask("GET", f"{link}?mode=render", SESSION)
        assert shown.body == b"\x89PNG"
        listing = await server.ask("GET", f"{folder}?meta=", FANGORN)
        assert [entry["attributes"]["name"] for entry in listing.data] == ["image.png"]
        again = await server.ask("PUT", "/?name=Wiki%20images&kind=folder", FANGORN)
        assert again.status == 409


def questions(host):
    return [call.said["data"] for call in host.calls if call.name == "auth"]


class TestFangorn:
    """The old tree of files."""

    WANTED = ("name", "kind", "path", "provider", "materialized", "size", "sizeInt", "extra")

    async def test_list(self, server, host):
        """What it lifts out of each entry."""
        file, folder = await server.file("a.txt", b"123"), await server.folder()
        id = path_of(file).strip("/")
        host.seen[USER["id"], id] = True
        host.nodes[id].checkout = "usr02"
        reply = await server.ask("GET", "/?meta=", FANGORN)
        assert readable_by(reply)
        entries = {entry["attributes"]["name"]: entry for entry in reply.data}
        for entry in entries.values():
            assert set(self.WANTED) <= set(entry["attributes"])
            assert {"upload", "move", "delete"} <= set(entry["links"])
        attributes = entries["a.txt"]["attributes"]
        assert attributes["modified_utc"]
        assert (attributes["size"], attributes["sizeInt"]) == (3, 3)
        extra = attributes["extra"]
        assert (extra["version"], extra["checkout"]) == (1, "usr02")
        assert extra["latestVersionSeen"]["seen"] is True
        assert entries["f"]["links"]["new_folder"] == f"{folder}?kind=folder"
        assert entries["f"]["attributes"]["path"] == path_of(folder)

    async def test_upload(self, server):
        """Into a folder, and onto a file; a taken name tells which file has it."""
        folder = await server.folder()
        made = await server.ask("PUT", f"{folder}?kind=file&name=a.txt", FANGORN, b"1")
        assert made.status == 201
        again = await server.ask("PUT", f"{folder}?kind=file&name=a.txt", FANGORN, b"2")
        assert again.status == 409
        assert again.message
        link = f"{path_of(made.data['links']['download'])}?kind=file"
        updated = await server.ask("PUT", link, FANGORN, b"2")
        assert updated.status == 200
        assert set(self.WANTED) <= set(updated.data["attributes"])
        assert updated.data["attributes"]["extra"]["version"] == 2

    async def test_new_folder(self, server):
        """409 also in the body, with a message."""
        for folder in ("/", path_of(await server.folder("parent"))):
            made = await server.ask("PUT", f"{folder}?name=x&kind=folder", FANGORN)
            assert made.status == 201
            assert set(self.WANTED) <= set(made.data["attributes"])
            taken = await server.ask("PUT", f"{folder}?name=x&kind=folder", FANGORN)
            assert taken.status == 409
            assert taken.json["code"] == 409
            assert taken.json["message"]

    @pytest.mark.parametrize("action", ["move", "copy"])
    async def test_post(self, server, action):
        """New, refused, kept, replaced; a folder shows its children, flat."""
        folder, to = await server.folder("f"), await server.folder("to")
        await server.ask("PUT", f"{folder}?kind=file&name=a.txt", FANGORN, b"123")
        document = {
            "action": action,
            "path": path_of(to),
            "conflict": "warn",
            "resource": "guid0",
            "provider": "osfstorage",
            "rename": None,
            "branch": None,
        }
        reply = await server.ask("POST", folder, FANGORN, document)
        assert reply.status == 201
        (child,) = reply.data["attributes"]["children"]
        assert {*self.WANTED, "modified_utc"} <= set(child)
        assert child["materialized"] == "/to/f/a.txt"
        if action == "move":
            folder = await server.folder("f")
        refused = await server.ask("POST", folder, FANGORN, document)
        assert refused.status == 409
        assert refused.message
        kept = await server.ask("POST", folder, FANGORN, {**document, "conflict": "keep"})
        assert kept.status == 201
        assert kept.data["attributes"]["name"] == "f (1)"
        if action == "move":
            folder = await server.folder("f")
        replace = {**document, "conflict": "replace", "rename": "f"}
        replaced = await server.ask("POST", folder, FANGORN, replace)
        assert replaced.status == 200
        assert server.names(path="/to/") == ["f", "f (1)"]

    async def test_rename(self, server):
        """As a move to where it is, under another name."""
        file = await server.file("a.txt")
        document = {
            "action": "rename",
            "rename": "b.txt",
            "conflict": "warn",
            "path": "/",
            "provider": "osfstorage",
            "resource": "guid0",
        }
        reply = await server.ask("POST", file, FANGORN, document)
        assert reply.status == 200
        assert set(self.WANTED) <= set(reply.data["attributes"])
        assert server.names() == ["b.txt"]
        said = await server.told("move")
        assert (said["source"]["name"], said["destination"]["name"]) == ("a.txt", "b.txt")
        assert said["source"]["path"] == said["destination"]["path"]

    async def test_delete(self, server, host):
        """A file that somebody holds is not deleted, and it says why."""
        file = await server.file()
        host.nodes[path_of(file).strip("/")].checkout = "usr02"
        refused = await server.ask("DELETE", file, FANGORN)
        assert refused.status == 403
        assert refused.json["message"]
        assert refused.json["message_long"]
        host.nodes[path_of(file).strip("/")].checkout = None
        assert (await server.ask("DELETE", file, FANGORN)).status == 204

    async def test_get(self, server):
        """Links that the browser opens, with a token that is empty."""
        file, folder = await server.file("a.txt", b"text"), await server.folder()
        assert (await server.ask("GET", f"{file}?token=", SESSION)).body == b"text"
        reply = await server.ask("GET", f"{folder}?token=&zip=", SESSION)
        assert reply.headers["Content-Type"] == "application/zip"


class TestFilePage:
    """The old page of a file."""

    async def test_read_and_save(self, server):
        """At one address: what is saved is a new version of the same file."""
        file = await server.file("a.txt", b"old")
        address = f"{file}?direct=true&mode=render"
        assert (await server.ask("GET", address, FANGORN)).body == b"old"
        headers = {**FANGORN, "Content-Type": "text/plain"}
        saved = await server.ask("PUT", address, headers, b"new")
        assert saved.status == 200
        assert saved.data["attributes"]["path"] == path_of(file)
        assert (await server.ask("GET", address, FANGORN)).body == b"new"
        assert server.names() == ["a.txt"]

    async def test_save_507(self, server, host):
        """The status is special, the message is shown, and the old text stays."""
        file = await server.file("a.txt", b"old")
        host.over_quota = True
        reply = await server.ask("PUT", f"{file}?direct=true&mode=render", FANGORN, b"new")
        assert reply.status == 507
        assert reply.message
        assert await server.read(file) == b"old"

    async def test_revisions(self, server):
        """The version is text; who made it, when, its hashes and its readers are there."""
        file = await server.file("a.txt", b"one", b"two")
        reply = await server.ask("GET", f"{file}?revisions=", FANGORN)
        for number, entry in zip(("2", "1"), reply.data, strict=True):
            attributes = entry["attributes"]
            assert attributes["version"] == number
            assert attributes["versionIdentifier"] == "version"
            assert attributes["modified"]
            assert attributes["modified_utc"]
            extra = attributes["extra"]
            assert extra["user"] == {"name": USER["name"], "url": "/usr01/"}
            assert extra["downloads"] == 0
            assert set(extra["hashes"]) >= {"md5", "sha256"}
            target = f"{file}?{attributes['versionIdentifier']}={number}"
            assert (await server.ask("GET", target, FANGORN)).status == 200

    async def test_describe(self, server):
        """With a parameter that only other storages have."""
        file = await server.file("a.txt", b"text")
        attributes = attributes_of(
            *(await server.ask("GET", f"{file}?meta=&branch=", FANGORN), "name", "extra", "size")
        )
        assert (attributes["name"], attributes["size"]) == ("a.txt", 4)

    async def test_delete(self, server):
        """What is gone says so."""
        file = await server.file()
        assert (await server.ask("DELETE", file, FANGORN)).status == 204
        gone = await server.ask("GET", f"{file}?direct=true&mode=render", FANGORN)
        assert gone.status == 404
        assert gone.message


class TestOsfclient:
    """A command line and library; every request says that it sends JSON."""

    HEADERS: ClassVar = {
        "User-Agent": "osfclient v0.0.5",
        "Accept": "application/vnd.api+json",
        "Content-Type": "application/json",
        "Authorization": "Bearer personal-token",
    }

    @pytest.mark.parametrize("body", [b"", b"hello", b'{"a": 1}', b"x" * 300_000])
    async def test_upload_and_download(self, server, body):
        """201; what comes back has a length, also when it is empty."""
        folder = await server.folder()
        reply = await server.ask("PUT", f"{folder}?name=a.txt", self.HEADERS, body)
        assert reply.status == 201
        back = await server.ask("GET", reply.data["links"]["upload"], self.HEADERS)
        assert (back.status, back.body) == (200, body)
        assert back.headers["Content-Length"] == str(len(body))

    async def test_upload_409(self, server):
        """Not a reset, however much is still being sent."""
        await server.file("a.txt", b"old")
        reply = await server.ask("PUT", "/?name=a.txt", self.HEADERS, b"x" * 5_000_000)
        assert (reply.status, reply.json["code"]) == (409, 409)

    async def test_update(self, server):
        """200 exactly."""
        file = await server.file("a.txt", b"old")
        for body in (b"new", b""):
            assert (await server.ask("PUT", file, self.HEADERS, body)).status == 200
            assert await server.read(file) == body

    async def test_make_folder(self, server):
        """What it makes its own objects of; 409 if it is there."""
        folder = await server.folder()
        reply = await server.ask("PUT", f"{folder}?kind=folder&name=x", self.HEADERS)
        assert reply.status == 201
        assert reply.data["id"]
        assert reply.data["attributes"]["path"]
        assert {"delete", "new_folder", "upload", "move"} <= set(reply.data["links"])
        again = await server.ask("PUT", f"{folder}?kind=folder&name=x", self.HEADERS)
        assert again.status == 409

    async def test_remove(self, server):
        """204 exactly."""
        file = await server.file()
        reply = await server.ask("DELETE", file, self.HEADERS)
        assert (reply.status, reply.body) == (204, b"")

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    async def test_unauthorised(self, server, host, method):
        """401, which it has an error of its own for."""
        file = await server.file()

        def refuse(_data, _answer):
            raise Refused(401, "No.")

        host.answer = refuse
        basic = {**self.HEADERS, "Authorization": "Basic bWU6d3Jvbmc="}
        body = b"x" if method == "PUT" else None
        assert (await server.ask(method, file, basic, body)).status == 401
        assert asked(host)[1]["authorization"] == "Basic bWU6d3Jvbmc="
