"""XML of strangers is read, or refused with a clear reason; nothing is fetched and nothing explodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.xmlreading import MAX_BYTES, read, read_file, to_text

BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (BOMB, "xml-entities"),
        (OUTSIDE, "xml-entities"),
        (b"<a><b></a>", "xml-malformed"),
        (b"", "xml-empty"),
        (b"<a>" * 200 + b"</a>" * 200, "xml-too-deep"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "xml-encoding"),
    ],
)
def test_what_must_not_be_read_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(data, "w.xml")
    assert caught.value.code == code
    assert "w.xml" in caught.value.message


def test_a_huge_file_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "huge.xml"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(Invalid) as caught:
        read_file(path)
    assert caught.value.code == "xml-too-large"


def test_names_lines_and_encodings() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?>\n<a xmlns="uri:x">\n <b:c xmlns:b="uri:y" name="é">ü</b:c></a>'
    root = read(text.encode("utf-16"), "w.xml")
    child = root.children[0]
    assert (child.name, child.namespace, child.line, child.get("name"), child.text) == ("c", "uri:y", 3, "é", "ü")
    assert '<c name="é">ü</c>' in to_text(root)
