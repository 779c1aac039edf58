"""Exit codes and how errors are told: one sentence and the next step on standard error."""

from __future__ import annotations

import json
import sys
from typing import Final

from aerodrome.kernel.errors import (
    AerodromeError,
    Broken,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    Stale,
    Unavailable,
)

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERNAL: Final = 70
INTERRUPTED: Final = 130

OF_ERROR: Final[dict[type[AerodromeError], int]] = {
    Invalid: USAGE,
    NotFound: 3,
    Denied: 4,
    Conflict: 5,
    Stale: 5,
    Unavailable: 6,
    Broken: FAILED,
}
MEANINGS: Final[dict[int, str]] = {
    OK: "done",
    FAILED: "the work failed; the message says why",
    USAGE: "the command line or the input is wrong",
    3: "the named thing does not exist, or you may not know that it does",
    4: "not signed in, or the permission is missing",
    5: "the request contradicts the present state",
    6: "the server or something behind it does not answer now; trying later may work",
    INTERNAL: "a defect in aerodrome itself",
    INTERRUPTED: "interrupted (Ctrl-C)",
}


def exit_code(error: AerodromeError) -> int:
    """Give the exit code of an error by the nearest class in the table."""
    return next(OF_ERROR[cls] for cls in type(error).__mro__ if cls in OF_ERROR)


def tell(error: AerodromeError, *, as_json: bool) -> int:
    """Write an error to standard error, for eyes or as one JSON line, and give the exit code."""
    if as_json:
        data = error.as_data() | {"exit_code": exit_code(error)}
        sys.stderr.write(json.dumps({"error": data}, ensure_ascii=False, default=str) + "\n")
        return exit_code(error)
    sys.stderr.write(f"error: {error.message}\n")
    for problem in error.details.get("fields", ()):
        sys.stderr.write(f"  {problem.get('field')}: {problem.get('message')}\n")
    if error.hint:
        sys.stderr.write(f"next: {error.hint}\n")
    return exit_code(error)
