"""XML from other servers, which is not to be trusted."""

from __future__ import annotations

# Without a document type there are no entities, and these are what makes the parser dangerous.
from xml.etree.ElementTree import Element, ParseError, fromstring  # noqa: S405

from waterbutler.core.errors import ProviderFault


def parse_xml(data: bytes) -> Element:
    """The root of a document, with names that are without their namespaces.

    White space around the document is fine: servers send it to keep a connection alive.

    Raises:
        ProviderFault: It is no XML in UTF-8, or has a document type.
    """
    try:
        text = data.decode().strip()
        # Text is never decoded anew, whatever encoding the document claims to have.
        if "<!DOCTYPE" in text:
            raise ProviderFault("The storage sends a document that nobody should read.")
        root = fromstring(text)  # noqa: S314 - see above
    except (UnicodeDecodeError, ParseError, RecursionError):
        raise ProviderFault("The storage sends no proper XML.") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
