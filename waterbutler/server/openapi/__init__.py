"""The description of everything that the server serves, in OpenAPI 3.1."""

from waterbutler.server.openapi.document import document
from waterbutler.server.openapi.handler import OpenApiHandler

__all__ = ["OpenApiHandler", "document"]
