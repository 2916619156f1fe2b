"""XML from other servers, which is not to be trusted."""

from __future__ import annotations

import re

# Without a document type there are no entities, and these are what makes the parser dangerous.
from xml.etree.ElementTree import Element, ParseError, fromstring

from waterbutler.core.errors import ProviderFault

_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,8}));|[\x00-\x08\x0b\x0c\x0e-\x1f]")


def parse_xml(data: bytes) -> Element:
    """The root of a document, with names that are without their namespaces.

    White space around the document is fine: servers send it to keep a connection alive. Control
    characters, which no document can hold and which servers echo nevertheless, become U+FFFD.

    Raises:
        ProviderFault: It is no XML in UTF-8, or has a document type.
    """
    try:
        text = data.decode().strip()
        # Text is never decoded anew, whatever encoding the document claims to have.
        if "<!DOCTYPE" in text:
            raise ProviderFault("The storage sends a document that nobody should read.")
        root = fromstring(_REFERENCE.sub(_possible, text))  # noqa: S314 - it has no document type
    except (UnicodeDecodeError, ParseError, RecursionError):
        raise ProviderFault("The storage sends no proper XML.") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _possible(found: re.Match[str]) -> str:
    """A reference to a character, or what stands for one that cannot be."""
    code = int(found[1], 16) if found[1] else int(found[2] or 0)
    return found[0] if code >= 32 or code in {9, 10, 13} else "\N{REPLACEMENT CHARACTER}"
