"""What the description of the API allows, sent to a real server with a real folder: schemathesis.

The APIs of version 0 and 1 and the pages are held against the description, over a storage in
memory, by `tests.server.openapi.test_against_the_server`. Here it is the gateway API, and in the
long form everything.
"""

import random

import pytest
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from tests.fuzz.sizes import LONG
from tests.fuzz.test_gateway import made_id
from tests.fuzz.wire import Answer
from tests.fuzz.world import ALICE
from tests.gateway.client import FIRST, SECOND
from tests.server.openapi.description import loaded
from waterbutler.server.context import ServerOptions
from waterbutler.server.openapi import document

SEED = 20240229
EXAMPLES = 100 if LONG else 1
"""Requests for each operation that are left to chance."""
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
KNOWN = {
    "resource": ["demo"],
    "provider": ["filesystem"],
    "nid": ["demo"],
    "storage": ["filesystem"],
    "file": ["file.txt"],
    "folder": ["folder"],
    "content": [made_id("1", "demo", "filesystem", path) for path in ("/file.txt", "/folder/")],
}
"""Values that lead to something, for parameters of the description."""
ONLY = {"resource", "provider", "nid", "storage"}


def aimed(whole):
    """The description with values that lead to something, besides those that only might."""
    for name, values in KNOWN.items():
        parameter = whole["components"]["parameters"].get(name)
        if parameter is not None:
            schema = parameter["schema"]
            parameter["schema"] = {"anyOf": [{"enum": values}, *([] if name in ONLY else [schema])]}
    return whole


def configured():
    config = SchemathesisConfig(seed=random.randrange(1 << 32) if LONG else SEED)
    project = config.projects.default
    project.generation.update(max_examples=EXAMPLES, deterministic=not LONG, database="none")
    project.phases.coverage.enabled = LONG
    return config


DESCRIBED = document(ServerOptions(domain="http://127.0.0.1"), with_gateway=True)
API = loaded(aimed(DESCRIBED), configured())
if not LONG:
    API = API.include(tag="gateway").exclude(method="OPTIONS")


@pytest.fixture
def described_world(world):
    """The server, which shows the description that the requests are made from."""
    shown = world.ask_for("/openapi.json").json
    assert shown["paths"].keys() == DESCRIBED["paths"].keys()
    return world


@API.parametrize()
@settings(suppress_health_check=list(HealthCheck), deadline=None)
def test_the_api_answers_as_described(case, described_world):
    """Statuses, types, headers and bodies are those of the description; nothing goes wrong."""
    world = described_world
    world.fill()
    response = case.call(
        base_url=world.running.url,
        headers=authorization(world, case.path),
        session=world.session,
        allow_redirects=False,
        timeout=20,
    )
    case.validate_response(response, checks=CHECKS)
    headers = [
        (name.encode(), value.encode("latin-1"))
        for name, values in response.headers.items()
        for value in values
    ]
    target = response.request.path_url.encode()
    world.check(Answer(response.status_code, headers, response.content), case.method, target)
    world.check_around()


def authorization(world, path):
    """What signs a request in: the gateway API has tokens of its own."""
    if not path.startswith("/v2/"):
        return {"Authorization": ALICE[0][1].decode()}
    words = SECOND if "gateway_" in path else FIRST
    session = world.sign_in(words["auth"][1])
    return {"Authorization": f"Bearer {session[words['access']]}"}
