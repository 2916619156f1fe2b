"""Small forms: what is filled in, without files."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from waterbutler.core.errors import InvalidRequest
from waterbutler.server.receive import SmallBody
from waterbutler.server.web.pages import PageHandler

MAX_FORM = 1 << 14
"""The largest form without a file, in bytes."""
_MAX_FIELDS = 20


class FormHandler(PageHandler):
    """A page handler that also takes small forms; ``fields`` holds what was filled in."""

    fields: Mapping[str, str]

    async def begin(self) -> None:
        """Refuse what is no form."""
        await super().begin()
        self._body = SmallBody(MAX_FORM)
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if self.request.method == "POST" and kind != "application/x-www-form-urlencoded":
            raise InvalidRequest("A form is expected here.")

    async def receive(self, chunk: bytes) -> None:
        """Collect the form."""
        self._body.add(chunk)

    def read_form(self) -> None:
        """Read and check the form.

        Raises:
            InvalidRequest: It is malformed.
            Forbidden: It is not one that this browser was given.
        """
        self.fields = parse_form(self._body.data())
        self.believe(self.fields.get("csrf"))


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of an URL-encoded form.

    Raises:
        InvalidRequest: It is malformed.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise InvalidRequest("The form cannot be read.") from None
    return dict(pairs)
