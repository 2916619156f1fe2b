"""OPTIONS, and which pages of other origins may do what."""

import pytest

from tests.harness import ALICE, BASE, NOBODY, TOKENS
from waterbutler.auth import COOKIE
from waterbutler.server.cors import ALLOW_HEADERS, ALLOW_METHODS, EXPOSE_HEADERS, Cors

SITE = "https://site.example"
OTHER = "https://other.example"
CORS = (
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Headers",
    "Access-Control-Expose-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Max-Age",
)


@pytest.fixture(params=[["*"], [SITE], ["*", SITE]], ids=["any", "listed", "both"])
def policy(request):
    """Which origins the server is set up for."""
    return request.param


@pytest.fixture
def cors_server(make_server, io_loop, policy):
    return io_loop.run_sync(lambda: make_server(options={"cors": Cors.of(policy)}))


def session(server, user="alice"):
    account = next(account for account in server.accounts if account.id == user)
    return server.sessions.issue(user, account.token_sha256)


@pytest.mark.parametrize(
    "target", [f"{BASE}/", f"{BASE}/a.txt", "/v1/nonsense", "/nowhere", "/status"]
)
async def test_a_preflight_needs_no_rights(cors_server, policy, target):
    """204 with what is allowed; no storage is asked."""
    headers = {
        "Origin": SITE,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type,x-csrftoken",
    }
    reply = await cors_server.request("OPTIONS", target, headers)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == SITE
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"
    assert reply.headers["Access-Control-Allow-Methods"] == ALLOW_METHODS
    assert reply.headers["Access-Control-Max-Age"] == "600"
    assert "OPTIONS" in reply.headers["Allow"]
    assert "Origin" in reply.headers["Vary"]
    assert not cors_server.calls


@pytest.mark.parametrize(
    "name",
    ["Range", "Content-Type", "Authorization", "Cache-Control", "X-Requested-With", "X-CSRFToken"],
)
def test_headers_that_clients_send(name):
    """The ones that pages in the field need."""
    assert name in ALLOW_HEADERS.split(", ")


@pytest.mark.parametrize(
    "name",
    [
        "Range",
        "Accept-Ranges",
        "Content-Range",
        "Content-Length",
        "Content-Encoding",
        "Content-Disposition",
        "ETag",
        "X-Waterbutler-Request-Id",
        "X-Waterbutler-Metadata",
        "Retry-After",
        "Location",
    ],
)
def test_headers_that_clients_read(name):
    """The ones that pages in the field need, and ours."""
    assert name in EXPOSE_HEADERS.split(", ")


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", f"{BASE}/a.txt", None, 200),
        ("GET", f"{BASE}/", None, 200),
        ("GET", f"{BASE}/?zip", None, 200),
        ("HEAD", f"{BASE}/a.txt", None, 200),
        ("PUT", f"{BASE}/?name=new", b"x", 201),
        ("POST", f"{BASE}/a.txt", b'{"action": "rename", "rename": "b"}', 200),
        ("DELETE", f"{BASE}/a.txt", None, 204),
        ("GET", f"{BASE}/nothing", None, 404),
        ("PUT", f"{BASE}/?name=a.txt", b"x", 409),
        ("PATCH", f"{BASE}/a.txt", b"x", 405),
        ("GET", "/nowhere", None, 404),
        ("GET", "/status", None, 200),
    ],
)
async def test_every_answer_may_be_read(cors_server, policy, method, target, body, status):
    """By pages of the origins that are allowed; errors too."""
    await cors_server.have("/a.txt")
    for origin in (SITE, OTHER, "null"):
        allowed = origin in policy or "*" in policy
        await cors_server.have("/a.txt")
        headers = {**ALICE, "Origin": origin}
        name = f"{target}{len(origin)}" if method == "PUT" and status == 201 else target
        reply = await cors_server.request(method, name, headers, body)
        if method != "POST":
            assert reply.status == status
        assert reply.headers.get_list("Vary") == ["Origin"]
        shown = {name: reply.headers[name] for name in CORS if name in reply.headers}
        if allowed:
            assert shown["Access-Control-Allow-Origin"] == origin
            assert shown["Access-Control-Allow-Credentials"] == "true"
            assert shown["Access-Control-Expose-Headers"] == EXPOSE_HEADERS
        else:
            assert shown == {}


async def test_a_page_that_may_not_read_has_no_preflight(make_server):
    """204, but nothing is allowed."""
    server = await make_server(options={"cors": Cors.of([SITE])})
    reply = await server.request("OPTIONS", f"{BASE}/", {"Origin": OTHER})
    assert reply.status == 204
    assert [name for name in CORS if name in reply.headers] == []


async def test_without_an_origin_there_is_nothing_to_say(cors_server):
    """But that the answer depends on it."""
    for method in ("GET", "OPTIONS"):
        reply = await cors_server.request(method, f"{BASE}/", ALICE)
        assert [name for name in CORS if name in reply.headers] == []
        assert reply.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://[", "", "*", "x" * 5000, "http://a b", "file://"])
async def test_origins_that_are_none(cors_server, origin):
    """Nothing breaks."""
    reply = await cors_server.request("GET", f"{BASE}/", {**ALICE, "Origin": origin})
    assert reply.status == 200


# -- cookies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "origin", "read"),
    [
        (["*"], None, 200),
        (["*"], "own", 200),
        (["*"], SITE, 401),
        (["*"], "null", 401),
        (["*"], "*", 401),
        ([SITE], SITE, 200),
        ([SITE], SITE.upper(), 200),
        ([SITE + "/"], SITE, 200),
        ([SITE], OTHER, 401),
        ([SITE], f"{SITE}.evil.example", 401),
        ([SITE], f"{SITE}:444", 401),
        ([SITE], "http://site.example", 401),
        (["*", SITE], SITE, 200),
        (["*", SITE], OTHER, 401),
    ],
)
async def test_cookies_count_only_from_pages_that_are_known(make_server, policy, origin, read):
    """A browser adds them to the requests of any page; other origins must show a token."""
    server = await make_server(options={"cors": Cors.of(policy)})
    headers = {"Cookie": f"{COOKIE}={session(server)}"}
    if origin is not None:
        headers["Origin"] = server.url if origin == "own" else origin
    assert (await server.request("GET", f"{BASE}/", headers)).status == read
    with_token = {**headers, **ALICE}
    assert (await server.request("GET", f"{BASE}/", with_token)).status == 200


@pytest.mark.parametrize(
    ("origin", "extra", "status"),
    [
        ("own", {}, 201),
        ("own", {"Sec-Fetch-Site": "same-origin"}, 201),
        ("own", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("own", {"Sec-Fetch-Site": "same-site"}, 403),
        (None, {}, 403),
        (None, {"Sec-Fetch-Site": "same-origin"}, 403),
        ("null", {}, 401),
        (OTHER, {}, 401),
        (SITE, {}, 403),
        (None, {"X-CSRFToken": "wrong"}, 403),
        (None, {"X-CSRFToken": ""}, 403),
        (None, {"X-CSRFToken": "right"}, 201),
        ("own", {"X-CSRFToken": "wrong"}, 201),
        (SITE, {"X-CSRFToken": "right"}, 201),
        (OTHER, {"X-CSRFToken": "right"}, 401),
    ],
)
async def test_a_cookie_alone_writes_only_from_our_pages(make_server, origin, extra, status):
    """Or with the token that only our pages know."""
    server = await make_server(options={"cors": Cors.of([SITE])})
    cookie = session(server)
    headers = {"Cookie": f"{COOKIE}={cookie}", **extra}
    if origin is not None:
        headers["Origin"] = server.url if origin == "own" else origin
    if headers.get("X-CSRFToken") == "right":
        headers["X-CSRFToken"] = server.sessions.csrf_token(cookie)
    reply = await server.request("PUT", f"{BASE}/?name=a.txt", headers, b"x")
    assert reply.status == status
    assert await server.names() == (["/a.txt"] if status == 201 else [])


async def test_a_host_name_of_ours_is_ours(make_server):
    """Behind a proxy the domain is another one than the socket's."""
    server = await make_server(options={"domain": "https://files.example"})
    headers = {"Cookie": f"{COOKIE}={session(server)}", "Origin": "https://files.example"}
    reply = await server.request("PUT", f"{BASE}/?name=a.txt", headers, b"x")
    assert reply.status == 201


async def test_a_token_needs_no_origin(server):
    """A script sends it on purpose."""
    for origin in (None, OTHER):
        headers = {"Authorization": f"Bearer {TOKENS['alice']}", "Sec-Fetch-Site": "cross-site"}
        if origin:
            headers["Origin"] = origin
        reply = await server.request("PUT", f"{BASE}/?name={origin is None}", headers, b"x")
        assert reply.status == 201


async def test_nobody_is_still_nobody(server):
    """An origin is no right."""
    reply = await server.request("GET", f"{BASE}/", {**NOBODY, "Origin": server.url})
    assert reply.status == 401
