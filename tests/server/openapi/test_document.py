"""The document is valid, and it describes every route, parameter, header and status there is."""

import ast
import re
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

import waterbutler.server
from tests.server.openapi.description import CLOSED, described, records, resolved
from waterbutler.server.app import make_application
from waterbutler.server.errors import STATUS
from waterbutler.server.openapi.document import PARTS, _union
from waterbutler.server.v0.handlers import ROUTES
from waterbutler.version import __version__

SOURCES = Path(waterbutler.server.__file__).parent
METHODS = ("get", "head", "put", "post", "delete", "options")
DOCUMENT = described()
OPERATIONS = [
    (path, method, item[method])
    for path, item in DOCUMENT["paths"].items()
    for method in METHODS
    if method in item
]
NAMES = [f"{method} {path}" for path, method, _ in OPERATIONS]

NOT_OURS = {"Accept", "Authorization", "Content-Length", "Content-Type", "Expect", "Host"}
"""Request headers that OpenAPI leaves to HTTP, or has other words for."""
OF_BROWSERS = {"Cookie", "Origin", "Referer", "Sec-Fetch-Site", "Transfer-Encoding", "User-Agent"}
"""Request headers that no client sets by itself."""
OF_PROXIES = {"X-Forwarded-For"}
"""Request headers that count only where a proxy sets them."""


def parameters(path, method):
    """The parameters of an operation, those of its path included."""
    item = DOCUMENT["paths"][path]
    given = [*item.get("parameters", []), *item[method].get("parameters", [])]
    return [resolved(parameter) for parameter in given]


def in_query(paths=""):
    """The names of all query parameters of paths that start so."""
    names = {
        parameter["name"]
        for path, method, _ in OPERATIONS
        for parameter in parameters(path, method)
        if parameter["in"] == "query" and path.startswith(paths)
    }
    schemes = DOCUMENT["components"]["securitySchemes"].values()
    return names | {scheme["name"] for scheme in schemes if scheme.get("in") == "query"}


def constants(nodes):
    return {node.value for node in nodes if isinstance(node, ast.Constant)}


def read_from(name, *folders):
    """The string constants that are asked of a variable called ``name`` in our modules."""
    return {
        constant
        for folder in folders
        for module in folder.glob("*.py")
        for node in ast.walk(ast.parse(module.read_text()))
        for constant in constants(asked(node, name))
    }


def asked(node, name):
    """What a piece of code asks of a variable called ``name``."""
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="one_of"), args=wanted):
            pass
        case ast.Call(func=ast.Attribute(value=owner, attr="get" | "first"), args=[key, *_]):
            wanted = [key]
        case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[owner]):
            wanted = [key]
        case ast.Subscript(value=owner, slice=key, ctx=ast.Load()):
            wanted = [key]
        case _:
            return []
    return wanted if ends_with(owner, name) else []


def ends_with(node, name):
    """Whether an expression is ``name`` or ``….name``."""
    return getattr(node, "id", None) == name or getattr(node, "attr", None) == name


# -- the document by itself ------------------------------------------------------------------------


def test_the_document_is_valid():
    """It keeps to OpenAPI 3.1, and its schemas to JSON Schema 2020-12."""
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["info"]["version"] == __version__


def test_every_component_is_used():
    """Nothing is described that no operation refers to."""
    text = repr(DOCUMENT)
    components = DOCUMENT["components"]
    unused = [
        f"{kind}/{name}"
        for kind in ("schemas", "responses", "parameters")
        for name in components[kind]
        if f"'#/components/{kind}/{name}'" not in text
    ]
    assert unused == []


def test_every_operation_has_a_name_of_its_own():
    """Generators make functions of the names."""
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z][A-Za-z]+", name) for name in names)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_every_answer_has_a_request_id(path, method, operation):
    """Errors too; and only answers to HEAD and preflights have no bodies to read."""
    for status, shown in operation["responses"].items():
        answer = resolved(shown)
        assert resolved(answer["headers"]["X-Waterbutler-Request-Id"])["required"]
        bodiless = method == "head" or status in {"204", "302", "303", "304"}
        assert ("content" in answer) != bodiless


def test_the_set_up_shows():
    """The URL of the server and the largest upload are those of its options."""
    whole = described(max_upload_size=12345)
    assert whole["servers"] == [{"url": "http://127.0.0.1"}]
    assert "12345" in str(whole["tags"])
    assert "12345" not in str(DOCUMENT["tags"])


def test_a_name_is_given_once():
    """Two parts with the same path or component are refused."""
    assert _union([{"a": 1}, {"b": 2}]) == {"a": 1, "b": 2}
    with pytest.raises(ValueError, match="a"):
        _union([{"a": 1}, {"a": 2}])


def test_every_part_has_a_tag():
    """Each operation belongs to one of the parts."""
    tags = [tag["name"] for tag in DOCUMENT["tags"]]
    assert len(tags) == len(PARTS)
    assert {tuple(operation["tags"]) for _, _, operation in OPERATIONS} == {(t,) for t in tags}


def test_the_tests_close_the_answers():
    """The strict reading that other tests use is stricter than the document."""
    schemas = CLOSED["components"]["schemas"]
    assert len(list(records(schemas["Folder"]))) == 2
    assert schemas["Error"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["Rename"]


# -- the document and the code ---------------------------------------------------------------------


@pytest.fixture
def rules(server):
    """The routes of the application, and what answers where there is none."""
    return make_application(server.context).rules


def requested(path, method, kind=""):
    """A request to a path of the document."""
    uri = re.sub(r"\{\w+\}", "name", path)
    line = RequestStartLine(method.upper(), uri, "HTTP/1.1")
    headers = HTTPHeaders({"Host": "127.0.0.1", **({"Content-Type": kind} if kind else {})})
    return HTTPServerRequest(start_line=line, headers=headers)


def requests_to(path, method):
    """Requests to an operation, one for each type of body that it takes."""
    body = DOCUMENT["paths"][path][method].get("requestBody", {"content": {"": None}})
    return [requested(path, method, kind) for kind in body["content"]]


def answering(rules, request):
    """The first rule that matches a request."""
    return next((rule for rule in rules if rule.matcher.match(request) is not None), None)


def test_every_operation_is_served(rules):
    """What is documented has a route, and its handler takes the method."""
    for path, method, _ in OPERATIONS:
        for request in requests_to(path, method):
            rule = answering(rules, request)
            assert rule is not None, (path, method)
            assert method.upper() in (*rule.target.methods, "OPTIONS")


def test_every_route_is_described(rules):
    """Each rule of the application answers something that is documented, with all its methods."""
    served = {
        (id(answering(rules, request)), method.upper())
        for path, method, _ in OPERATIONS
        for request in requests_to(path, method)
    }
    for rule in rules:
        described_methods = {method for known, method in served if known == id(rule)}
        assert described_methods, f"{rule.target.__name__} answers nothing that is described"
    for path, item in DOCUMENT["paths"].items():
        taken = {
            method
            for method in map(str.upper, METHODS)
            if method in (*answering(rules, requested(path, method)).target.methods, "OPTIONS")
        }
        assert taken == {method.upper() for method in METHODS if method in item}, path


def test_every_query_parameter_of_v1_is_described():
    """What v1 asks of a query is documented, and what is documented is asked for."""
    read = read_from("query", SOURCES, SOURCES / "v1") | {"page[size]", "page[after]", "sort"}
    assert {"meta", "kind", "confirm_delete", "version", "cookie"} < read
    only_relayed = {"mode"}
    assert in_query("/v1/") == read | only_relayed


def test_every_query_parameter_of_v0_is_described():
    """What v0 asks of a query is documented, and what is documented is asked for."""
    read = read_from("query", SOURCES / "v0") | {"nid", "provider", "path"}
    assert {"accept_url", "displayName"} < read
    like_v1 = {"cookie", "view_only", "version", "revision", "confirm_delete"}
    only_relayed = {"mode"}
    described_names = set().union(*(in_query(path) for path, _, _ in ROUTES if path != "/file"))
    described_names |= in_query("/file") - in_query("/files/")
    assert described_names == read | like_v1 | only_relayed


def test_every_header_that_is_read_is_described():
    """Request headers that the server looks at are documented."""
    constants_of_modules = {"X-CSRFToken", "X-Cos-Mfr-Request-Action", "X-OSF-OTP"}
    read = read_from("headers", SOURCES, SOURCES / "v1") | constants_of_modules
    assert {"Range", "If-Match", "Content-MD5", "Want-Repr-Digest"} < read
    known = {
        parameter["name"]
        for path, method, _ in OPERATIONS
        for parameter in parameters(path, method)
        if parameter["in"] == "header"
    }
    assert read - known <= NOT_OURS | OF_BROWSERS | OF_PROXIES


def test_every_status_is_described():
    """Whatever error is raised on purpose, its status is among the answers of v1."""
    statuses = {
        int(status)
        for path, _, operation in OPERATIONS
        for status in operation["responses"]
        if path.startswith("/v1/")
    }
    assert set(STATUS.values()) <= statuses
