"""Writes out %% variables as Control-M does on one day: the interpreter against which compiled command lines are proved.

It replaces text by text, from right to left, and shares nothing with `autoedit`, which compiles to Jinja. Control-M Variables guide (8 to 9.0.2x), as there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

_WORD: Final = re.compile(r"\$?[A-Za-z_@#][\w@#$]*(?:-[\w@#$]+)*", re.ASCII)
_OUTSIDE: Final = re.compile(r"\\{1,2}[\w@#$-]+(?:\\[\w@#$-]+)*", re.ASCII)
_DEPTH: Final = 20


class Unclear(ValueError):
    """The text has no reading that this interpreter is sure of."""


@dataclass(frozen=True)
class Moment:
    """The day of the job and the clock when it starts; `order_id` and `count` are of its run."""

    odate: date
    now: datetime
    order_id: str
    count: int
    is_week_from_sunday: bool = False


@dataclass(frozen=True)
class Expander:
    """The names that one job sees. What none of them defines is asked of `stored`, by its name without leading backslashes."""

    system: Mapping[str, str]
    variables: Mapping[str, str]
    moment: Moment
    stored: Mapping[str, str]

    def expand(self, text: str, depth: int = 0) -> str:
        """Write out one text. Unclear when it has several readings; KeyError names a variable that is nowhere."""
        if depth > _DEPTH:
            raise Unclear(f"{text} is defined by itself")
        head, *pieces = text.split("%%")
        out, is_value = "", False
        for piece in reversed(pieces):
            odd = max(
                (name for name in self.variables if _is_odd(name) and piece.startswith(name)), key=len, default=""
            )
            found = _OUTSIDE.match(piece) or _WORD.match(piece)
            if odd and (found is None or len(odd) > len(self._known_part(found[0]))):
                out, is_value = self._value(odd, depth) + piece[len(odd) :].removeprefix(".") + out, True
                continue
            if piece.startswith((".", "#")) or found is None:
                out = ("%%" if not piece.startswith(".") else "") + (piece[1:] if piece[:1] in ".#" else piece) + out
                is_value = False
                continue
            if is_value and found.end() == len(piece):  # its name goes on in the value behind it
                whole, out = piece + out, ""
                found = found.re.match(whole) or found
            else:
                whole = piece
            name = found[0] if found[0].startswith("\\") else self._known_part(found[0])
            out = self._value(name, depth) + whole[len(name) :].removeprefix(".") + out
            is_value = True
        return head + out

    def _known_part(self, name: str) -> str:
        """Cut a name after which others follow (`ODATE-x`): the longest known part, or the part before the first hyphen."""
        for end in range(len(name), 0, -1):
            if (end == len(name) or name[end] in "-@#$") and self._word(name[:end]) is not None:
                return name[:end]
        return name.split("-", 1)[0]

    def _value(self, name: str, depth: int) -> str:
        word = self._word(name)
        if word is None:
            return self.stored[name.lstrip("\\").replace("\\", ".")]
        is_variable, value = word
        return self._assigned(value, depth + 1) if is_variable else value

    def _word(self, name: str) -> tuple[bool, str] | None:
        if name in self.variables:
            return True, self.variables[name]
        name = name.upper()
        value = self.system.get(name)
        return (False, value) if value is not None else self._of_moment(name)

    def _of_moment(self, name: str) -> tuple[bool, str] | None:
        if blanks := re.fullmatch(r"BLANK(\d+)", name):
            return False, " " * int(blanks[1])
        found = {"ORDERID": self.moment.order_id, "RUNCOUNT": str(self.moment.count), "RUNCNT": str(self.moment.count)}
        shift = int(self.moment.is_week_from_sunday)
        parts = _parts(self.moment.odate, shift)
        found |= {f"{'$O' if key[0] == '$' else 'O'}{key.lstrip('$')}": text for key, text in parts}
        now = self.moment.now
        found |= dict(_parts(now.date(), shift))
        found |= {"TIME": f"{now.hour:02}{now.minute:02}{now.second:02}", "CENT": f"{now.year // 100:02}"}
        return (False, found[name]) if name in found else None

    def _assigned(self, value: str, depth: int) -> str:
        words = value.split()
        function = words[0].upper().removeprefix("%%") if words and words[0].startswith("%%") else ""
        given = [self.expand(word, depth) for word in words[1:]] if function in _FUNCTIONS else []
        if function == "SUBSTR" and len(given) == 3:
            start, length = _number(given[1]), _number(given[2])
            return "".join(given[0][at] for at in range(start - 1, min(start - 1 + length, len(given[0]))))
        if function in ("CALCDATE", "$CALCDATE") and len(given) == 2:
            form = "%Y%m%d" if len(given[0]) == 8 else "%y%m%d"
            day = datetime.strptime(given[0], form).replace(tzinfo=UTC).date()
            return date.fromordinal(day.toordinal() + int(given[1])).strftime(form)
        if len(words) == 3 and words[1].upper() in ("%%PLUS", "%%MINUS"):
            left, right = _number(self.expand(words[0], depth)), _number(self.expand(words[2], depth))
            return str(left + right if words[1].upper() == "%%PLUS" else left - right)
        if function in _FUNCTIONS or re.search(
            r"%%\$?(SUBSTR|CALCDATE|PLUS|MINUS|[A-Z]*CALC[A-Z]*|LENGTH|TO(LOWER|UPPER))\b", value
        ):
            raise Unclear(f"{value} uses a function that is not written out here")
        return self.expand(value, depth)


_FUNCTIONS: Final = ("SUBSTR", "CALCDATE", "$CALCDATE", "LENGTH", "TOLOWER", "TOUPPER", "GETCURRENTDATE")


def _is_odd(name: str) -> bool:
    return not _WORD.fullmatch(name)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Unclear(f"{text} is no number") from error


def _parts(day: date, shift: int) -> list[tuple[str, str]]:
    year, month, number = f"{day.year:04}", f"{day.month:02}", f"{day.day:02}"
    of_year = (day - date(day.year, 1, 1) + timedelta(days=1)).days
    return [
        ("DATE", year[2:] + month + number),
        ("$DATE", year + month + number),
        ("YEAR", year[2:]),
        ("$YEAR", year),
        ("MONTH", month),
        ("DAY", number),
        ("JULDAY", f"{of_year:03}"),
        ("WDAY", str((day.toordinal() + shift) % 7)),
    ]
