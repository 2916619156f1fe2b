"""Clients in the field, as far as they speak v1: what they send, and what they read."""

import json
import re
from typing import ClassVar

import pytest

from tests.harness import ALICE, BASE, LINK_KEY, NOBODY, named

ORIGIN = {"Origin": "https://pages.example"}


class TestRenderer:
    """A service that renders files: it describes with HEAD, then reads."""

    async def test_it_describes_and_reads(self, server):
        """Everything that its cache keys are made of is there."""
        await server.have("/folder/plot ü.csv", b"a,b\n")
        target = f"{BASE}/folder/plot%20%C3%BC.csv?direct=&mode=render&version="
        for action in ("render", "export"):
            head = await server.head(target, {"X-Cos-Mfr-Request-Action": action})
            assert head.status == 200
            attributes = json.loads(head.headers["X-Waterbutler-Metadata"])["attributes"]
            wanted = {"name", "size", "contentType", "etag", "resource", "provider", "path"}
            assert wanted <= set(attributes)
        reply = await server.get(target, {"X-Cos-Mfr-Render-Request": "1"})
        assert reply.status == 200
        assert reply.headers["Content-Length"] == "4"
        assert reply.headers["Content-Type"] == "text/csv"

    async def test_a_page_reads_parts(self, server):
        """Its script sees that it may, and how large the file is."""
        await server.have("/a.pdf", b"%PDF" * 1000)
        reply = await server.get(f"{BASE}/a.pdf", ORIGIN)
        exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"Accept-Ranges", "Content-Length", "Content-Encoding"} <= set(exposed)
        assert reply.headers["Accept-Ranges"] == "bytes"
        assert "Content-Encoding" not in reply.headers
        part = await server.get(f"{BASE}/a.pdf", {**ORIGIN, "Range": "bytes=4-7"})
        assert (part.status, part.body) == (206, b"%PDF")


class TestSinglePage:
    """A page in the browser of a person who is signed in."""

    HEADERS: ClassVar = {**ALICE, **ORIGIN, "Accept": "application/vnd.api+json; version=2.20"}

    async def test_an_upload_whose_name_is_taken(self, server):
        """It goes on with the link in the refusal, as it is."""
        await server.have("/a.txt", b"old")
        reply = await server.request("PUT", named("a.txt"), self.HEADERS, b"new")
        assert reply.status == 409
        link = reply.json["data"]["links"]["upload"]
        assert link.endswith("?kind=file")
        again = await server.request("PUT", link.removeprefix(server.url), self.HEADERS, b"new")
        assert again.status == 200
        assert again.data["id"].rpartition("/")[2] == "a.txt"

    async def test_the_dialog_that_renames(self, server):
        """Sends an empty policy to the link for uploads, and reads the name."""
        await server.have("/a.txt")
        await server.have("/b.txt")
        target = f"{BASE}/a.txt?kind=file"
        document = {"action": "rename", "rename": "b.txt", "conflict": ""}
        reply = await server.post(target, document, self.HEADERS)
        assert reply.status == 200
        assert reply.data["attributes"]["name"] == "b (1).txt"

    async def test_the_dialog_that_moves(self, server):
        """Asks, is told of a conflict, and replaces."""
        await server.have("/a.txt", b"new")
        await server.have("/to/a.txt", b"old")
        document = {"action": "move", "path": "/to/", "provider": "memory", "resource": "guid0"}
        assert (await server.post(f"{BASE}/a.txt", document, self.HEADERS)).status == 409
        document["conflict"] = "replace"
        assert (await server.post(f"{BASE}/a.txt", document, self.HEADERS)).status == 200

    async def test_folders_revisions_archives(self, server):
        """The members that it reads are there."""
        made = await server.request(
            "PUT", f"{BASE}/?kind=folder&name=new", {**self.HEADERS, "Content-Length": "0"}
        )
        assert made.data["attributes"]["path"] == "/new/"
        await server.have("/new/a.txt", b"1")
        await server.have("/new/a.txt", b"2")
        for entry in (await server.get(f"{BASE}/new/a.txt?kind=file&revisions=")).data:
            assert re.fullmatch(r"\d+", entry["id"])
            assert entry["attributes"]["modified"]
            assert set(entry["attributes"]["extra"]["hashes"]) >= {"md5", "sha256"}
        archive = await server.get(f"{BASE}/new/?kind=file&zip=")
        assert archive.headers["Content-Type"] == "application/zip"

    async def test_a_page_with_a_link_key(self, server):
        """Reads with it everywhere."""
        await server.have("/a.txt")
        headers = {**NOBODY, **ORIGIN}
        for target in ("/a.txt", "/", "/a.txt?meta="):
            mark = "&" if "?" in target else "?"
            reply = await server.request(
                "GET", f"{BASE}{target}{mark}view_only={LINK_KEY}", headers
            )
            assert reply.status == 200

    async def test_a_link_with_a_key_takes_more_parameters(self, server):
        """As they are appended."""
        target = f"{BASE}/?kind=folder&view_only=&name=x"
        assert (await server.put(target)).status == 201


class TestHost:
    """The host application and its helpers, which put odd things into queries."""

    async def test_it_touches_a_file(self, server):
        """Bare keys, and Python's words for truth."""
        await server.have("/a.txt")
        reply = await server.get(f"{BASE}/a.txt?meta=True&revision&cookie=&view_only")
        attributes = reply.data["attributes"]
        wanted = ("name", "materialized", "modified", "etag", "size", "contentType", "extra")
        assert all(key in attributes for key in wanted)

    async def test_it_lists_for_its_own_api(self, server):
        """``data`` is there, and the kinds and paths."""
        await server.have("/f/a.txt")
        reply = await server.get(f"{BASE}/f/?meta=True&view_only")
        for entry in reply.data:
            wanted = {
                "provider",
                "kind",
                "path",
                "name",
                "materialized",
                "modified",
                "etag",
                "extra",
            }
            assert wanted <= set(entry["attributes"])

    async def test_the_archiver(self, server):
        """Walks by listings, then copies a root under a new name, without a content type."""
        await server.have("/f/a.txt", b"data")
        walk = await server.get(f"{BASE}/?user=Some%20One&view_only=True&cookie=&version=latest")
        assert [entry["attributes"]["kind"] for entry in walk.data] == ["folder"]
        body = json.dumps(
            {
                "action": "copy",
                "path": "/",
                "rename": "Archive of Files",
                "resource": "guid0",
                "provider": "other",
            }
        ).encode()
        target = f"{BASE}/?cookie=&revision=latest-published"
        reply = await server.request("POST", target, ALICE, body)
        assert reply.status == 201
        assert await server.content("/Archive of Files/f/a.txt", "other") == b"data"
        again = await server.request("POST", target, ALICE, body)
        assert again.status == 409

    async def test_it_uploads_without_a_kind(self, server):
        """With unknown parameters and an accidental type."""
        reply = await server.put(f"{BASE}/?name=mail.txt&cookie=", b"x")
        assert reply.status == 201
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = await server.put(f"{BASE}/?kind=file&name=boa.txt&cookie=", b"a=1&b=2", headers)
        assert reply.status == 201
        assert await server.content("/boa.txt") == b"a=1&b=2"
        reply = await server.put(f"{BASE}/?name=image.png&type=file", b"x")
        assert reply.status == 201
        assert "?" not in reply.data["links"]["download"]


class TestOldPages:
    """Pages that are no longer made, and still in use."""

    async def test_the_tree(self, server):
        """Reads a moved folder's children, flat."""
        await server.have("/f/a.txt", b"123")
        await server.have("/to/")
        document = {
            "action": "move",
            "path": "/to/",
            "conflict": "replace",
            "resource": "guid0",
            "provider": "memory",
            "rename": "f",
            "branch": None,
        }
        reply = await server.post(f"{BASE}/f/", document)
        assert reply.status == 201
        (child,) = reply.data["attributes"]["children"]
        for key in ("name", "kind", "path", "provider", "materialized", "size", "modified_utc"):
            assert key in child

    async def test_the_tree_makes_a_folder_twice(self, server):
        """It reads ``code`` and ``message``."""
        await server.put(named("x", "folder"))
        document = (await server.put(named("x", "folder"))).json
        assert document["code"] == 409
        assert document["message"]

    async def test_the_page_of_a_file(self, server):
        """Reads and saves text at one address."""
        target = f"{BASE}/a.txt?direct=true&mode=render"
        await server.have("/a.txt", b"old")
        assert (await server.get(target)).body == b"old"
        assert (await server.put(target, b"new")).status == 200
        assert (await server.get(target)).body == b"new"
        (newest, _) = (await server.get(f"{BASE}/a.txt?revisions=")).data
        attributes = newest["attributes"]
        assert isinstance(attributes["version"], str)
        for key in ("versionIdentifier", "modified", "modified_utc", "extra"):
            assert key in attributes

    @pytest.mark.parametrize("target", ["/", "/?token=", "/?token=&zip", "/?_=1700000000"])
    async def test_parameters_that_say_nothing(self, server, target):
        """Are ignored."""
        assert (await server.get(BASE + target)).status == 200
