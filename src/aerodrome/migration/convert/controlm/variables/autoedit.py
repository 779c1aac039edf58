r"""Compiles %% variables and functions (AutoEdit) into Jinja, for the fields that Airflow renders.

Control-M Variables guide (9.0.2x): a variable ends at the first character that no name has; one period after it joins it to what
follows and disappears; `%%\NAME` is global and `%%\\POOL\NAME` of a pool; functions stand in the values of variables. A variable that the
export does not define becomes an Airflow variable, whose absence fails the task: nothing is replaced by nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from aerodrome.migration.convert.controlm.names import is_lost

_NAME: Final = re.compile(r"\$?[A-Za-z_@#][A-Za-z0-9_@#$]*(?:-[A-Za-z0-9_@#$]+)*")
_GLOBAL: Final = re.compile(r"\\{1,2}[A-Za-z0-9_@#$-]+(?:\\[A-Za-z0-9_@#$-]+)*")
_BLANKS: Final = re.compile(r"BLANK(\d*)", re.IGNORECASE)
_WORDS: Final = re.compile(r'"[^"]*"|\S+')
_DEEP: Final = 20
_OF_ODATE: Final = {
    "ODATE": "%y%m%d",
    "$ODATE": "%Y%m%d",
    "OYEAR": "%y",
    "$OYEAR": "%Y",
    "OMONTH": "%m",
    "ODAY": "%d",
    "OJULDAY": "%j",
    "$OJULDAY": "%Y%j",
    "$OCENT": "%C",
    "OWDAY": "%w",
}
_OF_NOW: Final = {
    "DATE": "%y%m%d",
    "$DATE": "%Y%m%d",
    "YEAR": "%y",
    "$YEAR": "%Y",
    "MONTH": "%m",
    "DAY": "%d",
    "JULDAY": "%j",
    "WDAY": "%w",
    "TIME": "%H%M%S",
    "CENT": "%C",
    "$CENT": "%C",
    "$JULDAY": "%Y%j",
}
_OF_WORKING_DATE: Final = {  # the Control-M date at the time of the run
    "RDATE": "%y%m%d",
    "$RDATE": "%Y%m%d",
    "RYEAR": "%y",
    "$RYEAR": "%Y",
    "RMONTH": "%m",
    "RDAY": "%d",
    "RJULDAY": "%j",
    "$RJULDAY": "%Y%j",
    "RWDAY": "%w",
    "$RCENT": "%C",
}
_WEEKS: Final = ("WEEK", "OWEEK", "RWEEK")
_FUNCTIONS: Final = ("SUBSTR", "CALCDATE", "$CALCDATE", "LENGTH", "TOLOWER", "TOUPPER", "GETCURRENTDATE")


@dataclass(frozen=True)
class Scope:
    """What a job can see: its system words (JOBNAME, SCHEDTAB, ...) and its variables, inner ones over outer ones."""

    system: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    is_week_from_sunday: bool = False  # %%WDAY is then 1 on Sunday and 0 on Saturday, else 1 on Monday and 0 on Sunday
    folder: str = ""  # its name: variables of a SMART folder (%%\\NAME) are kept under it
    kept: frozenset[str] = frozenset()  # Airflow variables that jobs of the exports set


@dataclass
class Compiled:
    """Text that Airflow renders. `unknown` lists variables that nothing defines; `problems` what cannot be compiled (then it raises)."""

    text: str = ""
    unknown: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    macros: set[str] = field(default_factory=set)


_Part = tuple[bool, str]  # is it an expression, or plain text


def compile_text(text: str, scope: Scope) -> Compiled:
    """Compile one field of a definition."""
    done = Compiled()
    done.text = "".join(
        f"{{{{ {value} }}}}" if is_code else _plain(value) for is_code, value in _Compiler(scope, done).parts(text, 0)
    )
    return done


def compile_value(text: str, scope: Scope) -> Compiled:
    """Compile the value of a variable, where functions and sums may stand."""
    done = Compiled()
    done.text = "".join(
        f"{{{{ {value} }}}}" if is_code else _plain(value) for is_code, value in _Compiler(scope, done).value(text)
    )
    return done


def variable_key(name: str, folder: str = "") -> str:
    """Give the Airflow variable that holds a %% variable which the export does not define; that of a SMART folder stands under its name."""
    if is_of_folder(name) and folder:
        name = f"{folder}.{name.strip(chr(92))}"
    own = name.strip("\\")
    plain = re.sub(r"[^A-Za-z0-9_.-]+", ".", own).strip(".")
    return f"controlm.{f'{plain}_'.lstrip('_')}{crc32(own.encode()):08x}" if is_lost(own) else f"controlm.{plain}"


def stored_key(name: str, scope: Scope) -> str:
    """Give the Airflow variable that a job reads: that of its SMART folder where a job sets one of that name."""
    of_folder = variable_key(f"\\\\{name}", scope.folder)
    is_its = not name.startswith("\\") and bool(scope.folder) and of_folder in scope.kept
    return of_folder if is_its else variable_key(name, scope.folder)


def is_of_folder(name: str) -> bool:
    """Say whether a variable belongs to a SMART folder: it has two backslashes and no pool."""
    return re.fullmatch(r"\\\\[^\\]+", name) is not None


def _plain(text: str) -> str:
    """Escape what Jinja would read in plain text."""
    if not any(mark in text for mark in ("{{", "{%", "{#")):
        return text
    return re.sub(r"\{[{%#]", lambda found: f"{{{{ '{found[0]}' }}}}", text)


class _Compiler:
    def __init__(self, scope: Scope, done: Compiled) -> None:
        self._scope = scope
        self._done = done
        self._names = dict(
            scope.variables
        )  # names of variables of users are case-sensitive (BMC, Control-M 9 help, User-defined variables)
        self._odd = sorted((name for name in self._names if not _NAME.fullmatch(name)), key=len, reverse=True)

    def value(self, text: str) -> list[_Part]:
        return _merged(self._assigned(text, 1))

    def parts(self, text: str, depth: int) -> list[_Part]:
        """Compile a text from right to left, as Control-M resolves it."""
        marks = [found.start() for found in re.finditer("%%", text)]
        found: list[_Part] = []
        end, is_open = len(text), False  # is_open: the value of a variable begins right behind
        for mark in reversed(marks):
            tail = text[mark + 2 : end]
            found, is_open = self._one(tail, found, depth, is_open=is_open)
            end = mark
        return _merged([(False, text[:end]), *found])

    def _one(self, tail: str, behind: list[_Part], depth: int, *, is_open: bool) -> tuple[list[_Part], bool]:
        """Compile one `%%` and the text behind it; `behind` is what stands after that. Says also whether it is a value."""
        if tail.startswith("."):
            return [(False, tail[1:]), *behind], False
        named = _GLOBAL.match(tail) or _NAME.match(tail)
        odd = next((name for name in self._odd if tail.startswith(name)), "")
        if odd and (named is None or len(odd) > len(self._longest(named[0]))):
            text = f"%%{odd} has a name that the rules of Control-M do not allow: it is taken as the variable that the export defines."
            self._done.notes += [] if text in self._done.notes else [text]
            return [*self._value(odd, depth), (False, tail[len(odd) :].removeprefix(".")), *behind], True
        if tail.startswith("#") or named is None:
            return [(False, f"%%{tail.removeprefix('#')}"), *behind], False
        if is_open and named.end() == len(tail):
            return self._named_by_value(tail, _merged(behind), depth), True
        name = named[0] if named[0].startswith("\\") else self._longest(named[0])
        return [*self._value(name, depth), (False, tail[len(name) :].removeprefix(".")), *behind], True

    def _named_by_value(self, start: str, behind: list[_Part], depth: int) -> list[_Part]:
        """Compile a variable whose name ends in the value of another one."""
        is_code, value = behind[0] if behind else (False, "")
        if not is_code:
            return self._one(f"{start}{value}", behind[1:], depth, is_open=False)[0]
        name, rest = f"{start!r} ~ ({value})", behind[1:]
        if rest and not rest[0][0] and (more := re.match(r"[\w@#$]+", rest[0][1], re.ASCII)):
            name, rest = f"{name} ~ {more[0]!r}", [(False, rest[0][1][more.end() :]), *rest[1:]]
        if rest and not rest[0][0]:
            rest = [(False, rest[0][1].removeprefix(".")), *rest[1:]]
        if rest and rest[0][0]:
            self._done.problems.append(
                f"%%{start}%%... is named by several values, of which nobody knows where its name ends."
            )
        known = {key: item for key, item in self._names.items() if key.startswith(start) and key != start}
        if depth > _DEEP or not known:
            key = variable_key(start)
            self._done.notes.append(
                f"%%{start}%%... is one variable, whose name ends in a value: an Airflow variable {key}…."
            )
            return [(True, f"var.value['controlm.' ~ {name}]"), *rest]
        self._done.notes.append(
            f"%%{start}%%... is one variable, whose name ends in a value: one of {', '.join(sorted(known))}."
        )
        values = ", ".join(
            f"{key!r}: {self._code_of(self._assigned(item, depth + 1))}" for key, item in sorted(known.items())
        )
        words = f"{{{values}}}"
        value = f"({words}[{name}] if ({name}) in {words} else var.value['controlm.' ~ {name}])"
        return [(True, value), *rest]

    def _is_function(self, name: str) -> bool:
        return name.upper() in _FUNCTIONS

    def _longest(self, name: str) -> str:
        """Take the longest name that is known; `-`, `@`, `#` and `$` belong to a name only when it is known with them."""
        ends = [len(name), *(found.start() for found in re.finditer(r"[-@#$]", name) if found.start())]
        known = (name[:end] for end in sorted(ends, reverse=True) if self._is_known(name[:end]))
        return next(known, name.partition("-")[0])

    def _is_known(self, name: str) -> bool:
        words = (
            *_OF_ODATE,
            *_OF_NOW,
            *_OF_WORKING_DATE,
            *_WEEKS,
            "COMPSTAT",
            *_FUNCTIONS,
            "ORDERID",
            "RUNCOUNT",
            "PLUS",
            "MINUS",
        )
        return name in self._names or name.upper() in self._scope.system or name.upper() in words

    def _value(self, name: str, depth: int) -> list[_Part]:
        upper = name.upper()
        if is_of_folder(name) and variable_key(name, self._scope.folder) not in self._scope.kept:
            name = name.strip("\\") if name.strip("\\") in self._names else name
        if name in self._names:
            if depth > _DEEP:
                self._done.problems.append(f"%%{name} is defined by itself.")
                return [(False, f"%%{name}")]
            return self._assigned(self._names[name], depth + 1)
        if found := _BLANKS.fullmatch(upper):
            return [(False, " " * int(found[1] or 1))]
        if upper in self._scope.system:
            return [(False, self._scope.system[upper])]
        if upper in ("OWDAY", "WDAY") and self._scope.is_week_from_sunday:
            day = "odate(dag_run)" if upper == "OWDAY" else "now()"
            self._done.macros.add(day.partition("(")[0])
            return [(True, f"(({day}.isoweekday() + 1) % 7)")]
        if upper in _OF_ODATE:
            self._done.macros.add("odate")
            return [(True, f"odate(dag_run).strftime('{_OF_ODATE[upper]}')")]
        if upper == "RWDAY" and self._scope.is_week_from_sunday:
            self._done.macros |= {"now", "order_date"}
            return [(True, "((order_date(now()).isoweekday() + 1) % 7)")]
        if upper in _OF_WORKING_DATE:
            self._done.macros |= {"now", "order_date"}
            return [(True, f"order_date(now()).strftime('{_OF_WORKING_DATE[upper]}')")]
        if upper in _WEEKS:
            self._done.problems.append(f"%%{name} counts weeks as the server is set up, which no export says.")
            return [(False, f"%%{name}")]
        if upper == "COMPSTAT":
            self._done.notes.append("%%COMPSTAT is not known here: the log of the task has the exit code.")
            return [(False, "(exit code: see the log)")]
        if upper in _OF_NOW:
            self._done.macros.add("now")
            return [(True, f"now().strftime('{_OF_NOW[upper]}')")]
        if upper == "ORDERID":
            self._done.notes.append("%%ORDERID is the id of the Airflow run.")
            return [(True, "run_id")]
        if upper in ("RUNCOUNT", "RUNCNT"):
            return [(True, "ti.try_number")]
        if self._is_function(upper) or upper in ("PLUS", "MINUS"):
            self._done.problems.append(f"%%{name} stands outside of the value of a variable.")
            return [(False, f"%%{name}")]
        if other := next((own for own in self._names if own.upper() == upper), ""):
            text = f"%%{name} is not %%{other}: names of variables are case-sensitive."
            self._done.notes += [] if text in self._done.notes else [text]
        return [(True, self._stored(name))]

    def _stored(self, name: str) -> str:
        key = stored_key(name, self._scope)
        if key not in self._done.unknown and key not in self._scope.kept:
            self._done.unknown.append(key)
        return f"var.value['{key}']"  # `get` renders NOTSET in 3.x (task SDK, VariableAccessor, 3.3.2)

    def _assigned(self, value: str, depth: int) -> list[_Part]:
        """Compile the value of a variable, where functions and sums may stand."""
        stripped = value.strip()
        words = _WORDS.findall(stripped)
        if words and words[0].startswith("%%") and self._is_function(words[0][2:].rstrip(".")):
            return self._function(words[0][2:].upper(), words[1:], stripped, depth)
        if len(words) == 3 and words[1].upper() in ("%%PLUS", "%%MINUS"):
            left, right = (self._as_code(word, depth) for word in (words[0], words[2]))
            return [(True, f"({left} | int) {'+' if words[1].upper() == '%%PLUS' else '-'} ({right} | int)")]
        if any(self._is_function(word) for word in re.findall(r"%%(\$?[A-Za-z]+)", stripped)):
            self._done.problems.append(f"{stripped!r} uses a function inside of a text.")
            return [(False, value)]
        return self.parts(value, depth)

    def _function(self, name: str, words: list[str], whole: str, depth: int) -> list[_Part]:
        values = [self._as_code(word, depth) for word in words]
        if name == "SUBSTR" and len(words) == 3:
            start, length = words[1], words[2]
            if start.isdigit() and length.isdigit():
                return [(True, f"({values[0]} | string)[{int(start) - 1}:{int(start) - 1 + int(length)}]")]
            first, count = f"({values[1]} | int)", f"({values[2]} | int)"
            return [(True, f"({values[0]} | string)[{first} - 1:{first} - 1 + {count}]")]
        if name in ("CALCDATE", "$CALCDATE") and len(words) == 2:
            self._done.macros.add("calcdate")
            days = words[1].replace("+", "") if re.fullmatch(r"[+-]?\d+", words[1]) else f"({values[1]} | int)"
            return [(True, f"calcdate({values[0]}, {days})")]
        if name == "LENGTH" and len(words) == 1:
            return [(True, f"({values[0]} | string | length)")]
        if name in ("TOLOWER", "TOUPPER") and len(words) == 1:
            return [(True, f"({values[0]} | string | {name[2:].lower()})")]
        self._done.problems.append(f"{whole!r} is not a function that is compiled.")
        return [(False, whole)]

    def _as_code(self, text: str, depth: int) -> str:
        return self._code_of(self.parts(text.strip('"'), depth))

    def _code_of(self, parts: list[_Part]) -> str:
        if len(parts) == 1 and parts[0][0]:
            return parts[0][1]
        pieces = [value if is_code else repr(value) for is_code, value in parts] or ["''"]
        return pieces[0] if len(pieces) == 1 else f"({' ~ '.join(pieces)})"


def _merged(parts: list[_Part]) -> list[_Part]:
    joined: list[_Part] = []
    for is_code, value in parts:
        if joined and not is_code and not joined[-1][0]:
            joined[-1] = (False, joined[-1][1] + value)
        elif value or is_code:
            joined.append((is_code, value))
    return joined


def is_computed(value: str) -> bool:
    """Say whether a function or a sum makes the value of a variable: then only its name can stand in a text."""
    words = re.findall(r"%%(\$?[A-Za-z]+)", value.upper())
    return any(word in (*_FUNCTIONS, "PLUS", "MINUS") for word in words)


def joined_lines(text: str) -> str:
    """Undo the length marks of old exports (`0010first line00000006second`); other texts stay as they are.

    Lengths are those of the text before its variables have values, in characters or in bytes; all of them must add up.
    """
    return next((found for found in (_unmarked(text), _unmarked_bytes(text)) if found is not None), text)


def _unmarked(text: str) -> str | None:
    lines, at = [], 0
    while at < len(text):
        length = text[at : at + 4]
        if not re.fullmatch(r"[0-9]{4}", length) or at + 4 + int(length) > len(text):
            return None
        lines.append(text[at + 4 : at + 4 + int(length)])
        at += 4 + int(length)
    return "\n".join(lines) if any(lines) else None


def _unmarked_bytes(text: str) -> str | None:
    if text.isascii():
        return None
    found = _unmarked(text.encode().decode("latin-1"))
    try:
        return found.encode("latin-1").decode() if found is not None else None
    except UnicodeDecodeError:
        return None
