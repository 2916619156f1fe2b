"""Errors, verbs, pages of other origins, and storages that fail."""

import pytest

from tests.gateway.client import FIRST, SECOND, Gateway
from tests.gateway.conftest import PREFIX
from tests.harness import TOKENS
from waterbutler.core import errors
from waterbutler.server.cors import Cors
from waterbutler.server.gateway.base import of_storage
from waterbutler.server.gateway.vocabulary import FIRST as FIRST_WORDS
from waterbutler.server.gateway.vocabulary import SECOND as SECOND_WORDS

PLACE = {"resource": "guid0", "provider": "memory"}
SITE = "https://site.example"
ENDPOINTS = [
    (endpoint, tuple(operations))
    for words in (FIRST_WORDS, SECOND_WORDS)
    for endpoint, operations in words.endpoints.items()
]
VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

DOCUMENTED = {
    *("POST auth", "DELETE auth", "GET file", "GET file_thumbnail", "POST metadata_folder"),
    *("DELETE metadata", "GET metadata", "GET metadata_children", "PATCH metadata_parent"),
    *("PATCH metadata_name", "POST metadata_file", "PUT metadata"),
    *("GET gateway_auth_method", "POST gateway_auth", "DELETE gateway_auth"),
    *("POST gateway_auth_access", "GET gateway_file", "GET gateway_file_thumbnail"),
    *("POST gateway_metadata_folder", "DELETE gateway_metadata", "GET gateway_metadata"),
    *("GET gateway_metadata_children", "PUT gateway_metadata_parent", "PUT gateway_metadata_name"),
    *("POST gateway_metadata_file", "PUT gateway_metadata_file", "POST gateway_upload"),
    *("POST gateway_upload_segment", "POST gateway_metadata_upload"),
    *("PUT gateway_metadata_upload", "DELETE gateway_upload"),
}
"""What the two documents name, written down once more."""


def test_every_endpoint_of_both_documents_is_there():
    """HEAD goes with GET and is not named."""
    known = {f"{m} {name}" for name, methods in ENDPOINTS for m in methods if m != "HEAD"}
    assert known == DOCUMENTED


def check(reply, status):
    assert reply.status == status
    assert set(reply.json) == {"code", "message"}
    assert reply.json["code"] == status
    assert reply.headers["X-Status"] == str(status)
    assert reply.headers["X-Reason"].isascii()
    assert reply.headers["X-Reason"]
    assert reply.headers["X-Waterbutler-Request-Id"]


@pytest.mark.parametrize(("endpoint", "methods"), ENDPOINTS)
@pytest.mark.parametrize("prefix", ["", PREFIX])
async def test_another_verb_is_405_with_those_that_are_possible(server, endpoint, methods, prefix):
    for verb in set(VERBS) - set(methods):
        reply = await server.request(verb, f"{prefix}/v2/{endpoint}", {})
        assert reply.status == 405
        assert reply.headers["Allow"] == ", ".join((*methods, "OPTIONS"))
        if verb != "HEAD":
            check(reply, 405)


@pytest.mark.parametrize(
    "target",
    [
        *("/v2/", "/v2/unknown", "/v2/AUTH", "/v2/auth/a/b", "/v2/metadata/a/b", "/v2//auth"),
        *("/gateway/", "/gateway/guid0/v2/auth", "/gateway/guid0/memory", "/v2/auth%2Fa"),
        *("/gateway/../memory/v2/auth", "/gateway/guid0/mem%2Fory/v2/auth", "/v2/_auth"),
        *("/gateway/guid0/memory/v2/unknown", "/gateway//memory/v2/auth", "/v2/auth/token"),
        *("/v2/gateway_auth_method/x", "/v2/%61uth", "/gateway/%FF/memory/v2/auth"),
    ],
)
async def test_what_is_not_there_is_404(server, target):
    method = "GET" if "method" in target else "POST"
    check(await server.request(method, target, {}, None if method == "GET" else b"{}"), 404)


@pytest.mark.parametrize("target", ["/v2x/auth", "/v2"])
async def test_similar_urls_are_not_ours(server, target):
    reply = await server.request("POST", target, {})
    assert reply.status == 404
    assert "X-Status" not in reply.headers


async def test_without_it_there_is_no_gateway(make_server):
    server = await make_server(gateway=None)
    assert (await server.request("POST", "/v2/auth", {}, b"{}")).status == 404


async def test_errors_have_one_form(alice, words):
    check(await alice.send("describe", "unknown"), 404)
    check(await alice.send("describe", headers={"Authorization": None}), 401)
    check(await alice.send("delete", alice.root), 403)
    check(await alice.send("folder", alice.root, {}), 400)
    file = await alice.upload(alice.root, "ž\n", b"1")
    check(await alice.send("folder", alice.root, {words["name"]: file.name}), 409)


@pytest.mark.parametrize("size", [(1 << 20) + 1, 1 << 30])
async def test_documents_have_a_limit(alice, words, size):
    target = alice.url("folder", alice.root)
    async with alice.server.connection() as connection:
        headers = {**alice.authorization, "Content-Length": str(size), "Expect": "100-continue"}
        await connection.start("POST", target, headers)
        check(await connection.receive(interim=True), 413)


async def test_nobody_is_read_who_is_not_signed_in(alice):
    async with alice.server.connection() as connection:
        headers = {"Content-Length": str(1 << 30), "Expect": "100-continue"}
        await connection.start("POST", alice.url("folder", alice.root), headers)
        check(await connection.receive(interim=True), 401)


async def test_the_type_of_a_document_does_not_matter(alice, words):
    for number, kind in enumerate(["text/plain", "application/json", "x"]):
        body = {words["name"]: str(number)}
        reply = await alice.send("folder", alice.root, body, {"Content-Type": kind})
        assert reply.status == 200


# -- storages that fail ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "wait"),
    [
        (errors.RateLimited("x", retry_after=7), 503, "7"),
        (errors.RateLimited("x"), 503, "10"),
        (errors.ProviderUnavailable("x", retry_after=1.2), 503, "2"),
        (errors.ProviderUnavailable("x"), 503, "10"),
        (errors.ProviderTimeout("x"), 504, None),
        (errors.ProviderFault("x"), 502, None),
        (errors.Forbidden("x"), 403, None),
        (errors.Archived("x"), 403, None),
        (errors.Unsupported("x"), 403, None),
        (errors.CheckedOut("x"), 403, None),
        (errors.LengthRequired("x"), 400, None),
        (errors.QuotaExceeded("x"), 507, None),
    ],
    ids=repr,
)
async def test_errors_of_storages_have_their_statuses(alice, server, error, status, wait):
    """A client is told to wait where that helps, and never to sign in again."""
    await server.have("/a")
    file = (await alice.children(alice.root))["a"]
    server.storage.fail("stat", error, times=99)
    reply = await alice.send("describe", file.id)
    check(reply, status)
    assert reply.headers.get("Retry-After") == wait


def test_only_errors_of_storages_mean_something_else():
    for error in (ValueError("x"), errors.NotFound("x"), errors.AlreadyExists("x")):
        assert of_storage(error) is error


async def test_what_nobody_expected_is_500_without_a_word_about_it(alice, server, expected):
    expected.add("ZeroDivisionError")

    def broken(*_args, **_more):
        raise ZeroDivisionError("inner secret")

    server.context.butler.describe = broken
    reply = await alice.send("describe", alice.root)
    check(reply, 500)
    assert b"inner" not in reply.body
    assert "inner" not in reply.headers["X-Reason"]


# -- pages of other origins ------------------------------------------------------------------------


@pytest.mark.parametrize(("endpoint", "methods"), ENDPOINTS)
async def test_a_preflight_is_allowed_without_rights(server, endpoint, methods):
    headers = {"Origin": SITE, "Access-Control-Request-Method": "PATCH"}
    reply = await server.request("OPTIONS", f"/v2/{endpoint}/x", headers)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == SITE
    assert set(reply.headers["Access-Control-Allow-Methods"].split(", ")) == set(VERBS)
    assert reply.headers["Allow"] == ", ".join((*methods, "OPTIONS"))
    allowed = reply.headers["Access-Control-Allow-Headers"].lower().split(", ")
    wanted = "authorization content-type x-upload-json x-gateway-upload x-gateway-upload-segment"
    assert set(wanted.split()) <= set(allowed)


async def test_pages_may_read_what_they_need(alice):
    reply = await alice.send("describe", "unknown", headers={"Origin": SITE})
    assert reply.headers["Access-Control-Allow-Origin"] == SITE
    exposed = reply.headers["Access-Control-Expose-Headers"].lower().split(", ")
    assert {"page", "x-gateway-page", "x-reason", "retry-after", "content-length"} <= set(exposed)


async def test_pages_that_are_not_allowed_may_read_nothing(make_server, words):
    server = await make_server(options={"cors": Cors.of(["https://other.example"])})
    client = await Gateway(server, words).sign_in(TOKENS["alice"], **PLACE)
    reply = await client.send("describe", client.root, headers={"Origin": SITE})
    assert "Access-Control-Allow-Origin" not in reply.headers
    reply = await server.request("OPTIONS", client.url("describe"), {"Origin": SITE})
    assert reply.status == 204
    assert "Access-Control-Allow-Methods" not in reply.headers


async def test_all_urls_may_have_a_prefix(make_server, services, words):
    from dataclasses import replace  # noqa: PLC0415

    server = await make_server(gateway=replace(services, prefix="/sync"))
    for prefix in ("/sync", "/sync" + PREFIX, ""):
        where = {} if "gateway" in prefix else PLACE
        client = await Gateway(server, words, prefix).sign_in(TOKENS["alice"], **where)
        assert (await client.describe(client.root)).type == "folder"
    check(await server.request("POST", "/sync/v2/unknown", {}, b"{}"), 404)


def test_the_vocabularies_share_no_endpoint():
    assert not set(FIRST_WORDS.endpoints) & set(SECOND_WORDS.endpoints)
    assert FIRST["page"] != SECOND["page"]
