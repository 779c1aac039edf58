"""The list of changed files can be narrowed. If this breaks, a person does not find the files that somebody must decide on."""

from __future__ import annotations

from typing import Any

import pytest

from aerodrome.web.ui.pages.migration_code import KINDS, shown

_FINDING = {"file": "", "line": 1, "rule": "gone-class", "message": "It raises.", "hint": "Replace it."}


def _file(path: str, *, is_rejected: bool = False, is_raising: bool = False) -> dict[str, Any]:
    findings = [_FINDING] if is_raising else []
    return {
        "path": path, "diff": "+", "rules": {}, "findings": findings, "is_rejected": is_rejected, "is_raising": is_raising,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "wanted"), [("", ["a", "b", "c"]), ("rejected", ["b"]), ("look", ["c"]), ("raising", ["c"])]
)
def test_files_by_what_they_need(kind: str, wanted: list[str]) -> None:
    code = {"files": [_file("a"), _file("b", is_rejected=True), _file("c", is_raising=True)]}
    values = shown(code, "", kind, 1)
    assert kind in KINDS
    assert [file["path"] for file in values["files"]] == wanted
    assert (values["raising"], values["spots"], values["accepted"]) == (1, 1, 2)
