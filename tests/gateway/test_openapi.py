"""The description of the API is valid and complete, and it describes the answers."""

import re

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.gateway.client import SECOND, Gateway, Segments
from tests.harness import NOBODY, TOKENS
from tests.server.openapi.description import described
from waterbutler.server.context import ServerOptions
from waterbutler.server.gateway.vocabulary import VOCABULARIES
from waterbutler.server.openapi import document

WHOLE = document(ServerOptions(domain="http://127.0.0.1"), with_gateway=True)
OURS = {path: item for path, item in WHOLE["paths"].items() if path.startswith("/v2/")}


def test_the_document_is_valid():
    OpenAPIV31SpecValidator(WHOLE).validate()
    assert WHOLE["tags"][-1]["name"] == "gateway"


def test_it_describes_every_endpoint_and_verb():
    found = {
        (path.split("/")[2], verb.upper())
        for path, item in OURS.items()
        for verb in item
        if verb not in {"parameters", "options"}
    }
    assert found == {
        (endpoint, method)
        for words in VOCABULARIES
        for endpoint, operations in words.endpoints.items()
        for method in operations
    }


def test_every_operation_has_a_name_of_its_own():
    names = [
        operation["operationId"]
        for item in WHOLE["paths"].values()
        for verb, operation in item.items()
        if verb != "parameters"
    ]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z][A-Za-z]+", name) for name in names)


def test_without_the_gateway_it_is_not_described():
    assert not any(path.startswith("/v2/") for path in described()["paths"])


async def test_the_server_shows_it(server):
    shown = (await server.request("GET", "/openapi.json", NOBODY)).json
    assert shown["paths"].keys() == WHOLE["paths"].keys()


def fits(reply, path, verb):
    """The answer is one of those that are described, with no key that is not."""
    answers = OURS[path][verb]["responses"]
    answer = answers[str(reply.status)]
    for name, header in answer["headers"].items():
        if header.get("required"):
            assert name in reply.headers
    schema = {**answer["content"]["application/json"]["schema"], "components": WHOLE["components"]}
    jsonschema.Draft202012Validator(closed(schema)).validate(reply.json)


def closed(schema):
    """The same schema, in which an object has only the members that are described."""
    if isinstance(schema, dict):
        inner = {key: closed(value) for key, value in schema.items()}
        if "properties" in inner and "required" in inner:
            inner["additionalProperties"] = False
        return inner
    return [closed(each) for each in schema] if isinstance(schema, list) else schema


async def test_answers_are_as_described(server, alice, words):
    auth = "/v2/" + words["auth"][1]
    place = {"resource": "guid0", "provider": "memory"}
    client = Gateway(server, words)
    for body in ({"token": TOKENS["alice"], **place}, {"token": "wrong"}, {}):
        fits(await client.send("auth", body=body), auth, "post")
    refresh = {words["refresh"]: alice.tokens[words["refresh"]]}
    reply = await alice.send("renew", body=refresh)
    fits(reply, "/v2/" + words["renew"][1], "post")
    folder = await alice.folder(alice.root, "f")
    file = await alice.upload(alice.root, "a", b"1")
    says = alice.says("b", 1, 1)
    for what, id, body, headers in (
        ("describe", file.id, None, {}),
        ("describe", folder.id, None, {}),
        ("describe", alice.root, None, {}),
        ("describe", "unknown", None, {}),
        ("children", alice.root, None, {}),
        ("children", file.id, None, {}),
        ("folder", alice.root, {words["name"]: "g"}, {}),
        ("folder", alice.root, {words["name"]: "g"}, {}),
        ("create", alice.root, b"1", says),
        ("update", file.id, b"2", says),
        ("rename", file.id, {words["new_name"]: "c"}, {}),
        ("move", folder.id, {words["new_parent"]: folder.id}, {}),
        ("delete", folder.id, None, {}),
        ("delete", folder.id, None, {}),
        ("thumbnail", alice.root, None, {}),
        ("describe", "", None, {"Authorization": None}),
    ):
        reply = await alice.send(what, id, body, headers)
        verb, endpoint = words[what]
        fits(reply, f"/v2/{endpoint}/{{content}}", verb.lower())
    access = alice.tokens[words["access"]]
    verb, endpoint = words["leave"]
    for _ in range(2):
        reply = await alice.send("leave", access)
        fits(reply, f"/v2/{endpoint}/{{content}}", "delete")


async def test_answers_about_segments_are_as_described(server):
    client = Gateway(server, SECOND)
    await client.sign_in(TOKENS["alice"], resource="guid0", provider="memory")
    method = await server.request("GET", "/v2/gateway_auth_method", {})
    fits(method, "/v2/gateway_auth_method", "get")
    upload = Segments(client, b"1234", 2, parent=client.root, name="a")
    fits(await upload.begin(), "/v2/gateway_upload", "post")
    item = "/v2/{}/{{content}}"
    fits(await upload.send(1), item.format("gateway_upload_segment"), "post")
    fits(await upload.finish(), item.format("gateway_metadata_upload"), "post")
    await upload.send(2)
    fits(await upload.finish(), item.format("gateway_metadata_upload"), "post")
    fits(await upload.cancel(), item.format("gateway_upload"), "delete")


@pytest.mark.parametrize("path", OURS)
def test_errors_show_what_clients_read(path):
    for verb, operation in OURS[path].items():
        if verb in {"parameters", "options"}:
            continue
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert {"X-Status", "X-Reason"} <= answer["headers"].keys()
