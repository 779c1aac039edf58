"""Files in other encodings than UTF-8. If this breaks, an upgrade cuts words in two, or passes a file over."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod.encodings import as_utf8


@pytest.mark.parametrize(
    "data",
    [
        b'# -*- coding: latin-1 -*-\r\nname = "caf\xe9"\r\n',
        b'#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nname = "\x80"\n# coding: of something else\n',
        '# coding=utf-8\nname = "caf\u00e9"\n'.encode(),
        b"\xef\xbb\xbfname = 1\n",
        b"",
    ],
)
def test_a_file_comes_back_as_it_was(data: bytes) -> None:
    found = as_utf8(data)
    assert found is not None
    found.text.decode("utf-8")
    assert found.back(found.text) == data


@pytest.mark.parametrize(
    "data", [b'name = "caf\xe9"\n', b"# coding: nothing-known\n", b'# coding: ascii\nname = "\xe9"\n']
)
def test_what_python_cannot_read_is_nothing(data: bytes) -> None:
    assert as_utf8(data) is None
