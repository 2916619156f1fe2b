"""The document as the tests use it, and a server to hold it against."""

import asyncio
import threading
from copy import deepcopy

import jsonschema
import requests
import schemathesis
from schemathesis.config import SchemathesisConfig

from tests.harness import LiveServer
from waterbutler.server.context import ServerOptions
from waterbutler.server.openapi import document

ROOT = "/v1/resources/{resource}/providers/{provider}/"
FOLDER = ROOT + "{folder}/"
FILE = ROOT + "{file}"
CONTENT = b'{"some": "data"}'

REQUEST_SCHEMAS = {"CopyOrMove", "CopyRoot", "LegacyTransfer", "Rename"}
GENERAL_HEADERS = {
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "server",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
}
"""Headers of every answer, which are not described one by one."""


class Background:
    """The server in a thread with an event loop of its own, as clients outside of it see it."""

    def __init__(self, **storages):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.server = self.run(LiveServer(storages=storages).start())
        self.session = requests.Session()

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def fill(self):
        """Give the storages what every request finds in them."""
        self.run(self._fill())

    async def _fill(self):
        for storage in self.server.storages.values():
            storage._root.children.clear()
        for flaky in self.server.flaky.values():
            flaky._failures.clear()
        for path in ("/file.txt", "/data.json", "/folder/inner.txt", "/folder/deep/"):
            await self.server.have(path, CONTENT)
        await self.server.have("/folder/", storage="other")

    def close(self):
        self.session.close()
        self.run(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


def described(**options):
    """The document of a server."""
    return document(ServerOptions(domain="http://127.0.0.1", **options))


def closed(whole):
    """The document with its answers closed: what is not described may not be shown."""
    schemas = whole["components"]["schemas"]
    for name in schemas.keys() - REQUEST_SCHEMAS:
        for schema in records(schemas[name]):
            schema["additionalProperties"] = False
    return whole


def records(schema):
    """All schemas in a schema that say which members an object must have."""
    if isinstance(schema, dict):
        if "properties" in schema and "required" in schema:
            yield schema
        for value in schema.values():
            yield from records(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from records(value)


CLOSED = closed(described())


def loaded(whole, config=None):
    """The document as schemathesis has it."""
    return schemathesis.openapi.from_dict(deepcopy(whole), config=config or SchemathesisConfig())


# -- checks, besides those of schemathesis ---------------------------------------------------------


def shows_what_was_asked(_context, response, case):
    """The schema of a download fits everything; what was asked for says which part counts."""
    query = case.query or {}
    if response.status_code == 200 and case.method == "GET" and case.path == FILE:
        if "meta" in query:
            fits("FileDocument", response.json())
        elif "versions" in query or "revisions" in query:
            fits("Versions", response.json())
        else:
            assert response.content == CONTENT


def names_its_status(_context, response, case):
    """Errors say their status in the body, too."""
    if response.status_code >= 400 and response.request.method != "HEAD":
        assert response.json()["code"] == response.status_code


def has_only_described_headers(_context, response, case):
    """No header comes that the document does not know for this status."""
    answers = case.operation.definition.raw["responses"]
    if str(response.status_code) in answers:
        answer = resolved(answers[str(response.status_code)])
        known = {name.lower() for name in answer["headers"]}
        assert set(response.headers) - GENERAL_HEADERS <= known


OWN_CHECKS = [shows_what_was_asked, names_its_status, has_only_described_headers]


def fits(name, value):
    """Fails if a value is not what a schema of the document says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": CLOSED["components"]}
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator)


def resolved(value):
    """What a reference to a component stands for."""
    if "$ref" not in value:
        return value
    kind, name = value["$ref"].removeprefix("#/components/").split("/")
    return CLOSED["components"][kind][name]
