"""A diagram from anywhere is read without opening a file, and without growing."""

import xml.etree.ElementTree as ET

import pytest

from waggle.domain.markup import root_of

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(9))
TYPES = ['<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>', '<!DOCTYPE a SYSTEM "http://evil.example/a.dtd">']


def test_a_diagram_is_read() -> None:
    assert root_of(b'<?xml version="1.0"?><a b="c"/>').get("b") == "c"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("doctype", [*TYPES, f"<!DOCTYPE a [{LAUGHS}]>"])
def test_a_document_type_is_refused_in_whatever_letters_it_is_written(doctype: str, encoding: str) -> None:
    with pytest.raises(ET.ParseError):
        root_of(f'<?xml version="1.0" encoding="{encoding}"?>{doctype}<a>&x;</a>'.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8"])
def test_the_way_out_is_said(encoding: str) -> None:
    with pytest.raises(ET.ParseError, match="remove the <!DOCTYPE"):
        root_of(f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a><a/>'.encode(encoding))


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"<a", b'<?xml version="1.0" encoding="klingon"?><a/>', b"\xff\xfe<"]
)
def test_what_is_no_xml_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(ET.ParseError):
        root_of(content)
