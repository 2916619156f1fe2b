"""Folders as tables, downloads, archives, and links that keep what they must keep."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.harness import LINK_KEY
from tests.testing.flat import FlatProvider
from tests.web.browser import Page
from waterbutler.server.web import browse
from waterbutler.testing.memory import MemoryProvider

ROOT = "/files/guid0/memory/"


async def test_a_folder_is_a_table(alice, server):
    """Folders first, then files, with their sizes and times, and headings for each column."""
    entry = await server.have("/b.txt", b"x" * 1500)
    await server.have("/a/inner.txt")
    page = await alice.open(ROOT)
    assert page.text.index("a/") < page.text.index("b.txt")
    assert "1.5 kB" in page.text
    assert f"{entry.modified:%Y-%m-%d %H:%M}" in page.text.replace("\n", "")
    assert ("time", {"datetime": f"{entry.modified:%Y-%m-%dT%H:%M:%SZ}"}) in page.elements
    headings = [values for tag, values in page.elements if tag == "th"]
    assert [values["scope"] for values in headings] == ["col"] * 4 + ["row"] * 2
    assert headings[0]["aria-sort"] == "ascending"
    assert "<caption" in page.source


async def test_the_way_up_is_shown(alice, server):
    """Each folder above is a link."""
    await server.have("/one/two/three/a.txt")
    page = await alice.open(f"{ROOT}one/two/three/")
    assert page.links["Storages"] == "/"
    assert page.links["guid0 / memory"] == ROOT
    assert page.links["one"] == f"{ROOT}one/"
    assert page.links["two"] == f"{ROOT}one/two/"
    for link in page.links.values():
        assert (await alice.fetch("GET", alice.resolve(page.url, link))).status == 200


async def test_a_file_is_downloaded_and_never_shown(alice, server):
    """It is an attachment with its name, and runs nothing even if a browser shows it."""
    await server.have("/page.html", b"<script>alert(1)</script>")
    reply = await alice.fetch("GET", f"{ROOT}page.html")
    assert (reply.status, reply.body) == (200, b"<script>alert(1)</script>")
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="page.html"')
    assert reply.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_downloads_know_ranges_and_conditions(alice, server):
    """As those of the API do."""
    await server.have("/a.txt", b"0123456789")
    reply = await alice.fetch("GET", f"{ROOT}a.txt", {"Range": "bytes=2-4"})
    assert (reply.status, reply.body) == (206, b"234")
    known = {"If-None-Match": reply.headers["ETag"]}
    assert (await alice.fetch("GET", f"{ROOT}a.txt", known)).status == 304
    reply = await alice.fetch("HEAD", f"{ROOT}a.txt")
    assert (reply.status, reply.headers["Content-Length"]) == (200, "10")
    assert (await alice.fetch("HEAD", f"{ROOT}a.txt", known)).status == 304


async def test_pages_have_heads(alice, server):
    """HEAD answers what GET would, without the body."""
    for url in ("/", ROOT, f"{ROOT}?zip"):
        reply = await alice.fetch("HEAD", url)
        assert (reply.status, reply.body) == (200, b"")


async def test_an_old_version_can_be_downloaded(alice, server):
    """The parameter is the API's."""
    old = await server.have("/a.txt", b"old")
    await server.have("/a.txt", b"new")
    reply = await alice.fetch("GET", f"{ROOT}a.txt?version={old.version}")
    assert reply.body == b"old"


async def test_downloads_go_to_the_storage_where_it_can_hand_them_out(make_server, alice):
    """With a signed link, if the settings say so."""
    alice.server = server = await make_server(storages={"flat": FlatProvider()})
    await alice.sign_in("alice")
    await server.have("/a.txt", b"data", "flat")
    reply = await alice.fetch("GET", "/files/guid0/flat/a.txt")
    assert reply.status == 302
    assert reply.headers["Location"].startswith("https://")


async def test_a_folder_is_downloaded_as_an_archive(alice, server):
    """With everything in it."""
    await server.have("/folder/a.txt", b"one")
    await server.have("/folder/inner/b.txt", b"two")
    page = await alice.open(f"{ROOT}folder/")
    reply = await alice.fetch("GET", page.links["Download as zip"])
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="folder.zip"')
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.read("inner/b.txt") == b"two"
        assert archive.read("a.txt") == b"one"


async def test_a_forgotten_slash_is_added(alice, server):
    """Of a storage, and of a folder."""
    await server.have("/folder/a.txt")
    assert "a.txt" in (await alice.open(f"{ROOT}folder")).text
    assert "folder" in (await alice.open(ROOT.rstrip("/"))).text


async def test_an_empty_folder_says_so(alice):
    """Instead of an empty table."""
    page = await alice.open(ROOT)
    assert "This folder is empty" in page.text
    assert "<table" not in page.source


async def test_a_large_folder_is_shown_in_pages(alice, server, monkeypatch):
    """Every entry once, also if others come and go meanwhile."""
    monkeypatch.setattr(browse, "PAGE", 10)
    monkeypatch.setattr(browse, "_FOLDERS_FIRST", replace(browse._FOLDERS_FIRST, size=10))
    wanted = [f"file {number:02}.txt" for number in range(25)]
    for name in wanted:
        await server.have(f"/{name}")
    page = await alice.open(ROOT)
    seen = [name for name in wanted if f"{name}\n" in page.text]
    assert len(seen) == 10
    assert "First page" not in page.links
    await server.have("/file 00 and a half.txt")
    while "Next page" in page.links:
        page = await alice.open(page.links["Next page"])
        assert page.links["First page"]
        seen += [name for name in wanted if f"{name}\n" in page.text]
    assert seen == wanted


@pytest.mark.parametrize(
    ("heading", "order"),
    [("Size", ["big", "mid", "small"]), ("Name", ["small", "mid", "big"])],
)
async def test_headings_sort(alice, server, heading, order):
    """By size the largest comes first; the other way round at the second time."""
    for name, size in (("big", 30), ("mid", 20), ("small", 10)):
        await server.have(f"/{name}", b"x" * size)
    page = await alice.open(ROOT)
    page = await alice.open(page.links[heading])
    assert sorted(order, key=page.text.index) == order
    page = await alice.open(page.links[heading])
    assert sorted(order, key=page.text.index) == order[::-1]


async def test_times_sort_newest_first(alice, server):
    """The heading's first order is the useful one."""
    for name in ("first", "second"):
        await server.have(f"/{name}")
        blobs = server.storages["memory"]._root.children[name].blobs
        day = datetime(2020, 1, 1 if name == "first" else 2, tzinfo=UTC)
        blobs[0] = replace(blobs[0], modified=day)
    page = await alice.open(ROOT)
    page = await alice.open(page.links["Modified (UTC)"])
    assert page.text.index("second") < page.text.index("first")


@pytest.mark.parametrize("query", ["sort=colour", "sort=kind&page%5Bafter%5D=nonsense", "form=hat"])
async def test_what_cannot_be_asked_is_refused_in_words(alice, query):
    """As a page, with 400."""
    assert (await alice.open(f"{ROOT}?{query}")).status == 400


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"{ROOT}none.txt", 404),
        (f"{ROOT}none/", 404),
        (f"{ROOT}a.txt/", 404),
        ("/files/guid0/nothing/", 404),
        ("/files/nothing/memory/", 404),
        ("/files/guid0/", 404),
        ("/files/", 404),
        ("/files/g-0/memory/", 404),
        (f"{ROOT}%2e%2e/", 400),
        (f"{ROOT}a%00b", 400),
        (f"{ROOT}%ff", 400),
        (f"{ROOT}?view_only=%ff", 400),
        ("/?token=%ff", 400),
    ],
)
async def test_what_is_not_there_is_told_as_the_client_likes(alice, server, url, status):
    """A page for who asks for HTML, JSON for everybody else."""
    await server.have("/a.txt")
    page = Page(await alice.fetch("GET", url), url)
    assert page.status == status
    assert page.reply.headers["X-Waterbutler-Request-Id"]
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5", None):
        reply = await alice.fetch("GET", url, {"Accept": accept})
        assert reply.status == status
        assert reply.message


async def test_other_methods_are_refused(alice):
    """With those that there are."""
    for url in ("/", ROOT, "/static/page.css"):
        reply = await alice.fetch("DELETE", url, {"Accept": "*/*"})
        assert reply.json["code"] == 405
        assert "GET" in reply.headers["Allow"]


async def test_a_storage_that_fails_is_told_in_words(alice, server, expected):
    """Without what went wrong inside; with the id that the log has."""
    expected.add("ZeroDivisionError")
    server.storage.fail("list", ZeroDivisionError("secret"))
    page = await alice.open(ROOT)
    assert page.status == 500
    assert "secret" not in page.source
    assert page.reply.headers["X-Waterbutler-Request-Id"] in page.text


async def test_a_view_only_link_leads_everywhere_and_writes_nothing(browser, server):
    """Every link keeps the key."""
    await server.have("/folder/a.txt", b"data")
    page = await browser.open(f"/?view_only={LINK_KEY}")
    for name in ("memory", "folder", "a.txt"):
        link = next(link for text, link in page.links.items() if name in text)
        assert f"view_only={LINK_KEY}" in link
        if name == "a.txt":
            break
        page = await browser.open(link)
        assert page.status == 200
        assert not page.has_form("upload")
        assert all(LINK_KEY in link for link in page.links.values() if link != "#main")
    reply = await browser.fetch("GET", link)
    assert (reply.status, reply.body) == (200, b"data")
    assert (await browser.open(f"{ROOT}?view_only=wrong")).status == 401


class TestWhatIsOffered:
    """Pages offer what this user may do, and what this storage can do."""

    async def test_who_may_write(self, alice, server):
        """Everything."""
        await server.have("/a.txt")
        page = await alice.open(ROOT)
        assert page.has_form("upload")
        assert page.form("upload").multiple
        assert page.has_form("new-folder")
        assert {"Rename a.txt", "Delete a.txt"} <= set(page.links)

    @pytest.mark.parametrize("url", ["/files/guid0/memory/", "/files/public/memory/"])
    async def test_who_may_read(self, bob, server, url):
        """No form, no link that changes anything."""
        await server.have("/a.txt")
        page = await bob.open(url)
        assert "a.txt" in page.text
        assert [form.fields["do"] for form in page.forms] == ["sign-out"]
        assert not [link for link in page.links.values() if "form=" in link]

    async def test_a_mount_that_is_read_only(self, alice, server):
        """Nobody writes there."""
        await server.have("/a.txt", storage="frozen")
        page = await alice.open("/files/guid0/frozen/")
        assert not page.has_form("upload")
        assert not [link for link in page.links.values() if "form=" in link]

    async def test_a_storage_that_can_do_little(self, make_server, alice):
        """It makes no folders, and takes one file at a time because it must know its size."""
        alice.server = await make_server(storages={"flat": FlatProvider()})
        await alice.sign_in("alice")
        page = await alice.open("/files/guid0/flat/")
        assert not page.has_form("new-folder")
        assert not page.form("upload").multiple

    @pytest.mark.parametrize("form", ["rename", "delete"])
    async def test_forms_are_for_who_may_write(self, bob, alice, server, form):
        """Others get no form that would be refused."""
        await server.have("/a.txt")
        await bob.sign_in("bob")
        assert (await bob.open(f"{ROOT}a.txt?form={form}")).status == 403
        await alice.sign_in("alice")
        assert (await alice.open(f"{ROOT}a.txt?form={form}")).status == 200
        assert (await alice.open(f"{ROOT}b.txt?form={form}")).status == 404
        assert (await alice.open(f"{ROOT}?form={form}")).status == 400
        assert (await alice.open(f"/files/guid0/frozen/a.txt?form={form}")).status == 403


async def test_names_that_a_storage_gives_lead_to_what_they_name(alice, make_server):
    """Also where URLs have other names than things."""

    class ById(MemoryProvider):
        def wire_path(self, path):
            return (
                path.parent.child(f"id-{path.name}", folder=path.is_folder) if path.names else path
            )

        async def locate(self, wire):
            return wire.renamed(wire.name.removeprefix("id-")) if wire.names else wire

    alice.server = server = await make_server(storages={"ids": ById()})
    await alice.sign_in("alice")
    await server.have("/a.txt", b"data", "ids")
    page = await alice.open("/files/guid0/ids/")
    assert page.links["a.txt"] == "/files/guid0/ids/id-a.txt"
    page = await alice.open(page.links["Rename a.txt"])
    page = await alice.send(page, page.form("rename"), name="b.txt")
    assert page.links["b.txt"] == "/files/guid0/ids/id-b.txt"
