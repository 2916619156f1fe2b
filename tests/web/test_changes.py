"""New folders, new names and deletions, and how refusals read."""

import pytest

from waterbutler.core import Path
from waterbutler.core.errors import ProviderUnavailable, QuotaExceeded

ROOT = "/files/guid0/memory/"


async def test_a_folder_is_made(alice, server):
    """The folder above is shown, and says so."""
    page = await alice.open(ROOT)
    page = await alice.send(page, page.form("new-folder"), name="données & more")
    assert "The folder was made" in page.text
    assert "données & more" in page.text
    assert await server.names() == ["/données & more/"]


async def test_a_taken_name_is_told_with_what_has_it(alice, server):
    """And the form is there again, with the name in it."""
    await server.have("/taken", b"12345")
    page = await alice.open(ROOT)
    page = await alice.send(page, page.form("new-folder"), name="taken")
    assert page.status == 409
    assert "5 bytes" in page.text
    form = page.form("new-folder")
    assert form.fields["name"] == "taken"
    page = await alice.send(page, form, name="free")
    assert "free" in page.text


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "x" * 256])
async def test_a_bad_name_is_told_and_asked_again(alice, server, name):
    """Nothing is made."""
    page = await alice.open(ROOT)
    page = await alice.send(page, page.form("new-folder"), name=name)
    assert page.status == 400
    assert page.form("new-folder").fields["name"] == name
    assert await server.names() == []


async def test_a_file_is_renamed(alice, server):
    """The form begins with the name that it has."""
    await server.have("/folder/a.txt", b"data")
    page = await alice.open(f"{ROOT}folder/")
    page = await alice.open(page.links["Rename a.txt"])
    assert page.form("rename").fields["name"] == "a.txt"
    page = await alice.send(page, page.form("rename"), name="b.txt")
    assert page.url == f"{ROOT}folder/?done=renamed"
    assert await server.names() == ["/folder/", "/folder/b.txt"]


async def test_a_folder_is_renamed_with_everything_in_it(alice, server):
    """And the folder above is shown."""
    await server.have("/old/a.txt", b"data")
    page = await alice.open((await alice.open(ROOT)).links["Rename old"])
    page = await alice.send(page, page.form("rename"), name="new")
    assert page.url == f"{ROOT}?done=renamed"
    assert await server.names() == ["/new/", "/new/a.txt"]


async def test_renaming_to_a_taken_name_asks_for_another(alice, server):
    """Nothing is replaced."""
    await server.have("/a.txt", b"one")
    await server.have("/b.txt", b"other")
    page = await alice.open((await alice.open(ROOT)).links["Rename a.txt"])
    page = await alice.send(page, page.form("rename"), name="b.txt")
    assert page.status == 409
    assert "b.txt" in page.text
    assert page.links["Back to the folder"] == ROOT
    page = await alice.send(page, page.form("rename"), name="c.txt")
    assert page.status == 200
    assert await server.names() == ["/b.txt", "/c.txt"]
    assert await server.content("/b.txt") == b"other"


async def test_deleting_asks_first(alice, server):
    """The question shows what it is about; nothing is gone before the answer."""
    await server.have("/a.txt", b"x" * 2000)
    page = await alice.open((await alice.open(ROOT)).links["Delete a.txt"])
    assert "Delete this file?" in page.text
    assert "a.txt" in page.text
    assert "2,000 bytes" in page.text
    assert page.links["Keep it"] == ROOT
    assert await server.names() == ["/a.txt"]
    page = await alice.send(page, page.form("delete"))
    assert page.url == f"{ROOT}?done=deleted"
    assert "It was deleted" in page.text
    assert await server.names() == []


async def test_a_folder_is_deleted_with_everything_in_it(alice, server):
    """The question says so."""
    await server.have("/folder/inner/a.txt")
    page = await alice.open((await alice.open(ROOT)).links["Delete folder"])
    assert "with everything in it" in page.text
    await alice.send(page, page.form("delete"))
    assert await server.names() == []


async def test_what_changed_after_the_question_is_not_deleted(alice, server):
    """It is not what was asked about."""
    await server.have("/a.txt", b"old")
    page = await alice.open((await alice.open(ROOT)).links["Delete a.txt"])
    await server.have("/a.txt", b"new")
    page = await alice.send(page, page.form("delete"))
    assert page.status == 412
    assert "changed after the page was shown" in page.text
    assert await server.content("/a.txt") == b"new"


async def test_a_root_is_never_deleted(alice, server):
    """Not even by a form that is made by hand."""
    await server.have("/a.txt")
    page = await alice.open(ROOT)
    fields = {"csrf": page.form("new-folder").fields["csrf"], "do": "delete"}
    for url in (ROOT, f"{ROOT}?confirm_delete=1", "/files/guid0/memory"):
        assert (await alice.post(url, fields)).status == 400
    assert await server.names() == ["/a.txt"]


async def test_what_is_gone_already_is_told(alice, server):
    """As 404."""
    await server.have("/a.txt")
    page = await alice.open(f"{ROOT}a.txt?form=delete")
    await server.storages["memory"].delete(Path.parse("/a.txt"))
    assert (await alice.send(page, page.form("delete"))).status == 404


@pytest.mark.parametrize(
    ("error", "status"), [(QuotaExceeded("It is full."), 507), (ProviderUnavailable("Down."), 503)]
)
async def test_refusals_of_the_storage_are_told_in_words(alice, server, error, status):
    """With the right status."""
    page = await alice.open(ROOT)
    for _ in range(10):
        server.storage.fail("make_folder", error)
    page = await alice.send(page, page.form("new-folder"), name="folder")
    assert page.status == status
    assert error.message in page.text


async def test_visitors_may_write_where_everybody_may(browser, server):
    """Their forms carry a token of their own."""
    page = await browser.open("/files/wiki/memory/")
    page = await browser.send(page, page.form("new-folder"), name="new")
    assert page.status == 200
    page = await browser.upload(page, page.form("upload"), ("a.txt", b"data"))
    assert page.status == 200
    assert await server.names() == ["/a.txt", "/new/"]


@pytest.mark.parametrize("fields", [{"do": "nothing"}, {}])
async def test_a_form_that_asks_for_nothing_known_is_refused(alice, fields):
    """Here and on the first page."""
    csrf = (await alice.open(ROOT)).form("sign-out").fields["csrf"]
    for url in (ROOT, "/"):
        assert (await alice.post(url, {**fields, "csrf": csrf})).status == 400


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 400),
        ("text/plain", b"csrf=1", 400),
        ("", b"csrf=1", 400),
        ("application/x-www-form-urlencoded", b"a=1&" * 30, 400),
        ("application/x-www-form-urlencoded", b"a=%ff", 400),
        ("application/x-www-form-urlencoded", "a=é".encode(), 400),
        ("application/x-www-form-urlencoded", b"nonsense", 400),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * (1 << 15), 413),
        ("application/x-www-form-urlencoded", b"", 403),
    ],
)
async def test_what_is_no_form_is_refused(alice, kind, body, status):
    """Before anything is done."""
    for url in (ROOT, "/"):
        assert (await alice.fetch("POST", url, {"Content-Type": kind}, body)).status == status


@pytest.mark.parametrize("code", ["<script>", "Please+call+this+number", "created'", ""])
async def test_messages_cannot_be_made_up(alice, code):
    """A link shows one of the sentences of this server, or none."""
    page = await alice.open(f"{ROOT}?done={code}")
    assert 'role="status"' not in page.source
    assert 'role="status"' in (await alice.open(f"{ROOT}?done=created")).source
