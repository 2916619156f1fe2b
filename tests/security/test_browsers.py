"""Pages of somebody else, in a browser that is signed in here, read, write and sign in nothing."""

from urllib.parse import quote

import pytest

from tests.harness import ALICE, BASE, TOKENS, named
from tests.web.browser import Browser
from waterbutler.auth import COOKIE
from waterbutler.server.cors import Cors

EVIL = "https://evil.example.org"
FOREIGN = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://127.0.0.1.evil.example.org"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": EVIL, "Referer": "http://127.0.0.1/"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": EVIL, "Content-Type": "text/plain"},
    {},
]
ELSEWHERE = [
    *(
        "//evil.example.org",
        "///evil.example.org",
        "/\\evil.example.org",
        "https://evil.example.org",
    ),
    *("\\\\evil.example.org", "/%5cevil.example.org", "//evil.example.org/files/guid0/memory/"),
    *(
        "/files/guid0/memory/../../../..//evil.example.org",
        "javascript:alert(1)",
        "/\t/evil.example.org",
    ),
    *("http:evil.example.org", "data:text/html,x", "/files//evil.example.org", "@evil.example.org"),
]


@pytest.fixture
def cookie(server):
    """The session of alice, as her browser would send it with anybody's request."""
    return {"Cookie": f"{COOKIE}={server.static.open_session(TOKENS['alice'])}"}


@pytest.mark.parametrize("headers", FOREIGN)
async def test_no_foreign_page_writes(server, cookie, headers):
    """By no method and no dialect; a page of our own does, and so does who has the token."""
    await server.have("/a.txt", b"data")
    query = "nid=guid0&provider=memory"
    for method, target, body in (
        ("PUT", named("b.txt"), b"x"),
        ("PUT", f"{BASE}/a.txt", b"x"),
        ("POST", f"{BASE}/a.txt", b'{"action": "rename", "rename": "c.txt"}'),
        ("DELETE", f"{BASE}/a.txt", None),
        ("DELETE", f"{BASE}/?confirm_delete=1", None),
        ("PUT", f"/file?{query}&path=/b.txt", b"x"),
        ("DELETE", f"/file?{query}&path=/a.txt", None),
        ("POST", "/files/guid0/memory/a.txt", b"do=delete"),
        ("POST", "/files/guid0/memory/", b"do=new-folder&name=x"),
    ):
        form = (
            {"Content-Type": "application/x-www-form-urlencoded"} if b"do=" in (body or b"") else {}
        )
        reply = await server.request(method, target, {**cookie, **form, **headers}, body)
        assert reply.status in {401, 403}, target
    assert await server.names() == ["/a.txt"]
    assert await server.content("/a.txt") == b"data"


async def test_a_page_of_ours_writes(server, cookie):
    """What the others here differ from."""
    ours = {"Origin": server.url, "Sec-Fetch-Site": "same-origin", "Host": server.netloc}
    reply = await server.request("PUT", named("b.txt"), {**cookie, **ours}, b"x")
    assert reply.status == 201
    csrf = server.sessions.csrf_token(cookie["Cookie"].partition("=")[2])
    reply = await server.request("PUT", named("c.txt"), {**cookie, "X-CSRFToken": csrf}, b"x")
    assert reply.status == 201


@pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1:1", "http://localhost.evil"])
@pytest.mark.parametrize("origins", [["*"], ["https://trusted.example.org"], []])
async def test_no_foreign_page_reads_what_is_ours(make_server, origin, origins):
    """With the cookie it gets nothing, whatever is set; with ``*`` it may use tokens of its own."""
    server = await make_server(options={"cors": Cors.of(origins)})
    await server.have("/a.txt", b"data")
    session = {"Cookie": f"{COOKIE}={server.static.open_session(TOKENS['alice'])}"}
    for target in (
        f"{BASE}/",
        f"{BASE}/a.txt",
        "/files/guid0/memory/",
        "/file?nid=guid0&provider=memory&path=/a.txt",
    ):
        reply = await server.request("GET", target, {**session, "Origin": origin})
        assert reply.status == 401 or "Access-Control-Allow-Origin" not in reply.headers
        assert b"a.txt" not in reply.body
        assert reply.body != b"data"
    reply = await server.get(f"{BASE}/a.txt", {"Origin": origin})
    assert ("Access-Control-Allow-Origin" in reply.headers) == (origins == ["*"])
    reply = await server.request(
        "OPTIONS", f"{BASE}/a.txt", {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    )
    assert ("Access-Control-Allow-Methods" in reply.headers) == (origins == ["*"])


@pytest.mark.parametrize("wanted", ELSEWHERE)
async def test_nobody_is_sent_elsewhere(server, wanted):
    """After signing in and out, by forms and by links: only to pages of this server."""
    await server.have("/a.txt", b"data")
    encoded = quote(wanted, safe="")
    browser = Browser(server)
    for target in (
        f"/?token={TOKENS['alice']}&next={encoded}",
        f"/?token={TOKENS['alice']}&onward={encoded}",
        f"/?next={encoded}",
        "/" + wanted if not wanted.startswith("/") else wanted.replace("\t", "%09"),
        f"/files/guid0/memory{'' if wanted.startswith('/') else '/'}{encoded}",
    ):
        reply = await browser.fetch("GET", target)
        location = reply.headers.get("Location", "/")
        assert location.startswith("/"), target
        assert not location.startswith(("//", "/\\")), target
        assert "evil" not in location.partition("/files/guid0/memory")[0]
    for name in ("onward", "next"):
        visitor = Browser(server)
        page = await visitor.open("/")
        form = page.forms[0]
        reply = await visitor.post(
            form.action, {**form.fields, "token": TOKENS["alice"], name: wanted}
        )
        location = reply.headers.get("Location", "/")
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))


async def test_no_foreign_page_signs_somebody_in(server):
    """A browser would work for the attacker's account without knowing."""
    page = await Browser(server).open("/")
    form = page.forms[0]
    for headers in (
        {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": None, "Sec-Fetch-Site": "cross-site"},
    ):
        victim = Browser(server)
        fields = {**form.fields, "token": TOKENS["bob"]}
        await victim.post(form.action, fields, headers)
        assert COOKIE not in victim.cookies
        await victim.fetch("GET", f"/?token={TOKENS['bob']}", {"Sec-Fetch-Site": "cross-site"})
        assert COOKIE not in victim.cookies


async def test_the_cookie_is_for_this_server_only(server):
    """Scripts cannot read it, and other sites' forms do not send it."""
    browser = Browser(server)
    await browser.sign_in("alice")
    (morsel,) = [each for each in browser.set_cookies if each.key == COOKIE and each.value]
    assert morsel["httponly"]
    assert morsel["samesite"] in {"Lax", "Strict"}
    assert not morsel["domain"]


async def test_nobody_frames_our_pages(server):
    """A click cannot be stolen."""
    browser = Browser(server)
    await browser.sign_in("alice")
    await server.have("/a.txt", b"data")
    for target in (
        "/",
        "/files/guid0/memory/",
        "/files/guid0/memory/a.txt?form=delete",
        "/nothing",
    ):
        reply = await browser.fetch("GET", target)
        policy = reply.headers.get("Content-Security-Policy", "")
        assert "frame-ancestors 'none'" in policy or not reply.headers["Content-Type"].startswith(
            "text/html"
        )
        assert "script-src" not in policy


async def test_a_token_needs_no_cookie(server):
    """Programs are not browsers: they write from anywhere."""
    reply = await server.request("PUT", named("a.txt"), {**ALICE, "Origin": EVIL}, b"x")
    assert reply.status == 201
