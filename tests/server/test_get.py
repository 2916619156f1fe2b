"""GET: downloads, descriptions, versions, listings, and which parameter rules over which."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from tests.harness import ALICE, BASE, OTHER, LiveServer
from waterbutler.core import Capabilities, Content, Path
from waterbutler.core.errors import NotFound, ProviderUnavailable
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider

FILE_KEYS = {
    "extra",
    "kind",
    "name",
    "path",
    "provider",
    "materialized",
    "etag",
    "resource",
    "size",
    "sizeInt",
    "contentType",
    "modified",
    "modified_utc",
    "created_utc",
}
FOLDER_KEYS = FILE_KEYS - {"contentType", "modified", "modified_utc", "created_utc"}


async def test_a_file_is_downloaded(server):
    """The bytes, and everything that a client may want to know of them."""
    entry = await server.have("/folder/a b.txt", b"hello")
    reply = await server.get(f"{BASE}/folder/a%20b.txt")
    assert (reply.status, reply.body, reply.whole) == (200, b"hello", True)
    headers = reply.headers
    assert headers["Content-Length"] == "5"
    assert headers["Content-Type"] == "text/plain"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Disposition"] == (
        "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"
    )
    assert headers["Last-Modified"] == entry.modified.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert headers["ETag"].startswith('"')
    assert headers["Cache-Control"] == "private, no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert headers["Repr-Digest"].startswith("sha-256=:")
    assert "Transfer-Encoding" not in headers
    assert "Content-Encoding" not in headers


async def test_a_large_file_comes_whole(server):
    """Many chunks, still with the length said before."""
    data = bytes(range(256)) * 20000
    await server.have("/big.bin", data)
    reply = await server.get(f"{BASE}/big.bin")
    assert reply.headers["Content-Length"] == str(len(data))
    assert hashlib.sha256(reply.body).digest() == hashlib.sha256(data).digest()


async def test_an_empty_file_has_a_length_too(server):
    """Zero is a size."""
    await server.have("/empty", b"")
    reply = await server.get(f"{BASE}/empty")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Length"] == "0"


async def test_a_file_is_described(server):
    """``meta`` shows the file as a JSON-API object, as the public API says."""
    entry = await server.have("/folder/ü.txt", b"12345")
    reply = await server.get(f"{BASE}/folder/%C3%BC.txt?meta=")
    assert reply.status == 200
    data = reply.data
    url = f"{server.url}{BASE}/folder/%C3%BC.txt"
    assert set(data) == {"id", "type", "attributes", "links"}
    assert data["id"] == "memory/folder/ü.txt"
    assert data["type"] == "files"
    assert data["links"] == {
        "move": url,
        "upload": f"{url}?kind=file",
        "delete": url,
        "download": url,
    }
    attributes = data["attributes"]
    assert set(attributes) == FILE_KEYS
    assert attributes["kind"] == "file"
    assert attributes["name"] == "ü.txt"
    assert attributes["path"] == attributes["materialized"] == "/folder/ü.txt"
    assert attributes["provider"] == "memory"
    assert attributes["resource"] == "guid0"
    assert attributes["size"] == attributes["sizeInt"] == 5
    assert attributes["contentType"] is None
    assert attributes["extra"]["hashes"]["md5"] == hashlib.md5(b"12345").hexdigest()
    for key in ("modified", "modified_utc", "created_utc"):
        assert datetime.fromisoformat(attributes[key]).utcoffset() == UTC.utcoffset(None)
    assert attributes["modified"] == entry.modified.isoformat()


async def test_the_tag_in_the_attributes_is_the_tag_of_the_download(server):
    """So that a client that knows one can use it for conditions."""
    await server.have("/a.txt")
    meta = await server.get(f"{BASE}/a.txt?meta=")
    download = await server.get(f"{BASE}/a.txt")
    assert download.headers["ETag"] == f'"{meta.data["attributes"]["etag"]}"'


async def test_a_folder_is_listed(server):
    """Files and folders, each with what can be done with it."""
    await server.have("/folder/sub/")
    await server.have("/folder/a.txt", b"123")
    await server.have("/elsewhere.txt")
    reply = await server.get(f"{BASE}/folder/")
    assert reply.status == 200
    entries = {entry["attributes"]["name"]: entry for entry in reply.data}
    assert set(entries) == {"sub", "a.txt"}
    assert reply.json.keys() == {"data"}
    folder = entries["sub"]
    url = f"{server.url}{BASE}/folder/sub/"
    assert folder["id"] == "memory/folder/sub/"
    assert folder["links"] == {
        "move": url,
        "upload": f"{url}?kind=file",
        "delete": url,
        "new_folder": f"{url}?kind=folder",
    }
    assert set(folder["attributes"]) == FOLDER_KEYS
    assert folder["attributes"]["kind"] == "folder"
    assert folder["attributes"]["size"] is None
    assert folder["attributes"]["sizeInt"] is None
    assert folder["attributes"]["path"] == "/folder/sub/"


async def test_an_empty_folder_is_an_empty_list(server):
    """Not an error and not null."""
    assert (await server.get(f"{BASE}/")).data == []


async def test_the_etags_of_two_folders_differ(server):
    """A tag says which thing it is of."""
    await server.have("/one/")
    await server.have("/two/")
    tags = {entry["attributes"]["etag"] for entry in (await server.get(f"{BASE}/")).data}
    assert len(tags) == 2


async def test_a_listing_of_many_comes_in_pieces(server):
    """The document is one JSON array, however long."""
    for number in range(700):
        await server.have(f"/{number:04}.txt", b"")
    reply = await server.get(f"{BASE}/")
    assert reply.headers["Transfer-Encoding"] == "chunked"
    names = [entry["attributes"]["name"] for entry in reply.data]
    assert names == [f"{number:04}.txt" for number in range(700)]


# -- which parameter rules -----------------------------------------------------------------------

DESCRIPTION, VERSIONS, DOWNLOAD, LISTING, ZIP = "description", "versions", "download", "list", "zip"


def kind_of(reply):
    if reply.headers["Content-Type"] == "application/zip":
        return ZIP
    if not reply.headers["Content-Type"].startswith("application/json"):
        return DOWNLOAD
    data = reply.data
    if isinstance(data, dict):
        return DESCRIPTION
    return VERSIONS if data and data[0]["type"] == "file_versions" else LISTING


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        ("/a.txt", "", DOWNLOAD),
        ("/a.txt", "?meta", DESCRIPTION),
        ("/a.txt", "?meta=", DESCRIPTION),
        ("/a.txt", "?meta=0", DESCRIPTION),
        ("/a.txt", "?meta=false", DESCRIPTION),
        ("/a.txt", "?meta=True&revision&cookie=", DESCRIPTION),
        ("/a.txt", "?versions", VERSIONS),
        ("/a.txt", "?revisions=", VERSIONS),
        ("/a.txt", "?versions&revisions", VERSIONS),
        ("/a.txt", "?revisions&meta", DESCRIPTION),
        ("/a.txt", "?versions=&meta=", DESCRIPTION),
        ("/a.txt", "?zip", DOWNLOAD),
        ("/a.txt", "?zip&meta", DESCRIPTION),
        ("/a.txt", "?zip&versions", VERSIONS),
        ("/a.txt", "?direct", DOWNLOAD),
        ("/a.txt", "?direct=true&mode=render", DOWNLOAD),
        ("/a.txt", "?direct&version=&view_only", DOWNLOAD),
        ("/a.txt", "?user=abc&action=x&_=1&type=file&token=&public_file=1&unknown=1", DOWNLOAD),
        ("/a.txt", "?Meta", DOWNLOAD),
        ("/a.txt", "?me%74a", DESCRIPTION),
        ("/a.txt", "?kind=folder&name=b&confirm_delete=1", DOWNLOAD),
        ("/f/", "", LISTING),
        ("/f/", "?meta=", LISTING),
        ("/f/", "?meta=True&view_only", LISTING),
        ("/f/", "?versions", LISTING),
        ("/f/", "?revisions&meta", LISTING),
        ("/f/", "?zip", ZIP),
        ("/f/", "?zip=0", ZIP),
        ("/f/", "?meta&zip&versions&version=7", ZIP),
        ("/f/", "?zip&cookie=", ZIP),
        ("/f/", "?user=a&view_only=True&version=latest", LISTING),
        ("/f/", "?_=1&token=", LISTING),
        ("/", "", LISTING),
        ("/", "?zip", ZIP),
    ],
)
async def test_which_parameter_rules(server, path, query, wanted):
    """Flags count by their presence; unknown parameters do not count at all."""
    await server.have("/a.txt")
    await server.have("/f/b.txt")
    reply = await server.get(BASE + path + query)
    assert reply.status == 200
    assert kind_of(reply) == wanted


# -- versions ------------------------------------------------------------------------------------


async def ids(server: LiveServer, path: str) -> list[str]:
    reply = await server.get(f"{BASE}{path}?versions=")
    return [version["id"] for version in reply.data]


@pytest.mark.parametrize("flag", ["versions", "revisions"])
async def test_versions_are_listed_newest_first(server, flag):
    """Their numbers are strings, and each says which parameter asks for it."""
    for data in (b"1", b"22", b"333"):
        await server.have("/a.txt", data)
    reply = await server.get(f"{BASE}/a.txt?{flag}=")
    versions = reply.data
    assert [version["attributes"]["size"] for version in versions] == [3, 2, 1]
    for version in versions:
        attributes = version["attributes"]
        assert version["type"] == "file_versions"
        assert isinstance(version["id"], str)
        assert isinstance(attributes["version"], str)
        assert attributes["version"] == version["id"]
        assert attributes["versionIdentifier"] == "version"
        assert attributes["modified"] == attributes["modified_utc"]
        assert set(attributes["extra"]["hashes"]) == {"md5", "sha256"}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("version={old}", b"old"),
        ("revision={old}", b"old"),
        ("version={old}&revision={new}", b"old"),
        ("version=&revision={old}", b"old"),
        ("version={new}&revision={old}", b"new!"),
        ("version", b"new!"),
        ("version=&revision=", b"new!"),
    ],
)
async def test_a_version_is_downloaded(server, query, wanted):
    """``version`` rules over ``revision``; an empty one is none."""
    await server.have("/a.txt", b"old")
    await server.have("/a.txt", b"new!")
    new, old = await ids(server, "/a.txt")
    query = query.format(old=old, new=new)
    reply = await server.get(f"{BASE}/a.txt?{query}")
    assert reply.body == wanted
    described = await server.get(f"{BASE}/a.txt?meta&{query}")
    assert described.data["attributes"]["size"] == len(wanted)
    head = await server.head(f"{BASE}/a.txt?{query}")
    assert head.headers["Content-Length"] == str(len(wanted))
    assert head.headers["ETag"] == reply.headers["ETag"]


@pytest.mark.parametrize("query", ["version=999", "revision=nonsense", "version=-1&meta"])
async def test_a_version_that_is_not_there_is_404(server, query):
    """Whatever its name."""
    await server.have("/a.txt")
    reply = await server.get(f"{BASE}/a.txt?{query}")
    assert reply.status == 404
    assert reply.message


class Plain(MemoryProvider):
    """Keeps no versions."""

    capabilities = replace(MemoryProvider.capabilities, versions=False)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("version=latest", 200),
        ("version=latest-published", 200),
        ("version=", 200),
        ("version=1", 404),
        ("revision=2&meta", 404),
        ("versions", 200),
        ("revisions=", 200),
    ],
)
async def test_a_storage_without_versions_has_the_current_one(make_server, query, status):
    """It lists none, and only knows the newest."""
    server = await make_server(storages={"memory": Plain()})
    await server.have("/a.txt")
    reply = await server.get(f"{BASE}/a.txt?{query}")
    assert reply.status == status
    if query.startswith(("versions", "revisions")):
        assert reply.data == []


@pytest.mark.parametrize("query", ["", "?meta", "?versions", "?zip"])
async def test_nothing_there_is_404(server, query):
    """For every question."""
    for path in ("/nothing", "/nothing/", "/no/thing", "/no/thing/"):
        reply = await server.get(BASE + path + query)
        assert reply.status == 404
        assert reply.message


@pytest.mark.parametrize("query", ["", "?meta", "?versions", "?zip"])
async def test_the_slash_says_which_kind_is_meant(server, query):
    """A file with a slash behind it is not there, nor a folder without one."""
    await server.have("/file")
    await server.have("/folder/")
    for path in ("/file/", "/folder", "/file/inside", "/file/inside/"):
        reply = await server.get(BASE + path + query)
        assert reply.status == 404, path


# -- storages that sign links --------------------------------------------------------------------


class Signing(MemoryProvider):
    """Makes links."""

    capabilities = replace(MemoryProvider.capabilities, sign=True)

    async def sign(self, path, *, version=None, filename=None, expires=None):
        await self.stat(path, version=version)
        return f"https://blobs.example/{path.name}?v={version}&as={filename}&s={expires.seconds}"


@pytest.mark.parametrize(
    ("query", "headers", "location"),
    [
        ("", {}, "https://blobs.example/a.txt?v=None&as=a.txt&s=300"),
        ("?mode=render", {}, "https://blobs.example/a.txt?v=None&as=a.txt&s=300"),
        ("?displayName=b.txt", {}, "https://blobs.example/a.txt?v=None&as=b.txt&s=300"),
        ("", {"Range": "bytes=0-1"}, "https://blobs.example/a.txt?v=None&as=a.txt&s=300"),
        ("?direct", {}, None),
        ("?direct=&mode=render", {}, None),
        ("?direct=false", {}, None),
    ],
)
async def test_a_download_is_sent_to_the_storage(make_server, query, headers, location):
    """Unless the client asks for the bytes themselves."""
    server = await make_server(storages={"memory": Signing()})
    await server.have("/a.txt", b"bytes")
    reply = await server.get(f"{BASE}/a.txt{query}", headers)
    if location is None:
        assert (reply.status, reply.body) == (200, b"bytes")
        return
    assert reply.status == 302
    assert reply.headers["Location"] == location
    assert reply.body == b""
    assert reply.headers["Cache-Control"] == "no-store"


async def test_what_is_not_a_download_is_never_sent_away(make_server):
    """Descriptions, listings, versions, HEAD and archives come from here."""
    server = await make_server(storages={"memory": Signing()})
    await server.have("/f/a.txt")
    for target in ("/f/a.txt?meta", "/f/a.txt?versions", "/f/", "/f/?zip"):
        assert (await server.get(BASE + target)).status == 200
    assert (await server.head(f"{BASE}/f/a.txt")).status == 200


@pytest.mark.parametrize(
    ("server_wide", "mount", "status"),
    [(True, None, 302), (False, None, 200), (True, False, 200), (False, True, 302)],
)
async def test_sending_away_can_be_turned_off(make_server, server_wide, mount, status):
    """For the server, and for a mount, which rules."""
    server = await make_server(
        storages={"memory": Signing()},
        mounts={"memory": {"redirect": mount}},
        options={"redirect_downloads": server_wide},
    )
    await server.have("/a.txt")
    assert (await server.get(f"{BASE}/a.txt")).status == status


async def test_a_link_for_a_version(make_server):
    """The version is part of the question."""
    server = await make_server(storages={"memory": Signing()})
    await server.have("/a.txt", b"old")
    await server.have("/a.txt", b"new")
    _, old = await ids(server, "/a.txt")
    reply = await server.get(f"{BASE}/a.txt?version={old}")
    assert f"v={old}&" in reply.headers["Location"]


async def test_no_link_for_nothing(make_server):
    """A storage that looks says that there is nothing."""
    server = await make_server(storages={"memory": Signing()})
    assert (await server.get(f"{BASE}/a.txt")).status == 404


# -- storages that know less ---------------------------------------------------------------------


class Vague(MemoryProvider):
    """Knows neither sizes nor times nor tags."""

    capabilities = replace(MemoryProvider.capabilities, hashes=frozenset())

    def _vague(self, entry):
        return msgspec.structs.replace(
            entry, size=None, modified=None, created=None, etag=None, hashes={}
        )

    async def stat(self, path, *, version=None):
        return self._vague(await super().stat(path, version=version))

    async def read(self, path, *, range=None, version=None):
        content = await super().read(path, range=range, version=version)
        content.body.size = None
        return Content(content.body, self._vague(content.entry), content.span)


async def test_a_file_of_unknown_size_comes_in_chunks(make_server):
    """Then its end is marked."""
    server = await make_server(storages={"memory": Vague()})
    await server.have("/a.bin", b"x" * 300_000)
    reply = await server.get(f"{BASE}/a.bin")
    assert (reply.status, reply.whole, len(reply.body)) == (200, True, 300_000)
    assert reply.headers["Transfer-Encoding"] == "chunked"
    assert "Last-Modified" not in reply.headers
    meta = await server.get(f"{BASE}/a.bin?meta")
    assert meta.data["attributes"]["size"] is None
    assert meta.data["attributes"]["modified"] is None


@pytest.mark.parametrize("keep", [True, False])
async def test_an_old_client_gets_the_end_of_the_connection(make_server, keep):
    """HTTP/1.0 knows no chunks: the connection ends with the body, even if it was to be kept."""
    server = await make_server(storages={"memory": Vague()})
    await server.have("/a.bin", b"x" * 300_000)
    for target in ("/a.bin", "/", "/?zip"):
        async with server.connection() as connection:
            headers = {**ALICE, **({"Connection": "keep-alive"} if keep else {})}
            reply = await connection.request("GET", BASE + target, headers, version="HTTP/1.0")
            assert reply.status == 200
            assert "Transfer-Encoding" not in reply.headers
            assert reply.headers.get("Connection", "close").lower() == "close"
            assert await connection.ended()


async def test_an_old_client_may_keep_its_connection(server):
    """Where the length is known."""
    await server.have("/a.txt", b"hello")
    async with server.connection() as connection:
        for _ in range(3):
            reply = await connection.request(
                "GET", f"{BASE}/a.txt", {**ALICE, "Connection": "keep-alive"}, version="HTTP/1.0"
            )
            assert reply.body == b"hello"
            assert reply.headers["Connection"].lower() == "keep-alive"


class Reading(MemoryProvider):
    """Can be read only, and says so."""

    capabilities = Capabilities(versions=True)


async def test_links_offer_what_the_storage_can_do(make_server):
    """No upload, move or delete where nothing can be written."""
    server = await make_server(storages={"memory": Reading()})
    await server.have("/f/a.txt")
    (folder,) = (await server.get(f"{BASE}/")).data
    assert folder["links"] == {}
    file = (await server.get(f"{BASE}/f/a.txt?meta")).data
    assert set(file["links"]) == {"download"}


# -- connections ---------------------------------------------------------------------------------


async def test_a_connection_serves_many_requests(server):
    """Answers of all kinds leave it usable."""
    await server.have("/f/a.txt", b"hello")
    async with server.connection() as connection:
        for _ in range(2):
            for target, status in (
                ("/f/a.txt", 200),
                ("/f/", 200),
                ("/f/?zip", 200),
                ("/nothing", 404),
                ("/f/a.txt?meta", 200),
            ):
                reply = await connection.request("GET", BASE + target, ALICE)
                assert reply.status == status
                assert reply.whole


async def test_requests_in_a_row_are_answered_in_order(server):
    """A client may send the next before it has the answer."""
    for number in range(5):
        await server.have(f"/{number}", str(number).encode())
    async with server.connection() as connection:
        for number in range(5):
            await connection.start("GET", f"{BASE}/{number}", ALICE)
        bodies = [(await connection.receive()).body for _ in range(5)]
        assert bodies == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_get_may_have_a_body(server):
    """It means nothing, and is not taken for the next request."""
    await server.have("/a.txt", b"hello")
    async with server.connection() as connection:
        for _ in range(2):
            reply = await connection.request("GET", f"{BASE}/a.txt", ALICE, b"x" * 5000)
            assert reply.body == b"hello"


# -- storages that fail --------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/a.txt", "/a.txt?meta", "/a.txt?versions", "/", "/?zip"])
async def test_a_storage_that_is_down_is_503(server, target):
    """With a message that says so."""
    down = ProviderUnavailable("The storage cannot be reached.", retry_after=100)
    for operation in ("stat", "read", "list", "versions"):
        server.storage.fail(operation, down, times=100)
    reply = await server.get(BASE + target)
    assert reply.status == 503
    assert reply.message == "The storage cannot be reached."
    assert reply.headers["Retry-After"] == "100"


async def test_a_file_that_vanishes_before_its_first_byte_is_an_error_answer(server):
    """Nothing was sent yet, so there is a real answer."""
    await server.have("/a.txt")
    server.storage.fail("read", NotFound("It is gone."), after=0)
    reply = await server.get(f"{BASE}/a.txt")
    assert reply.status == 404
    assert reply.message == "It is gone."
    assert "Content-Disposition" not in reply.headers
    assert "ETag" not in reply.headers


async def test_other_storages_are_not_asked(server):
    """Each URL is about one storage."""
    await server.have("/a.txt", b"here")
    await server.have("/a.txt", b"there", "other")
    assert (await server.get(f"{OTHER}/a.txt")).body == b"there"
    assert not server.storage.calls["read"]


async def test_a_flaky_storage_is_asked_again(server):
    """A failure that passes is not shown."""
    await server.have("/a.txt", b"hello")
    flaky = server.storage
    assert isinstance(flaky, FlakyProvider)
    flaky.fail("read", ProviderUnavailable("A moment.", retry_after=0.01))
    assert (await server.get(f"{BASE}/a.txt")).body == b"hello"
    assert flaky.calls["read"] == 2


async def test_names_with_slashes_do_not_exist(server):
    """An encoded slash is part of a name, and no name has one."""
    await server.have("/folder/a.txt")
    reply = await server.get(f"{BASE}/folder%2Fa.txt")
    assert reply.status == 400
    assert not server.calls


@pytest.mark.parametrize(
    "name", ["a+b", "a&b=c", "ä ö", "%41", "#?;", "日本", "a\x7fb", "\U0001f600"]
)
async def test_odd_names(server, name):
    """Every name that a storage can have comes through, in links too."""
    await server.have(f"/{name}", b"here")
    (listed,) = (await server.get(f"{BASE}/")).data
    assert listed["attributes"]["name"] == name
    target = listed["links"]["download"].removeprefix(server.url)
    assert (await server.get(target)).body == b"here"
    assert (await server.head(target)).status == 200
    assert Path.parse(listed["attributes"]["path"]).name == name
