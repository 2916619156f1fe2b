"""Requests whose body is a JSON object."""

from __future__ import annotations

from typing import ClassVar

from waterbutler.core.errors import TooLarge
from waterbutler.server.documents import MAX_DOCUMENT
from waterbutler.server.gateway.base import GatewayHandler
from waterbutler.server.gateway.documents import Document
from waterbutler.server.receive import SmallBody


class DocumentHandler(GatewayHandler):
    """Collects the body once it is known who asks; its type is not looked at."""

    max_document: ClassVar[int] = MAX_DOCUMENT
    """How large the body may be, in bytes."""
    _body: SmallBody

    async def begin(self) -> None:
        """Refuse what is too large to be a document."""
        await super().begin()
        limit = self.max_document
        if (self.declared_size or 0) > limit:
            raise TooLarge(f"The body of this request has at most {limit} bytes.")
        self._body = SmallBody(limit)

    async def receive(self, chunk: bytes) -> None:
        """Collect the document."""
        self._body.add(chunk)

    def document(self) -> Document:
        """The document; raises `InvalidRequest` if it is none."""
        return Document(self._body.data())
