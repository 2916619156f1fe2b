"""What pages are guarded against: forged forms, names that are code, other sites' frames."""

import pytest

from tests.web.browser import MULTIPART, multipart, part

ROOT = "/files/guid0/memory/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

NASTY = [
    "<script>alert(1)<",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    'it\'s "quoted" & <b>bold<',
    "{{ 7*7 }} {% raw user %}",
    "&lt;already&gt;",
    "javascript:alert(1)",
    "line\nbreak\r\ttab",
    "invoice\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "separators\u2028\u2029",
    "-->]]><!--",
    "https:",
    "?zip#fragment%2e%2e",
]

POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
HARMLESS = {
    "a", "b", "bdi", "body", "button", "caption", "code", "dd", "div", "dl", "dt", "form", "h1",
    "h2", "head", "header", "html", "input", "label", "li", "link", "main", "meta", "nav", "ol",
    "p", "path", "section", "small", "span", "svg", "table", "tbody", "td", "th", "thead", "time",
    "title", "tr", "ul",
}  # fmt: skip


async def test_every_page_is_locked_down(alice, server):
    """No scripts, no frames, no foreign forms, no cache; errors are no exception."""
    await server.have("/a.txt")
    for url in (
        "/",
        ROOT,
        f"{ROOT}a.txt?form=delete",
        f"{ROOT}a.txt?form=rename",
        f"{ROOT}none/",
        "/?token=wrong",
        "/files/nothing",
    ):
        page = await alice.open(url)
        headers = page.reply.headers
        rules = dict(
            rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";")
        )
        assert rules == POLICY
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        tags = {tag for tag, _ in page.elements}
        assert tags <= HARMLESS
        assert not [values for _, values in page.elements if set(values) & {"style", "onclick"}]
        assert ("meta", {"charset": "utf-8"}) in page.elements
        assert any(values.get("name") == "viewport" for _, values in page.elements)


async def test_no_other_origin_reads_pages(alice, server):
    """Whatever the API allows; and it gets no token of a form."""
    for origin in ("https://evil.example.org", "null", "http://["):
        reply = await alice.fetch("GET", ROOT, {"Origin": origin})
        assert not [name for name in reply.headers if name.startswith("Access-Control")]
        reply = await alice.fetch("GET", "/", {"Origin": origin})
        assert reply.status == 200
        assert not [name for name in reply.headers if name.startswith("Access-Control")]
        assert b'name="csrf" value=""' in reply.body
        assert "Set-Cookie" not in reply.headers
        assert b"Signed in" not in reply.body


@pytest.mark.parametrize("name", NASTY)
async def test_names_are_shown_and_do_nothing(alice, server, name):
    """On every page that shows them: no element more, and every link still works."""
    await server.have(f"/{name}/{name}", b"data")
    page = await alice.open(ROOT)
    folder = next(link for link in page.links.values() if link.endswith("/") and link > ROOT)
    pages = [page, await alice.open(folder)]
    links = [link for link in pages[1].links.values() if link.startswith(folder)]
    assert len(links) > 3
    for link in links:
        reply = await alice.fetch("GET", link)
        assert reply.status == 200
        if reply.headers["Content-Type"].startswith("text/html"):
            pages.append(await alice.open(link))
    taken = pages[1].form("upload")
    pages.append(await alice.upload(pages[1], taken, (name, b"x"), name=name))
    assert pages[-1].status == 409
    for page in pages:
        assert {tag for tag, _ in page.elements} <= HARMLESS
        assert not [v for _, values in page.elements for v in values if v.startswith("on")]
        for char in "\u202e\u200b\ufeff\u2028\u2029\r\t":
            assert char not in page.text
    assert await server.names() == sorted([f"/{name}/", f"/{name}/{name}"])


async def test_hidden_characters_are_spelled_out(alice, server):
    """A name that shows itself from right to left is seen for what it is."""
    await server.have("/invoice\u202egnp.exe")
    page = await alice.open(ROOT)
    assert "invoice⟨U+202E⟩gnp.exe" in page.text
    assert "Delete invoice⟨U+202E⟩gnp.exe" in page.links


class TestForgedForms:
    """A write counts only if one of our own pages was filled in by this browser."""

    FOREIGN = (
        {"Origin": "https://evil.example.org", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": None, "Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": None},
    )

    @pytest.fixture
    def before(self, alice, server, io_loop):
        """A page of alice, and a file that must stay."""
        io_loop.run_sync(lambda: server.have("/a.txt", b"data"))
        return io_loop.run_sync(lambda: alice.open(ROOT))

    @pytest.mark.parametrize("do", ["delete", "rename", "new-folder"])
    async def test_the_token_is_needed(self, alice, server, before, do):
        """Also from our own origin; that of somebody else is none."""
        other = server.sessions.csrf_token(server.static.open_session("bob-token-93fe"))
        for csrf in (None, "", "0" * 64, other, "é"):
            fields = {"do": do, "name": "new"}
            if csrf is not None:
                fields["csrf"] = csrf
            reply = await alice.post(f"{ROOT}a.txt", fields)
            assert reply.status == 403
            assert b"The form is out of date" in reply.body
        assert await server.names() == ["/a.txt"]

    @pytest.mark.parametrize("headers", FOREIGN)
    async def test_other_sites_are_refused_with_a_token_too(self, alice, server, before, headers):
        """Should it ever leak."""
        csrf = before.form("sign-out").fields["csrf"]
        fields = {"csrf": csrf, "do": "delete"}
        assert (await alice.post(f"{ROOT}a.txt", fields, headers)).status == 403
        body = multipart({"csrf": csrf}, ("b.txt", b"data"))
        assert (await alice.post_multipart(ROOT, body, headers)).status == 403
        assert (await alice.post("/", {"csrf": csrf, "do": "sign-out"}, headers)).status == 403
        assert await server.names() == ["/a.txt"]
        assert "waterbutler_session" in alice.cookies

    async def test_a_token_of_another_visitor_is_none(self, browser, server):
        """It belongs to one browser, also where nobody is signed in."""
        page = await browser.open("/files/wiki/memory/")
        browser.cookies["waterbutler_visitor"] = "another"
        page = await browser.send(page, page.form("new-folder"), name="new")
        assert page.status == 403
        browser.cookies.clear()
        assert (await browser.post("/files/wiki/memory/", {"do": "new-folder"})).status == 403
        assert await server.names() == []

    async def test_uploads_need_the_token_before_the_file(self, alice, server, before):
        """Nothing of the file is stored before it is there and right."""
        csrf = before.form("upload").fields["csrf"]
        good = multipart({"csrf": csrf}, ("b.txt", b"data"))
        for body in (
            multipart({}, ("b.txt", b"data")),
            multipart({"csrf": "0" * 64}, ("b.txt", b"data")),
            part("file", b"data", "b.txt") + good,
        ):
            assert (await alice.fetch("POST", ROOT, MULTIPART, body)).status == 403
        assert await server.names() == ["/a.txt"]
        assert (await alice.fetch("POST", ROOT, MULTIPART, good)).status == 303

    async def test_nothing_is_changed_by_a_link(self, alice, server, before):
        """GET never writes."""
        for url in (
            f"{ROOT}a.txt?do=delete",
            f"{ROOT}a.txt?form=delete",
            f"{ROOT}a.txt?form=rename&name=b.txt",
            "/?do=sign-out",
        ):
            await alice.fetch("GET", url)
        assert await server.names() == ["/a.txt"]
        assert "Signed in as Alice" in (await alice.open("/")).text

    async def test_a_form_without_the_right_is_refused(self, browser, server, before):
        """The token gives no rights."""
        await browser.sign_in("bob")
        page = await browser.open(ROOT)
        fields = {"csrf": page.form("sign-out").fields["csrf"], "name": "b.txt"}
        for do in ("delete", "rename", "new-folder"):
            assert (await browser.post(f"{ROOT}a.txt", {**fields, "do": do})).status == 403
        body = multipart(fields, ("b.txt", b"data"))
        assert (await browser.post_multipart(ROOT, body)).status == 403
        browser.cookies.pop("waterbutler_session")
        page = await browser.open("/")
        fields["csrf"] = page.form("sign-in").fields["csrf"]
        assert (await browser.post(f"{ROOT}a.txt", {**fields, "do": "delete"})).status == 401
        assert await server.names() == ["/a.txt"]


async def test_the_style_is_ours_and_may_be_kept(alice):
    """Its URL changes with its content."""
    page = await alice.open("/")
    sheets = [v for tag, v in page.elements if tag == "link" and v["rel"] == "stylesheet"]
    reply = await alice.fetch("GET", sheets[0]["href"])
    assert reply.headers["Content-Type"] == "text/css; charset=UTF-8"
    assert "immutable" in reply.headers["Cache-Control"]
    assert b"prefers-color-scheme: dark" in reply.body
    assert b"http" not in reply.body
    plain = await alice.fetch("GET", "/static/page.css")
    assert plain.headers["Cache-Control"] == "no-cache"
    assert (await alice.fetch("GET", "/static/icon.svg")).status == 200
    for name in ("../routes.py", "none.css", "", "%2e%2e/routes.py"):
        reply = await alice.fetch("GET", f"/static/{name}", {"Accept": "*/*"})
        assert reply.json["code"] == 404


async def test_the_log_has_no_tokens(alice, log):
    """Neither those of links, nor those of forms."""
    await alice.open("/?token=secret-1&view_only=secret-2")
    assert log
    assert "secret-" not in str(log)
