"""Signing in and out, the cookies of it, and who is trusted to start it."""

import pytest

from tests.harness import ALICE, LINK_KEY, TOKENS
from tests.web.browser import Page

COOKIE = "waterbutler_session"
VISITOR = "waterbutler_visitor"
HOME = "/"


def cookie(browser, name):
    """The last cookie of a name that was set."""
    return next(morsel for morsel in reversed(browser.set_cookies) if morsel.key == name)


async def test_a_link_with_a_token_signs_in_and_leaves_the_address_bar(browser):
    """The answer is a redirect to a URL without the token, and the session is in a cookie."""
    reply = await browser.fetch("GET", f"/?token={TOKENS['alice']}")
    assert (reply.status, reply.headers["Location"], reply.body) == (303, "/", b"")
    assert TOKENS["alice"] not in str(reply.headers)
    page = await browser.open("/")
    assert "Signed in as Alice" in page.text
    assert "guid0" in page.text


async def test_the_session_cookie_is_out_of_reach(browser):
    """Scripts cannot read it, other sites' forms do not send it, and it ends with the session."""
    await browser.sign_in("alice")
    morsel = cookie(browser, COOKIE)
    assert morsel["httponly"] is True
    assert morsel["samesite"] == "Lax"
    assert morsel["path"] == "/"
    assert morsel["max-age"] == "3600"
    assert morsel["domain"] == ""
    assert morsel["secure"] == ""


async def test_the_cookie_is_secure_where_the_server_is_reached_by_https(make_server, browser):
    """The domain in the settings says so, even if a proxy speaks plain HTTP to the server."""
    browser.server = await make_server(options={"domain": "https://files.example.org"})
    await browser.open("/")
    await browser.sign_in("alice")
    assert browser.set_cookies
    assert all(morsel["secure"] is True for morsel in browser.set_cookies)
    assert {morsel.key for morsel in browser.set_cookies} == {COOKIE, VISITOR}


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_proxy_may_say_that_it_speaks_https(make_server, browser, trusted):
    """It is believed where the settings say so."""
    browser.server = await make_server(options={"trust_proxy": trusted})
    await browser.fetch("GET", f"/?token={TOKENS['alice']}", {"X-Forwarded-Proto": "https"})
    assert bool(cookie(browser, COOKIE)["secure"]) is trusted


async def test_a_wrong_token_is_refused_in_words(browser):
    """Status 401, a message, and the form to try again; no cookie of a session."""
    reply = await browser.fetch("GET", "/?token=wrong")
    page = Page(reply, "/")
    assert page.status == 401
    assert "This token is wrong" in page.text
    assert page.has_form("sign-in")
    assert "wrong" not in page.form("sign-in").fields["token"]
    assert COOKIE not in browser.cookies
    assert (await browser.fetch("GET", "/?token=wrong", {"Accept": "*/*"})).json["code"] == 401


async def test_the_form_signs_in(browser):
    """A token may be typed; spaces around it do not matter."""
    page = await browser.open("/")
    page = await browser.send(page, page.form("sign-in"), token=f" {TOKENS['bob']} ")
    assert page.status == 200
    assert "Signed in as Bob" in page.text


async def test_a_wrong_token_in_the_form_is_refused(browser):
    """Like one in a link."""
    page = await browser.open("/")
    page = await browser.send(page, page.form("sign-in"), token="nonsense")
    assert page.status == 401
    assert COOKIE not in browser.cookies


async def test_signing_out_forgets_the_cookie(alice):
    """Afterwards nobody is signed in."""
    page = await alice.open("/")
    page = await alice.send(page, page.form("sign-out"))
    assert "You are signed out" in page.text
    assert COOKIE not in alice.cookies
    morsel = cookie(alice, COOKIE)
    assert (morsel["path"], morsel["httponly"], morsel["samesite"]) == ("/", True, "Lax")
    assert "Signed in" not in (await alice.open("/")).text


async def test_who_must_sign_in_comes_back_to_where_they_were(browser, server):
    """The page that asks keeps the way."""
    await server.have("/a b/c.txt")
    page = await browser.open("/files/guid0/memory/a%20b/")
    assert page.status == 401
    page = await browser.send(page, page.form("sign-in"), token=TOKENS["bob"])
    assert (page.status, page.url) == (200, "/files/guid0/memory/a%20b/")
    assert "c.txt" in page.text


async def test_visitors_of_public_pages_can_sign_in_from_there(browser):
    """The link leads to the form, and the form back."""
    page = await browser.open("/files/public/memory/")
    page = await browser.open(page.links["Sign in"])
    page = await browser.send(page, page.form("sign-in"), token=TOKENS["bob"])
    assert page.url == "/files/public/memory/"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example.org/",
        "//evil.example.org/files/a/b/",
        "/\\evil.example.org",
        "/files/../../evil",
        "/files/guid0/memory/\r\nX-Header: 1",
        "javascript:alert(1)",
        "/v1/resources/guid0/",
        "",
    ],
)
async def test_signing_in_never_leads_elsewhere(browser, wanted):
    """Only a page of this server is gone to."""
    page = await browser.open("/")
    fields = {**page.form("sign-in").fields, "token": TOKENS["alice"], "next": wanted}
    reply = await browser.post("/", fields)
    assert reply.status == 303
    assert reply.headers["Location"].startswith("/")
    assert "evil" not in reply.headers["Location"] or reply.headers["Location"].startswith(
        "/files/"
    )
    assert not reply.headers["Location"].startswith("//")
    assert "X-Header" not in reply.headers


async def test_a_link_of_another_site_does_not_sign_in_by_itself(browser):
    """Else it could sign somebody in as somebody else; the form asks."""
    reply = await browser.fetch("GET", f"/?token={TOKENS['bob']}", {"Sec-Fetch-Site": "cross-site"})
    page = Page(reply, "/")
    assert page.status == 200
    assert COOKIE not in browser.cookies
    page = await browser.send(page, page.form("sign-in"))
    assert "Signed in as Bob" in page.text


async def test_a_form_of_another_site_does_not_sign_in(browser):
    """Neither with its own token, nor without one."""
    token = {"do": "sign-in", "token": TOKENS["bob"]}
    for headers in (
        {"Origin": "https://evil.example.org", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": None, "Sec-Fetch-Site": "same-site"},
        {},
        {"Origin": None, "Sec-Fetch-Site": None},
    ):
        assert (await browser.post("/", token, headers)).status == 403
    assert COOKIE not in browser.cookies


async def test_old_browsers_sign_in_by_the_token_of_the_form(browser):
    """A browser that says nothing of where a form comes from is believed by its token."""
    browser.metadata = False
    page = await browser.open("/")
    assert (await browser.send(page, page.form("sign-in"), csrf="0" * 64)).status == 403
    page = await browser.send(page, page.form("sign-in"), token=TOKENS["bob"])
    assert "Signed in as Bob" in page.text


async def test_an_expired_session_is_nobody(browser, server):
    """The page asks to sign in again."""
    browser.cookies[COOKIE] = "1.YWxpY2U.100.00"
    page = await browser.open("/")
    assert page.has_form("sign-in")
    page = await browser.send(page, page.form("sign-in"), token=TOKENS["alice"])
    assert "Signed in as Alice" in page.text


async def test_everybody_sees_what_they_may(browser, server):
    """The list of storages depends on who asks."""
    assert "guid0" not in (await browser.open("/")).text
    assert "guid0" in (await browser.open(f"/?view_only={LINK_KEY}")).text
    await browser.sign_in("carol")
    page = await browser.open("/")
    assert "guid0" not in page.text
    assert "public" in page.text
    await browser.sign_in("bob")
    page = await browser.open("/")
    assert "guid0" in page.text
    assert page.text.count("read only") == 4


async def test_who_may_see_nothing_here_is_told(alice):
    """Signed in and without the right: 403, not another sign-in."""
    await alice.sign_in("carol")
    page = await alice.open("/files/guid0/memory/")
    assert page.status == 403
    assert "Signed in as Carol" in page.text
    assert not page.has_form("sign-in")


async def test_other_credentials_work_too(server):
    """A client may show its token in the header."""
    reply = await server.get("/", {"Accept": "text/html"})
    assert "Signed in as Alice" in Page(reply, "/").text
    wrong = {**ALICE, "Authorization": "Bearer wrong", "Accept": "text/html"}
    assert Page(await server.request("GET", "/", wrong), "/").status == 401
