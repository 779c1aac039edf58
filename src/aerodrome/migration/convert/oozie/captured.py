"""What an action captures: the last line that its task prints, and the function that reads it as Oozie does."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Function

if TYPE_CHECKING:
    from aerodrome.migration.convert.oozie.actions import Action


def captured(said: str) -> dict[str, str]:
    """Read what an action captured, a JSON text in its last line, as Java properties: what Java stores escapes : and =."""
    signs = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}

    def plain(text: str) -> str:
        return re.sub(
            r"\\(?:u([0-9a-fA-F]{4})|(.))",
            lambda found: chr(int(found[1], 16)) if found[1] else signs.get(found[2], found[2]),
            text,
        )

    lines = re.sub(r"(?<!\\)((?:\\\\)*)\\\n[ \t\f]*", r"\1", json.loads(said))
    pairs = re.finditer(r"(?m)^[ \t\f]*(?![#!])((?:\\.|[^\\\s=:])+)[ \t\f]*[=:]?[ \t\f]*(.*)", lines)
    return {plain(name): plain(value) for name, value in (pair.groups() for pair in pairs)}


_READER: Final = Function(captured.__name__, f"\n{inspect.getsource(captured)}", (symbols.JSON, symbols.RE))
# what was printed before may end without a line end
_PRINT: Final = r'import json, sys; print("\n" + json.dumps(open(sys.argv[1]).read()))'


def capturing(action: Action, file: str) -> str:
    """Give the line that prints a file of properties, for the reader that the DAG has then."""
    action.compiler.needs.functions[_READER.name] = _READER
    return f"python3 -c '{_PRINT}' {file}"


READ: Final = Code(_READER.name)
