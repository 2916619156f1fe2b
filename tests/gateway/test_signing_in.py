"""Signing in, refreshing, signing out, and what a session can see."""

import base64
import json
from dataclasses import replace

import pytest

from tests.gateway.client import FIRST, SECOND, Gateway, GatewayError
from tests.gateway.conftest import PREFIX
from tests.harness import TOKENS
from waterbutler.auth.static import digest
from waterbutler.server.gateway.session import GatewaySession
from waterbutler.tokens import TokenStore

PLACE = {"resource": "guid0", "provider": "memory"}


async def refused(work):
    """The answer of something that must fail."""
    with pytest.raises(GatewayError) as caught:
        await work
    reply = caught.value.reply
    assert reply.message
    return reply.status


async def test_signing_in_answers_with_both_tokens_and_the_root(alice, words):
    """The second vocabulary has the account and the size of segments besides."""
    expected = {"access", "refresh", "root"}
    if words is SECOND:
        expected |= {"account", "segment_size"}
        assert alice.tokens[words["segment_size"]] == 1 << 20
    assert set(alice.tokens) == {words[name] for name in expected}
    assert alice.root
    assert (await alice.describe(alice.root)).id == alice.root


async def test_the_root_has_the_same_id_in_every_session(sign_in):
    assert (await sign_in()).root == (await sign_in()).root == (await sign_in("bob")).root


async def test_the_account_is_the_same_for_one_user_and_another_for_others(server):
    def client():
        return Gateway(server, SECOND)

    one = await client().sign_in(TOKENS["alice"], **PLACE)
    again = await client().sign_in(TOKENS["alice"], **PLACE)
    other = await client().sign_in(TOKENS["bob"], **PLACE)
    key = SECOND["account"]
    assert one.tokens[key] == again.tokens[key] != other.tokens[key]
    assert TOKENS["alice"] not in json.dumps(one.tokens)


@pytest.mark.parametrize("token", ["wrong", "x" * 5000, "two words", "line\r\nX-Evil: 1", "žeton"])
async def test_a_wrong_token_is_403(server, words, token):
    assert await refused(Gateway(server, words).sign_in(token, **PLACE)) == 403
    assert await refused(Gateway(server, words).sign_in(token)) == 403
    assert await refused(Gateway(server, words, PREFIX).sign_in(token)) == 403


@pytest.mark.parametrize("body", [{}, {"token": None}, {"token": ""}, {"password": "x"}])
async def test_a_missing_token_is_400(server, words, body):
    reply = await Gateway(server, words).send("auth", body=body)
    assert reply.status == 400


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000, b'{"token": 7}', b'{"token": {}}']
)
async def test_what_is_no_document_is_400(server, words, body):
    reply = await Gateway(server, words).send("auth", body=body)
    assert reply.status == 400
    assert reply.message


@pytest.mark.parametrize(
    "where",
    [
        {"resource": "none", "provider": "memory"},
        {"resource": "guid0", "provider": "none"},
        {"resource": "none"},
        {"resource": "../guid0", "provider": "memory"},
        {"resource": "guid0\0", "provider": "memory"},
    ],
)
async def test_what_a_user_may_not_see_is_403_and_nobody_learns_whether_it_exists(
    server, words, where
):
    assert await refused(Gateway(server, words).sign_in(TOKENS["alice"], **where)) == 403


async def test_a_user_without_rights_does_not_get_in(server, words):
    assert await refused(Gateway(server, words).sign_in(TOKENS["carol"], **PLACE)) == 403


async def test_a_provider_needs_its_resource(server, words):
    assert await refused(Gateway(server, words).sign_in(TOKENS["alice"], provider="memory")) == 400


async def test_the_url_can_say_the_resource_and_the_provider(sign_in, server):
    session = await sign_in(prefix=PREFIX)
    await server.have("/here.txt")
    assert list(await session.children(session.root)) == ["here.txt"]


async def test_the_same_place_in_the_body_is_fine_and_another_one_is_not(server, words):
    client = Gateway(server, words, PREFIX)
    await client.sign_in(TOKENS["alice"], resource="guid0", provider="memory")
    for where in ({"resource": "wiki"}, {"provider": "other"}):
        assert await refused(client.sign_in(TOKENS["alice"], **where)) == 400


async def test_a_session_is_for_its_own_mount_only(server, sign_in, words):
    """A token of one mount does nothing under the URL of another one, nor does its refresh."""
    session = await sign_in(prefix=PREFIX)
    elsewhere = Gateway(server, words, "/gateway/guid0/other")
    elsewhere.tokens = session.tokens
    reply = await elsewhere.send("describe", session.root)
    assert reply.status == 401
    body = {words["refresh"]: session.tokens[words["refresh"]]}
    assert (await elsewhere.send("renew", body=body)).status == 403


async def test_without_a_list_of_resources_both_must_be_said(server, words):
    """A server that asks another host has no list."""
    object.__setattr__(server.context, "accounts", None)
    client = Gateway(server, words)
    assert await refused(client.sign_in(TOKENS["alice"])) == 400
    assert await refused(client.sign_in(TOKENS["alice"], resource="guid0")) == 400
    await client.sign_in(TOKENS["alice"], **PLACE)
    assert client.root


@pytest.mark.parametrize("prefix", ["", PREFIX])
@pytest.mark.parametrize("lists", [True, False])
async def test_the_form_says_what_is_needed(server, prefix, lists):
    if not lists:
        object.__setattr__(server.context, "accounts", None)
    reply = await server.request("GET", f"{prefix}/v2/gateway_auth_method", {})
    assert reply.status == 200
    assert reply.json["gateway.auth.method"] == "form"
    field = "gateway.auth.form.input.field."
    form = reply.json["gateway.auth.form"]
    assert all(
        set(each) == {field + n for n in ("prompt", "name", "required", "order")} for each in form
    )
    names = [each[field + "name"] for each in form]
    assert names == (["token"] if prefix else ["token", "resource", "provider"])
    assert [each[field + "order"] for each in form] == list(range(1, len(form) + 1))
    assert [each[field + "required"] for each in form] == [True, *[not lists] * (len(form) - 1)]


# -- tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer {}", "bearer {}", "BEARER  {}", "{}", " Bearer {} "])
async def test_tokens_stand_behind_bearer_or_alone(alice, words, scheme):
    value = scheme.format(alice.tokens[words["access"]])
    reply = await alice.send("describe", alice.root, headers={"Authorization": value})
    assert reply.status == 200


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic {}",
        "Token {}",
        "Bearer {} x",
        "Bearer x{}",
        "Bearer {refresh}",
    ],
)
async def test_everything_else_is_401(alice, words, value):
    tokens = alice.tokens
    if value is not None:
        value = value.format(tokens[words["access"]], refresh=tokens[words["refresh"]])
    reply = await alice.send("describe", alice.root, headers={"Authorization": value})
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert reply.message


async def test_no_cookie_and_no_query_stands_for_a_token(alice, words):
    access = alice.tokens[words["access"]]
    headers = {"Authorization": None, "Cookie": f"s={access}"}
    reply = await alice.send("describe", alice.root, headers=headers, query=f"?aut={access}")
    assert reply.status == 401


async def test_the_users_own_token_is_no_access_token(alice):
    headers = {"Authorization": f"Bearer {TOKENS['alice']}"}
    assert (await alice.send("describe", alice.root, headers=headers)).status == 401


async def test_missing_rights_to_ask_come_before_unknown_ids(alice):
    reply = await alice.send("describe", "unknown", headers={"Authorization": None})
    assert reply.status == 401


async def test_refreshing_gives_new_tokens(alice, words):
    """The first vocabulary says the root again, the second one does not."""
    before = dict(alice.tokens)
    body = {words["refresh"]: before[words["refresh"]]}
    shown = (await alice.ask("renew", body=body)).json
    expected = {words["access"], words["refresh"]} | ({words["root"]} if words is FIRST else set())
    assert set(shown) == expected
    assert shown.get(words["root"], before[words["root"]]) == before[words["root"]]
    assert shown[words["access"]] != before[words["access"]]
    alice.tokens = {**before, **shown}
    assert (await alice.describe(alice.root)).type == "folder"


async def test_the_second_vocabulary_refreshes_where_it_signs_in_as_well(server):
    """Its document names both URLs."""
    client = await Gateway(server, SECOND).sign_in(TOKENS["alice"], **PLACE)
    body = {SECOND["refresh"]: client.tokens[SECOND["refresh"]]}
    reply = await client.ask("auth", body=body)
    assert set(reply.json) == {SECOND["access"], SECOND["refresh"]}


@pytest.mark.parametrize("value", ["unknown", "", None, 7])
async def test_a_bad_refresh_token_is_refused(alice, words, value):
    reply = await alice.send("renew", body={words["refresh"]: value})
    assert reply.status == (403 if value == "unknown" else 400)


async def test_a_refresh_token_that_is_there_rules_over_the_credential(server):
    body = {"token": TOKENS["alice"], **PLACE, FIRST["refresh"]: "unknown"}
    assert (await Gateway(server, FIRST).send("auth", body=body)).status == 403


async def test_an_access_token_does_not_refresh(alice, words):
    body = {words["refresh"]: alice.tokens[words["access"]]}
    assert (await alice.send("renew", body=body)).status == 403


async def test_signing_out_ends_the_whole_session(alice, words):
    """No header is needed; afterwards neither token is worth anything."""
    tokens = dict(alice.tokens)
    await alice.sign_out()
    assert (await alice.send("describe", alice.root)).status == 401
    body = {words["refresh"]: tokens[words["refresh"]]}
    assert (await alice.send("renew", body=body)).status == 403
    assert (await alice.send("leave", tokens[words["access"]])).status == 404


async def test_signing_out_of_one_session_leaves_the_others(sign_in):
    one, other = await sign_in(), await sign_in()
    await one.sign_out()
    assert (await other.describe(other.root)).type == "folder"


@pytest.mark.parametrize("token", [None, "", "unknown", "a%2Fb", "%FF", "..", "x" * 300])
async def test_an_unknown_token_cannot_be_signed_out(alice, token):
    assert (await alice.send("leave", token)).status == 404


async def test_a_token_may_be_percent_encoded(alice, words):
    access = alice.tokens[words["access"]]
    encoded = "".join(f"%{byte:02x}" for byte in access.encode())
    await alice.ask("leave", encoded)
    assert (await alice.send("describe", alice.root)).status == 401


async def test_tokens_are_never_logged(alice, words, log):
    access, refresh = alice.tokens[words["access"]], alice.tokens[words["refresh"]]
    await alice.refresh()
    await alice.sign_out()
    await alice.send("leave", access)
    text = repr(log)
    assert "request" in text
    for secret in (access, refresh, TOKENS["alice"]):
        assert secret not in text


# -- rights that end -------------------------------------------------------------------------------


async def test_a_user_who_is_gone_is_401_and_cannot_refresh(alice, server):
    server.static._by_digest.clear()
    assert (await alice.send("describe", alice.root)).status == 401
    with pytest.raises(GatewayError) as caught:
        await alice.refresh()
    assert caught.value.status == 403


async def test_rights_that_were_taken_away_are_gone_at_once(alice, server):
    """Although the tokens are good."""
    resource = server.static._resources["guid0"]
    server.static._resources["guid0"] = replace(resource, access={"bob": True})
    assert (await alice.send("describe", alice.root)).status == 403


async def test_nothing_in_the_file_of_tokens_tells_the_users_token(alice, services, tmp_path):
    await alice.describe(alice.root)
    content = b"".join(file.read_bytes() for file in tmp_path.glob("tokens.db*"))
    token = TOKENS["alice"].encode()
    assert len(content) > 1000
    for secret in (token, base64.b64encode(token), digest(TOKENS["alice"]).encode()):
        assert secret not in content


def test_a_session_does_not_show_its_token():
    session = GatewaySession(token="very secret", account="a")
    assert "very secret" not in repr(session)
    assert GatewaySession.open(session.seal()) == session


async def test_tokens_expire(make_server, services, words, tmp_path):
    """An expired access token is 401; an expired refresh token 403."""
    now = [1000.0]
    tokens = TokenStore(
        tmp_path / "short.db", access_seconds=10, refresh_seconds=100, clock=lambda: now[0]
    )
    server = await make_server(gateway=replace(services, tokens=tokens))
    client = await Gateway(server, words).sign_in(TOKENS["alice"], **PLACE)
    now[0] += 11
    assert (await client.send("describe", client.root)).status == 401
    await client.refresh()
    assert (await client.describe(client.root)).type == "folder"
    now[0] += 101
    body = {words["refresh"]: client.tokens[words["refresh"]]}
    assert (await client.send("renew", body=body)).status == 403
    await tokens.aclose()


async def test_a_user_has_so_many_sessions_at_a_time(make_server, services, words, tmp_path):
    """The oldest ends for a new one, and those of others stay."""
    tokens = TokenStore(tmp_path / "few.db", access_seconds=10, refresh_seconds=100, per_holder=2)
    server = await make_server(gateway=replace(services, tokens=tokens))
    users = ("bob", "alice", "alice", "alice")
    clients = [await Gateway(server, words).sign_in(TOKENS[user], **PLACE) for user in users]
    statuses = [(await client.send("describe", client.root)).status for client in clients]
    assert statuses == [200, 401, 200, 200]
    await tokens.aclose()
