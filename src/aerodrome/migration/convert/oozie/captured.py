"""What an action captures (`<capture-output>`): the last line that its task prints, and the function that reads it as Oozie does."""

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
    """Read what an action put out, a JSON text in its last line, as a file of Java properties."""
    text = re.sub("\r\n?", "\n", json.loads(said))

    def plain(part: str) -> str:
        signs = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
        return re.sub(
            r"\\(u[0-9a-fA-F]{4}|[\s\S])",
            lambda sign: chr(int(sign[1][1:], 16)) if sign[1][0] == "u" else signs.get(sign[1], sign[1]),
            part,
        )

    found = {}
    for line in re.finditer(r"(?:[ \t\f]|\\\n)*(?:[#!][^\n]*|((?:[^\\\n]|\\[\s\S]|\\\Z)*))(?:\n|\Z)", text):
        whole = re.sub(r"\\(?:\n[ \t\f]*|\Z|([\s\S]))", lambda sign: sign[0] if sign[1] else "", line[1] or "")
        pair = re.match(r"((?:[^\\ \t\f=:]|\\[\s\S])*)[ \t\f]*[=:]?[ \t\f]*([\s\S]*)", whole)
        if line[1] and pair:
            found[plain(pair[1])] = plain(pair[2])
    return found


READ: Final = Code(captured.__name__)
_READER: Final = Function(captured.__name__, f"\n{inspect.getsource(captured)}", (symbols.JSON, symbols.RE))

# It stands between single quotes in a template: no single quote, and no brace before another, % or #.
_PRINT: Final = r"""
import json, os, sys
name, most = sys.argv[1], int(sys.argv[2])
size = os.path.getsize(name) if os.path.exists(name) else 0
if size > most:
    sys.exit(f"The output has {size} bytes, more than {most}, with which an action of Oozie fails. The server has another limit? Give it as max_output_data in the profile.")
print("\n" + json.dumps(open(name, encoding="utf-8", newline="").read() if size else ""))
"""  # what was printed before may end without a line end


def capturing(action: Action, name: str) -> str:
    """Give the line that prints a file of properties, for the reader that the DAG has then.

    Oozie 4.x/5.x: LauncherAM.processActionData, SshActionExecutor.check and PropertiesUtils.stringToProperties. Output that is longer than the server
    allows fails the action there, and here.
    """
    action.compiler.needs.functions[_READER.name] = _READER
    return f"python3 -c '{_PRINT}' {name} {action.most_output}"
