"""Documents of which many are written that differ in a few values only.

Encoding a document of nested objects costs several times what filling in a text does. The text is
made from a real document, so that its shape is said in one place only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_encode = msgspec.json.Encoder().encode
_PLAIN = re.compile(r"[A-Za-z0-9 _.,;:!?@#$&()+=~/\[\]{}'^-]*")


class Template:
    """A JSON document with blanks.

    Args:
        document: The document. A value that is a blank, or a string that holds one, is filled in.
        blanks: What stands for what; the names are those that `fill` takes. A blank is unlikely
            text without quotes, percent signs or anything that JSON escapes.
        whole: Which of them stand for whole values and not for parts of strings.
    """

    def __init__(
        self, document: object, blanks: Mapping[str, str], whole: frozenset[str] = frozenset()
    ) -> None:
        text = _encode(document).decode().replace("%", "%%")
        for name, blank in blanks.items():
            found = f'"{blank}"' if name in whole else blank
            text = text.replace(found, f"%({name})s")
        self._text = text

    def fill(self, values: Mapping[str, str]) -> bytes:
        """The document; ``values`` are JSON: whole ones, or what stands between quotes."""
        return (self._text % values).encode()


def json_text(text: str) -> str:
    """A text as it stands between the quotes of a JSON string."""
    return text if _PLAIN.fullmatch(text) else _encode(text).decode()[1:-1]


def json_value(value: object) -> str:
    """A value as JSON."""
    return "null" if value is None else _encode(value).decode()
