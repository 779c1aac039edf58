"""Reads what an action puts out (`<capture-output>`) as Oozie does: a file of Java properties of a limited size."""

from __future__ import annotations

from typing import Final

from aerodrome.migration.convert.oozie.actions import Action

# java.util.Properties.load(Reader): a key ends at =, : or a blank; \ goes on in the next line; # and ! begin a line that is none.
# It stands between single quotes in a template: no single quote, and no brace before another, % or #.
_READ: Final = r"""
import json, os, re, sys
name, most = sys.argv[1], int(sys.argv[2])
size = os.path.getsize(name) if os.path.exists(name) else 0
if size > most:
    sys.exit(f"The output has {size} bytes, more than {most}, with which an action of Oozie fails. The server has another limit? Give it as max_output_data in the profile.")
text = open(name, encoding="utf-8", newline="").read() if size else ""
def escaped(match):
    mark = match[1]
    if mark[0] == "u":
        return chr(int(mark[1:], 16))
    return dict(t="\t", n="\n", r="\r", f="\f").get(mark, mark)
found = {}
for line in re.finditer(r"(?:[ \t\f]|\\\n)*(?:[#!][^\n]*|((?:[^\\\n]|\\[\s\S]|\\\Z)*))(?:\n|\Z)", re.sub("\r\n?", "\n", text)):
    whole = re.sub(r"\\(?:\n[ \t\f]*|\Z|([\s\S]))", lambda match: match[0] if match[1] else "", line[1] or "")
    key, value = re.fullmatch(r"((?:[^\\ \t\f=:]|\\[\s\S])*)[ \t\f]*[=:]?[ \t\f]*([\s\S]*)", whole).groups()
    if line[1]:
        key, value = (re.sub(r"\\(u[0-9a-fA-F]{4}|[\s\S])", escaped, part) for part in (key, value))
        found[key] = value
print(("" if text[-1:] in ("", "\n") else "\n") + json.dumps(found))
"""


def captured(action: Action, name: str) -> str:
    """Give the command that reads the file and writes it as JSON.

    Oozie 4.x/5.x: LauncherAM.processActionData, SshActionExecutor.check and PropertiesUtils.stringToProperties. Output that is longer than the server
    allows fails the action there, and here.
    """
    return f"python3 -c '{_READ}' {name} {action.most_output}"
