"""XML of diagrams and decisions, read without what a document type could do."""

import xml.etree.ElementTree as ET
from typing import NoReturn


class _Builder(ET.TreeBuilder):
    def doctype(self, _name: str, _public_id: str | None, _system: str | None) -> NoReturn:
        raise ET.ParseError("remove the <!DOCTYPE ...>; a diagram has none")


def root_of(content: bytes) -> ET.Element:
    """Return the root element of *content*.

    The parser itself says what is a document type, so none hides in another encoding (UTF-16, say).

    Raises:
        ET.ParseError: it is no XML, is in an encoding that nobody knows, or has a document type, whose entities could
            name other files or grow without end.
    """
    try:
        # No document type, so no entities.
        return ET.fromstring(content, ET.XMLParser(target=_Builder()))  # noqa: S314
    except (LookupError, ValueError) as error:
        raise ET.ParseError(str(error)) from None
