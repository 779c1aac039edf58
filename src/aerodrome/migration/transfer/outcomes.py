"""What a transfer tells about itself: counts, refused items with a reason, and hashes of both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from aerodrome.migration.estate.history import HistoryKind
from aerodrome.migration.transfer.hashing import add

Policy = Literal["source-wins", "target-wins"]
"""What happens to an item that the target already has with another value: overwrite it, or refuse ours."""

HistoryPolicy = Literal["source-wins", "target-wins", "newest"]
"""What happens to an imported row that differs from the source's now: overwrite it, keep it, or keep the one written later."""

SHOWN_REJECTIONS = 200
"""How many refused rows are kept with their reason per kind of history; all of them are counted by code."""


@dataclass(frozen=True)
class Rejected:
    """One item or row that was not moved, and why. The message never carries a value."""

    key: str
    code: str
    message: str

    def as_data(self) -> dict[str, str]:
        return {"key": self.key, "code": self.code, "message": self.message}


@dataclass(frozen=True)
class Moved:
    """The outcome for one kind of object. `found` = `moved` (written now) + `same` (stood there already) + failed.

    Both hashes cover every item that was not refused: the source's as read from the source, the target's as read back
    and decrypted after the write. Equal hashes mean that both sides hold the same values.
    """

    kind: str
    found: int
    moved: int
    same: int
    failed: tuple[Rejected, ...]
    source_hash: str
    target_hash: str

    @property
    def is_proven(self) -> bool:
        return self.source_hash == self.target_hash

    def as_data(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "found": self.found,
            "moved": self.moved,
            "same": self.same,
            "failed": [item.as_data() for item in self.failed],
            "source_hash": self.source_hash,
            "target_hash": self.target_hash,
        }


@dataclass(frozen=True)
class KindMoved:
    """The outcome for one kind of history row; counts as in `Moved`, over rows.

    `failed` holds the first rejections only, `failed_count` and `failed_by_code` count all of them.
    """

    kind: HistoryKind
    found: int
    moved: int
    same: int
    failed_count: int
    failed_by_code: Mapping[str, int]
    failed: tuple[Rejected, ...]
    notices: tuple[
        Rejected, ...
    ]  # parts of moved rows that stayed behind (a pickled conf, an overlong note): the first
    source_hash: str
    target_hash: str
    noticed_by_code: Mapping[str, int] = field(default_factory=dict)  # all of them

    @property
    def is_proven(self) -> bool:
        return self.source_hash == self.target_hash

    def as_data(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "found": self.found,
            "moved": self.moved,
            "same": self.same,
            "failed_count": self.failed_count,
            "failed_by_code": dict(self.failed_by_code),
            "failed": [item.as_data() for item in self.failed],
            "notices": [item.as_data() for item in self.notices],
            "noticed_by_code": dict(self.noticed_by_code),
            "source_hash": self.source_hash,
            "target_hash": self.target_hash,
        }


@dataclass(frozen=True)
class HistoryMoved:
    """The outcome of one history transfer, kind by kind in the order of HISTORY_KINDS."""

    kinds: tuple[KindMoved, ...]
    seconds: float
    rows_per_s: float  # found rows of all kinds, reading, writing and proving included
    until: datetime | None = None  # every run that had changed up to then, by the source's clock, was looked at

    @property
    def is_proven(self) -> bool:
        return all(kind.is_proven for kind in self.kinds)

    def of(self, kind: HistoryKind) -> KindMoved:
        return next(item for item in self.kinds if item.kind == kind)

    def as_data(self) -> dict[str, Any]:
        return {
            "kinds": [kind.as_data() for kind in self.kinds],
            "seconds": round(self.seconds, 3),
            "rows_per_s": round(self.rows_per_s, 1),
        }


@dataclass
class Tally:
    """Counts of one kind while its rows pass; becomes plain JSON in a checkpoint and comes back from it."""

    found: int = 0
    moved: int = 0
    same: int = 0
    rejections: Counter[str] = field(default_factory=Counter)
    shown: list[Rejected] = field(default_factory=list)
    notices: list[Rejected] = field(default_factory=list)
    noticed: Counter[str] = field(default_factory=Counter)
    source_sum: int = 0
    target_sum: int = 0
    keep: Callable[[Rejected, bytes | None], None] | None = None  # told of every refusal; not part of the state

    def reject(self, rejected: Rejected, rows: int = 1, value: bytes | None = None) -> None:
        """Count refused rows; `value` is what is archived of one."""
        if self.keep is not None:
            self.keep(rejected, value)
        self.rejections[rejected.code] += rows
        if len(self.shown) < SHOWN_REJECTIONS:
            self.shown.append(rejected)

    def notice(self, notice: Rejected, value: bytes | None = None) -> None:
        """Count a part of a row that stayed behind."""
        if self.keep is not None:
            self.keep(notice, value)
        self.noticed[notice.code] += 1
        if len(self.notices) < SHOWN_REJECTIONS:
            self.notices.append(notice)

    def merge(self, other: Tally) -> None:
        """Add what another tally counted."""
        self.found += other.found
        self.moved += other.moved
        self.same += other.same
        self.rejections += other.rejections
        self.noticed += other.noticed
        self.shown = [*self.shown, *other.shown][:SHOWN_REJECTIONS]
        self.notices = [*self.notices, *other.notices][:SHOWN_REJECTIONS]
        self.source_sum = add(self.source_sum, other.source_sum)
        self.target_sum = add(self.target_sum, other.target_sum)

    def as_state(self) -> dict[str, Any]:
        return {
            "found": self.found,
            "moved": self.moved,
            "same": self.same,
            "rejections": dict(self.rejections),
            "shown": [item.as_data() for item in self.shown],
            "notices": [item.as_data() for item in self.notices],
            "noticed": dict(self.noticed),
            "source_sum": f"{self.source_sum:x}",
            "target_sum": f"{self.target_sum:x}",
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Tally:
        return cls(
            found=state["found"],
            moved=state["moved"],
            same=state["same"],
            rejections=Counter(state["rejections"]),
            shown=[Rejected(**item) for item in state["shown"]],
            notices=[Rejected(**item) for item in state["notices"]],
            noticed=Counter(state.get("noticed", {})),
            source_sum=int(state["source_sum"], 16),
            target_sum=int(state["target_sum"], 16),
        )
