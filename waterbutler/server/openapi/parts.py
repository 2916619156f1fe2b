"""What the document is made of: parts, one for each dialect, and the words they are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from waterbutler.core import JSON

Object: TypeAlias = dict[str, JSON]

TEXT: Object = {"type": "string"}
FLAG: Object = {"type": "string", "default": ""}
BYTES: Object = {"type": "string", "format": "binary"}
ANYTHING: Object = {}
"""The schema of files: they may be text, JSON, or anything else."""

JSON_BODY = "application/json"
ANY_TYPE = "*/*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one dialect adds to the document.

    Components are shared: a part may refer to those of another one, and two parts never give
    different things the same name.
    """

    tag: str
    about: str
    paths: Object
    schemas: Object = field(default_factory=dict)
    parameters: Object = field(default_factory=dict)
    headers: Object = field(default_factory=dict)
    responses: Object = field(default_factory=dict)
    security: Object = field(default_factory=dict)


def ref(kind: str, name: str) -> Object:
    """A reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def nullable(schema: Mapping[str, JSON]) -> Object:
    """The same schema of one type, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def record(required: Mapping[str, JSON], optional: Mapping[str, JSON] | None = None) -> Object:
    """The schema of an object with these members."""
    members: Object = {**required, **(optional or {})}
    names: list[JSON] = [*required]
    return {"type": "object", "properties": members, "required": names}


def path_parameter(name: str, about: str, schema: Object, *, segments: bool = False) -> Object:
    """A piece of the path.

    Args:
        name: How the template calls it.
        about: What it means.
        schema: What it looks like.
        segments: Whether several pieces with slashes between them may stand there.
    """
    parameter: Object = {
        "name": name,
        "in": "path",
        "required": True,
        "description": about,
        "schema": schema,
    }
    if segments:
        parameter["x-waterbutler-segments"] = "one or more, each percent-encoded on its own"
    return parameter


def query_parameter(
    name: str, about: str, schema: Object, *, required: bool = False, empty: bool = True
) -> Object:
    """A query parameter.

    Args:
        name: Its name.
        about: What it does.
        schema: What its value looks like.
        required: Whether a request without it is refused.
        empty: Whether it may be sent without a value.
    """
    parameter: Object = {"name": name, "in": "query", "description": about, "schema": schema}
    if required:
        parameter["required"] = True
    elif empty:
        parameter["allowEmptyValue"] = True
    return parameter


def header_parameter(name: str, about: str, schema: Object) -> Object:
    """A request header that may be left out."""
    return {"name": name, "in": "header", "description": about, "schema": schema}


def content(schemas: Mapping[str, Object]) -> Object:
    """The content of a body, for each media type its schema."""
    return {kind: {"schema": schema} if schema else {} for kind, schema in schemas.items()}


def response(
    about: str, headers: Object | None = None, bodies: Mapping[str, Object] | None = None
) -> Object:
    """An answer; every answer has a request id.

    Args:
        about: When it is given.
        headers: Further headers.
        bodies: For each media type the schema of the body; none for no body.
    """
    answer: Object = {
        "description": about,
        "headers": {REQUEST_ID: ref("headers", REQUEST_ID), **(headers or {})},
    }
    if bodies is not None:
        answer["content"] = content(bodies)
    return answer


REQUEST_ID = "X-Waterbutler-Request-Id"


def header_refs(*names: str) -> Object:
    """Headers that an answer may carry."""
    return {name: ref("headers", name) for name in names}


def operation(
    id: str,
    summary: str,
    tag: str,
    responses: Mapping[str, JSON],
    *,
    about: str = "",
    parameters: Sequence[str] = (),
    body: Object | None = None,
    security: Sequence[Object] = (),
) -> Object:
    """One verb of a path.

    Args:
        id: Its name, unique in the document.
        summary: What it does, in a few words.
        tag: The part that it belongs to.
        responses: All answers by status.
        about: What else there is to say.
        parameters: The names of the parameters' components, besides those of the path.
        body: The request body.
        security: The ways to sign in, any of which is enough; none where nobody is asked.
    """
    described: Object = {"operationId": id, "summary": summary, "tags": [tag]}
    if about:
        described["description"] = about
    if parameters:
        described["parameters"] = [ref("parameters", name) for name in parameters]
    if body is not None:
        described["requestBody"] = body
    described["responses"] = dict(sorted(responses.items()))
    described["security"] = list(security)
    return described
