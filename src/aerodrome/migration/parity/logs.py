"""Finds error patterns in task logs: the same complaint gives the same pattern, whatever numbers and names stand in it. Pure."""

from __future__ import annotations

import re
from collections import Counter

_ERROR = re.compile(
    r"\b(?:ERROR|CRITICAL|FATAL)\b|^\s*(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Failure|Timeout)\b[:(]|^Traceback \(most recent"
)
_NOISE = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*"), "‹time›"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "‹address›"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"), "‹uuid›"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "‹hex›"),
    (re.compile(r"(?:scheduled|manual|backfill|shadow|asset_triggered|dataset_triggered)__\S+"), "‹run›"),
    (re.compile(r"(?:/[\w.@+-]+){2,}"), "‹path›"),
    (re.compile(r"\b\d+(?:\.\d+)?\b"), "‹n›"),
)
_HEAD = re.compile(r"^\s*\[?‹time›\]?\s*(?:\{[^}]*\})?\s*(?:-\s*)?")
LONGEST = 240
MOST = 100


def error_patterns(text: str) -> Counter[str]:
    """Count the error patterns of a log; a traceback counts by its last line, which names the exception."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith("Traceback") or not _ERROR.search(line):
            continue
        if len(found) >= MOST and pattern(line) not in found:
            continue
        found[pattern(line)] += 1
    return found


def pattern(line: str) -> str:
    """Take what differs from run to run out of a line."""
    for expression, word in _NOISE:
        line = expression.sub(word, line)
    return " ".join(_HEAD.sub("", line).split())[:LONGEST]
