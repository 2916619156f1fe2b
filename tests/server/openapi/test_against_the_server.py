"""What the document says is what the server does: requests made up from it, by schemathesis.

All of its checks run. Where one is left out for a request, `left_out` says why; where a request is
changed, `consistent` says what no schema can.
"""

import base64
import hashlib
import json
from copy import deepcopy
from urllib.parse import unquote

import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import negative_data_rejection

from tests.harness import ALICE
from tests.server.openapi.description import CLOSED, OWN_CHECKS, ROOT, loaded

SEED = 20240229
EXAMPLES = 6
"""Requests for each operation that are left to chance, besides those that cover its schema."""

NOT_NOW = ("409", "412", "416")
"""Answers to requests that are right, but not in this state of the storage."""
REFUSED = ("411", "412", "413", "416")
"""Refusals that may come before what is wrong with a request was looked at."""


def cursor(value):
    return base64.urlsafe_b64encode(json.dumps([value, "file.txt", False]).encode()).decode()


def digest(algorithm, body):
    return base64.b64encode(hashlib.new(algorithm, body).digest()).decode()


CURSORS = {
    "name": cursor("file.txt"),
    "size": cursor(3),
    "modified": cursor(1.5),
    "kind": cursor(True),
}
DIGESTS = {
    "Content-MD5": lambda body: digest("md5", body),
    "Content-Digest": lambda body: f"sha-256=:{digest('sha256', body)}:",
    "Repr-Digest": lambda body: f"sha-512=:{digest('sha512', body)}:, other=:AA==:",
}
KNOWN = {
    "resource": ["guid0"],
    "provider": ["memory"],
    "nid": ["guid0"],
    "storage": ["memory"],
    "legacyPath": ["/file.txt", "/folder/"],
    "legacyFile": ["/file.txt", "/folder/new.txt"],
    "legacyFolder": ["/new/", "/folder/new/"],
    "file": ["file.txt", "data.json"],
    "folder": ["folder"],
    "name": ["file.txt", "new.txt"],
    "range": ["bytes=0-3", "bytes=-4", "bytes=90-"],
    "ifMatch": ["*"],
    "ifNoneMatch": ["*"],
    "ifModifiedSince": ["Tue, 01 Jan 2030 00:00:00 GMT"],
}
"""Values that lead to something; only those for what is just a way to get there."""


def aimed(whole):
    """The document with values that lead to something, besides those that only might."""
    parameters = whole["components"]["parameters"]
    for name, values in KNOWN.items():
        schema = parameters[name]["schema"]
        only = name in {"resource", "provider", "nid", "storage"}
        parameters[name]["schema"] = {"anyOf": [{"enum": values}, *([] if only else [schema])]}
    for name in ("CopyOrMove", "CopyRoot"):
        members = whole["components"]["schemas"][name]["properties"]
        members["path"] = {"anyOf": [{"enum": ["/", "/folder/"]}, members["path"]]}
        members["resource"] = {"enum": ["guid0", "", None]}
        members["provider"] = {"enum": ["memory", "other", "", None]}
    for end in ("source", "destination"):
        members = whole["components"]["schemas"]["LegacyTransfer"]["properties"][end]["properties"]
        members["nid"] = {"enum": ["guid0"]}
        members["provider"] = {"enum": ["memory", "other"]}
        members["path"] = {"anyOf": [{"enum": ["/file.txt", "/folder/"]}, members["path"]]}
        members["cookie"] = {"type": "null"}
    return whole


def configured(*, coverage=True):
    config = SchemathesisConfig(seed=SEED)
    project = config.projects.default
    project.generation.update(max_examples=EXAMPLES, deterministic=True, database="none")
    project.phases.coverage.enabled = coverage
    accepted = project.checks.positive_data_acceptance
    accepted.expected_statuses = [*accepted.expected_statuses, *NOT_NOW]
    rejected = project.checks.negative_data_rejection
    rejected.expected_statuses = [*rejected.expected_statuses, *REFUSED]
    return config


schemathesis.openapi.format("waterbutler-cursor", st.sampled_from(sorted(CURSORS.values())))
AIMED = aimed(deepcopy(CLOSED))
API = loaded(AIMED, configured()).exclude(tag="pages")
PAGES = loaded(AIMED, configured(coverage=False)).include(tag="pages")


def consistent(case):
    """The case, with what no schema can say made right."""
    query, headers = case.query or {}, case.headers or {}
    if case.meta.generation.mode.is_negative:
        # An archive is not listed: how to list is not even looked at.
        query.pop("zip", None)
        return case
    for name in DIGESTS.keys() & set(headers):
        headers[name] = DIGESTS[name](sent(case.body))
    if query.get("kind") == "folder":
        case.body = NOT_SET
    if query.get("page[after]"):
        query["page[after]"] = CURSORS[(query.get("sort") or "name").lstrip("-")]
    if case.method == "POST" and case.path.startswith(ROOT):
        lead_elsewhere(case)
    if case.method == "DELETE" and query.get("path") == "/":
        query["confirm_delete"] = "1"
    if case.method == "POST" and case.path.startswith("/ops/"):
        lead_into_a_folder(case.body)
    return case


def lead_elsewhere(case):
    """Nothing is brought into itself or onto itself."""
    if case.body["action"] == "rename":
        if case.body["rename"] in map(unquote, case.path_parameters.values()):
            case.body["rename"] = "another"
    elif "file" not in case.path_parameters:
        case.body["provider"] = "other"
    elif case.body["path"] == "/":
        case.body["path"] = "/folder/"


def lead_into_a_folder(body):
    """A root is not moved, and nothing is brought into itself or onto itself."""
    if body["source"]["path"] == "/":
        body["source"]["path"] = "/folder/"
    body["destination"].update(provider="other", path="/folder/")
    body["source"]["provider"] = "memory"


def sent(body):
    return b"" if body is NOT_SET else getattr(body, "data", body)


def left_out(case):
    """The checks that make no sense for a request."""
    if case.method == "OPTIONS":
        # A preflight is answered without looking at what it is about.
        return [negative_data_rejection]
    if (case.query or {}).get("kind") == "folder" and DIGESTS.keys() & set(case.headers or {}):
        # A folder has no body, so nobody looks at the digests of its body.
        return [negative_data_rejection]
    return []


def holds(case, background, left_out):
    """Send the request and hold the answer against the document."""
    background.fill()
    response = consistent(case).call(
        base_url=background.server.url, headers=ALICE, session=background.session
    )
    case.validate_response(
        response, headers=ALICE, additional_checks=OWN_CHECKS, excluded_checks=left_out
    )


@API.parametrize()
@settings(suppress_health_check=list(HealthCheck), deadline=None)
def test_the_api_answers_as_described(case, background):
    """Statuses, types, headers and bodies are those of the document."""
    holds(case, background, left_out(case))


@PAGES.parametrize()
@settings(suppress_health_check=list(HealthCheck), deadline=None)
def test_pages_answer_as_described(case, background):
    """The same for pages, which show something whatever stands in their URLs."""
    holds(case, background, [negative_data_rejection])
