"""Shows what became of a file, for people: as a diff, without what looks like a secret. Pure."""

from __future__ import annotations

import difflib

from aerodrome.airflowkit import code as code_reader
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import MASK


def diff(before: bytes, after: bytes, name: str) -> str:
    if before == after:
        return ""
    old, new = (data.decode("utf-8", errors="replace") for data in (before, after))
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{name}", f"b/{name}", n=3
    )
    text = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    redactor = Redactor()
    for source in (old, new):
        tree = code_reader.parse(source) if name.endswith(".py") else None
        for secret in code_reader.plain_secrets(tree) if tree else ():
            text = text.replace(secret.value, MASK)
    return redactor.text(text)
