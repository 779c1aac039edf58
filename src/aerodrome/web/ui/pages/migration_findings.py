"""The Findings tab of a migration: a summary by code, then the findings that fit a filter, a hundred on a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

ROWS = 100


@dataclass(frozen=True)
class Filter:
    """What a visitor wants to see; empty fields mean all."""

    severity: str = ""
    code: str = ""
    text: str = ""  # in the subject, the file or the message, in any case
    page: int = 1

    def fits(self, finding: Mapping[str, Any]) -> bool:
        if self.severity and finding["severity"] != self.severity:
            return False
        if self.code and finding["code"] != self.code:
            return False
        words = f"{finding['subject']} {finding['file'] or ''} {finding['message']}"
        return self.text.casefold() in words.casefold()

    def query(self, **changes: Any) -> str:
        """Give this filter with changes as the query of an address, with its question mark."""
        fields = {"severity": self.severity, "code": self.code, "text": self.text, "page": self.page, **changes}
        kept = {name: value for name, value in fields.items() if value and (name, value) != ("page", 1)}
        return f"?{urlencode(kept)}" if kept else "?"


def shown(findings: Sequence[Mapping[str, Any]], wanted: Filter) -> dict[str, Any]:
    """Give what the page draws of the findings. Linear in their number."""
    codes = Counter((finding["code"], finding["severity"]) for finding in findings)
    rows = [finding for finding in findings if wanted.fits(finding)]
    pages = max(1, -(-len(rows) // ROWS))
    page = min(max(1, wanted.page), pages)
    return {
        "filter": wanted,
        "codes": [(code, severity, count) for (code, severity), count in codes.most_common()],
        "findings": rows[(page - 1) * ROWS : page * ROWS],
        "found": len(rows),
        "page": page,
        "pages": pages,
    }
