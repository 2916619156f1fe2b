"""Limits on how many requests somebody may make, over the wire."""

import base64

import pytest

from tests.harness import ALICE, BASE, BOB, LARGE, NOBODY, TOKENS
from tests.limits.support import DOWN, Clock, Recorder
from waterbutler.auth import COOKIE
from waterbutler.limits import Limiter, MemoryStore, Policy, Rate, WhenDown
from waterbutler.server.base import Handler
from waterbutler.server.cors import EXPOSE_HEADERS
from waterbutler.server.limits import HEADERS, OLD_HEADERS, Limits
from waterbutler.server.metrics import Metrics

PUBLIC = "/v1/resources/public/providers/memory/"
LIST = f"{BASE}/"
RATE = Rate(3, 60)
NOON = 1_700_000_000.75


class Set:
    """A server with limits, and what a test turns on it."""

    def __init__(self, make, *, store=None, when_down=WhenDown.ALLOW, options=None, **limits):
        self.clock = Clock()
        self.store = store or MemoryStore(clock=self.clock)
        self.metrics = Metrics()
        policies = {name: Policy(rate) for name, rate in (limits or {"v1": RATE}).items()}
        limiter = Limiter(policies, self.store, secret=b"tests", when_down=when_down)
        proxied = bool(options and options.get("trust_proxy"))
        self.limits = Limits(
            limiter, self.metrics, cookies=(COOKIE, "osf"), behind_proxy=proxied, clock=lambda: NOON
        )
        self._start = lambda: make(limits=self.limits, options=options or {})

    async def start(self):
        self.server = await self._start()
        return self.server

    def counted(self, limit, outcome):
        return self.metrics.registry.get_sample_value(
            "waterbutler_limited_requests_total", {"limit": limit, "outcome": outcome}
        )


@pytest.fixture
def limited(make_server):
    """Sets a server up with limits: three requests in a minute for v1, if nothing else is said."""
    return lambda **given: Set(make_server, **given)


async def statuses(server, count, headers, target=LIST, method="GET"):
    return [(await server.request(method, target, headers)).status for _ in range(count)]


def session(server, user="alice"):
    account = next(account for account in server.accounts if account.id == user)
    return server.sessions.issue(user, account.token_sha256)


async def known(set_up, headers):
    """Make the server know who shows this, and give everything back."""
    await set_up.server.request("GET", LIST, headers)
    set_up.clock.now += 3600


async def test_without_limits_nothing_is_counted(server):
    """As the server is by default: no header tells of any limit."""
    reply = await server.get(LIST)
    assert reply.status == 200
    assert not set(reply.headers) & {*HEADERS, *OLD_HEADERS}


async def test_answers_tell_how_much_is_left(limited):
    set_up = limited()
    server = await set_up.start()
    await known(set_up, ALICE)
    replies = [await server.get(LIST) for _ in range(3)]
    assert [reply.status for reply in replies] == [200] * 3
    shown = [[reply.headers[name] for name in HEADERS] for reply in replies]
    assert shown == [["3", "2", "20"], ["3", "1", "40"], ["3", "0", "60"]]
    assert not set(replies[0].headers) & {*OLD_HEADERS, "Retry-After"}


async def test_one_too_many_is_refused(limited):
    """With our JSON, when to come back, and the headers that older clients know."""
    set_up = limited()
    server = await set_up.start()
    await known(set_up, ALICE)
    await statuses(server, 3, ALICE)
    asked = dict(server.calls)
    reply = await server.get(LIST)
    assert reply.status == 429
    assert (
        reply.message == "Too many requests: 3 in 60 seconds are allowed. Try again in 20 seconds."
    )
    assert reply.headers["Retry-After"] == "20"
    assert [reply.headers[name] for name in HEADERS] == ["3", "0", "60"]
    assert {name: reply.headers[name] for name in OLD_HEADERS} == {
        "X-Waterbutler-RateLimiting-Window": "60",
        "X-Waterbutler-RateLimiting-Limit": "3",
        "X-Waterbutler-RateLimiting-Remaining": "0",
        "X-Waterbutler-RateLimiting-Reset": "2023-11-14T22:14:20Z",
    }
    assert server.calls == asked
    assert set_up.counted("v1", "refused") == 1
    set_up.clock.now += 20
    assert await statuses(server, 2, ALICE) == [200, 429]


async def test_errors_carry_the_headers_too(limited):
    set_up = limited()
    server = await set_up.start()
    reply = await server.get(f"{BASE}/nothing")
    assert reply.status == 404
    assert [reply.headers[name] for name in HEADERS] == ["3", "2", "20"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "BREW"])
async def test_the_limit_comes_before_everything_else(limited, method):
    """Whatever else is wrong with the request."""
    set_up = limited()
    server = await set_up.start()
    await statuses(server, 3, NOBODY)
    reply = await server.request(method, f"{BASE}/%2e%2e/?kind=odd", NOBODY)
    assert reply.status == 429


async def test_an_upload_is_refused_so_that_its_client_can_read_it(limited):
    """Before the body where it waits for that, and else beside it."""
    set_up = limited()
    server = await set_up.start()
    await statuses(server, 3, NOBODY)
    async with server.connection() as connection:
        headers = {"Expect": "100-continue", "Content-Length": str(LARGE)}
        await connection.start("PUT", f"{LIST}?name=a", headers)
        reply = await connection.receive(interim=True)
        assert reply.status == 429
    reply = await server.request("PUT", f"{LIST}?name=a", NOBODY, b"x" * 1000)
    assert reply.status == 429
    assert await server.names() == []


async def test_preflights_are_free(limited):
    """However many; they are not counted and not refused."""
    set_up = limited()
    server = await set_up.start()
    assert await statuses(server, 5, NOBODY, method="OPTIONS") == [204] * 5
    assert await statuses(server, 4, NOBODY, PUBLIC) == [200, 200, 200, 429]
    reply = await server.request("OPTIONS", LIST, NOBODY)
    assert reply.status == 204
    assert not set(reply.headers) & {*HEADERS}


async def test_pages_of_other_origins_can_read_them(limited):
    """Also those of a refusal."""
    set_up = limited()
    server = await set_up.start()
    headers = {"Origin": "https://site.example"}
    await statuses(server, 3, headers)
    reply = await server.request("GET", LIST, headers)
    assert reply.status == 429
    exposed = set(reply.headers["Access-Control-Expose-Headers"].split(", "))
    assert {*HEADERS, *OLD_HEADERS, "Retry-After"} <= exposed
    assert exposed == set(EXPOSE_HEADERS.split(", "))
    assert reply.headers["Access-Control-Allow-Origin"] == "https://site.example"


async def test_each_token_has_a_limit_of_its_own(limited):
    set_up = limited()
    server = await set_up.start()
    for who in (ALICE, BOB):
        await known(set_up, who)
    assert await statuses(server, 4, ALICE) == [200, 200, 200, 429]
    assert await statuses(server, 4, BOB) == [200, 200, 200, 429]
    assert await statuses(server, 4, NOBODY, PUBLIC) == [200, 200, 200, 429]


async def test_a_token_counts_once_however_it_is_shown(limited):
    """As Basic with any user name, too."""
    set_up = limited()
    server = await set_up.start()
    shown = [ALICE]
    for name in ("alice", "someone"):
        basic = base64.b64encode(f"{name}:{TOKENS['alice']}".encode()).decode()
        shown.append({"Authorization": f"Basic {basic}"})
    for headers in shown:
        await known(set_up, headers)
    seen = [(await server.request("GET", LIST, headers)).status for headers in [*shown, ALICE]]
    assert seen == [200, 200, 200, 429]


@pytest.mark.parametrize(
    "made_up",
    [
        {"Cookie": "osf={}"},
        {"Cookie": COOKIE + "={}"},
        {"Authorization": "Bearer {}"},
        {"Authorization": "Basic {}"},
        {"Authorization": "{}"},
        {"X-Forwarded-For": "192.0.2.{}"},
        {"X-Real-Ip": "192.0.2.{}"},
    ],
    ids=str,
)
async def test_nothing_that_is_made_up_gets_around_it(limited, made_up):
    """Each request shows something else, and all count for the address."""
    set_up = limited()
    server = await set_up.start()
    seen = []
    for number in range(6):
        headers = {name: value.format(number) for name, value in made_up.items()}
        seen.append((await server.request("GET", PUBLIC, headers)).status)
    assert seen[0] in {200, 401}
    assert seen == [*(seen[:1] * 3), 429, 429, 429]


async def test_a_made_up_cookie_parameter_does_not_either(limited):
    set_up = limited()
    server = await set_up.start()
    seen = [
        (await server.request("GET", f"{PUBLIC}?cookie={number}", NOBODY)).status
        for number in range(5)
    ]
    assert seen == [401, 401, 401, 429, 429]


async def test_a_session_counts_for_its_user(limited):
    """All sessions of one user together, by cookie or by parameter; not for the address."""
    set_up = limited()
    server = await set_up.start()
    cookie = session(server)
    await known(set_up, {"Cookie": f"{COOKIE}={cookie}"})
    await server.request("GET", f"{LIST}?cookie={cookie}", NOBODY)
    set_up.clock.now += 3600
    assert await statuses(server, 2, {"Cookie": f"{COOKIE}={cookie}"}) == [200, 200]
    assert await statuses(server, 2, NOBODY, f"{LIST}?cookie={cookie}") == [200, 429]
    assert await statuses(server, 1, NOBODY, PUBLIC) == [200]


async def test_somebody_who_guesses_does_not_lock_out_who_is_known(limited):
    """Behind the same address."""
    set_up = limited()
    server = await set_up.start()
    await known(set_up, ALICE)
    wrong = {"Authorization": "Bearer wrong"}
    assert await statuses(server, 4, wrong) == [401, 401, 401, 429]
    assert await statuses(server, 3, ALICE) == [200, 200, 200]


async def test_behind_a_proxy_its_word_counts(limited):
    """The last address of the header, which the proxy added; the client's own words do not."""
    set_up = limited(options={"trust_proxy": True})
    server = await set_up.start()

    async def ask(*forwarded, **more):
        headers = {"X-Forwarded-For": ", ".join(forwarded), **more}
        return (await server.request("GET", PUBLIC, headers)).status

    seen = [await ask(f"203.0.113.{number}", "192.0.2.1") for number in range(4)]
    assert seen == [200, 200, 200, 429]
    spoofed = {"X-Real-Ip": "203.0.113.77"}
    assert await ask("192.0.2.1", **spoofed) == 429
    assert await ask("192.0.2.2") == 200
    seen = [await ask(f"2001:db8::{number}") for number in range(1, 5)]
    assert seen == [200, 200, 200, 429]
    assert await ask("2001:db8:0:1::1") == 200


async def test_only_the_dialects_that_are_named_are_limited(limited):
    """Pages, status and what is nowhere are free where v1 is not; and the other way round."""
    set_up = limited()
    server = await set_up.start()
    await statuses(server, 4, NOBODY, PUBLIC)
    for target, status in (("/status", 200), ("/", 200), ("/nowhere", 404)):
        assert await statuses(server, 4, NOBODY, target) == [status] * 4
    other = limited(page=RATE)
    server = await other.start()
    assert await statuses(server, 4, NOBODY, PUBLIC) == [200] * 4
    assert await statuses(server, 4, NOBODY, "/") == [200, 200, 200, 429]
    assert other.counted("page", "refused") == 1


async def test_a_handler_may_ask_for_another_limit(limited, monkeypatch):
    """As those do that sign people in."""
    monkeypatch.setattr(Handler, "limit", "sign_in")
    set_up = limited(sign_in=RATE)
    server = await set_up.start()
    assert await statuses(server, 4, NOBODY, "/status") == [200, 200, 200, 429]


async def test_a_store_that_is_down_lets_requests_through(limited):
    """Uncounted; the metrics tell how many."""
    store = Recorder()
    store.error = DOWN
    set_up = limited(store=store)
    server = await set_up.start()
    replies = [await server.get(LIST) for _ in range(5)]
    assert [reply.status for reply in replies] == [200] * 5
    assert not set(replies[0].headers) & {*HEADERS}
    assert set_up.counted("v1", "uncounted") == 5


async def test_a_store_that_is_down_may_refuse_instead(limited):
    """503 with a time to come back at, and not a word of the store's."""
    store = Recorder()
    store.error = DOWN
    set_up = limited(store=store, when_down=WhenDown.REFUSE)
    server = await set_up.start()
    reply = await server.get(LIST)
    assert reply.status == 503
    assert reply.message == "The server cannot count requests now. Try again later."
    assert reply.headers["Retry-After"] == "5"
    assert set_up.counted("v1", "unavailable") == 1
    assert (await server.request("OPTIONS", LIST, NOBODY)).status == 204


async def test_no_token_is_in_a_key_or_in_the_log(limited, log):
    store = Recorder()
    set_up = limited(store=store)
    server = await set_up.start()
    for _ in range(3):
        await server.get(LIST)
    assert len(set(store.keys)) == 2
    assert TOKENS["alice"] not in repr(store.keys) + repr(log)
