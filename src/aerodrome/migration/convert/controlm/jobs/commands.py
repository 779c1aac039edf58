"""Shell text for jobs: scripts with their arguments, embedded scripts, commands before and after, exit codes that mean OK or not."""

from __future__ import annotations

import operator
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aerodrome.migration.convert.controlm.definitions.model import Job
from aerodrome.migration.convert.controlm.variables.autoedit import is_computed, joined_lines

_CODE: Final = re.compile(r"(?:COMPSTAT)?\s*(EQ|NE|GT|GE|LT|LE|=|<>|>=|<=|>|<)?\s*(\d+)\Z", re.IGNORECASE)
_TESTS: Final = {
    "EQ": "-eq",
    "=": "-eq",
    "NE": "-ne",
    "<>": "-ne",
    "GT": "-gt",
    ">": "-gt",
    "GE": "-ge",
    ">=": "-ge",
    "LT": "-lt",
    "<": "-lt",
    "LE": "-le",
    "<=": "-le",
}
_COMPARE: Final = {
    "-eq": operator.eq,
    "-ne": operator.ne,
    "-gt": operator.gt,
    "-ge": operator.ge,
    "-lt": operator.lt,
    "-le": operator.le,
}
_OK: Final = ("OK", "ENDED OK", "ENDEDOK")
_NOTOK: Final = ("NOTOK", "NOT OK", "ENDED NOTOK", "ENDEDNOTOK")
_WINDOWS: Final = re.compile(r'^\s*"?[A-Za-z]:[\\/]|\.(bat|cmd|exe|ps1)\b', re.IGNORECASE)


@dataclass(frozen=True)
class ExitRule:
    """What an end means: `test` is a shell test on $code, on $state or on the file $output, and the job then ends OK or not."""

    test: str
    is_ok: bool

    @property
    def is_of_output(self) -> bool:
        """Say whether it looks at the output."""
        return '"$output"' in self.test

    @property
    def is_of_state(self) -> bool:
        """Say whether it looks at how the job has ended by the rules before it."""
        return '"$state"' in self.test

    @property
    def stage(self) -> int:
        """Give its place in Control-M's order: exit codes, then the output, then OK and NOTOK (On/Do Actions of its help, 8 to 9.0.21)."""
        return 2 if self.is_of_state else 0 if '"$code"' in self.test else 1


@dataclass(frozen=True)
class OutputCopy:
    """A file that gets the output of the job: always, or when a shell test on $code holds."""

    test: str
    path: str


def is_of_state(code: str) -> bool:
    """Say whether an ON code is about how the job has ended (`OK`, `NOTOK`), which comes after all others."""
    return code.strip().upper() in (*_OK, *_NOTOK)


def exit_test(code: str) -> str | None:
    """Give the shell test of an ON code (`COMPSTAT EQ 4`, `>4`, `OK`, `NOTOK`), None when it is not about the exit code."""
    word = code.strip().upper()
    if is_of_state(code):
        return f'[ "$state" {"-eq" if word in _OK else "-ne"} 0 ]'
    found = _CODE.match(word)
    return f'[ "$code" {_TESTS[(found[1] or "EQ").upper()]} {int(found[2])} ]' if found else None


def codes_of(code: str) -> frozenset[int]:
    """Give the exit codes with which an ON code can match; all of them where it is about something else."""
    word = code.strip().upper()
    every = frozenset(range(256))
    if is_of_state(code):
        return frozenset({0}) if word in _OK else every - {0}
    if not (found := _CODE.match(word)):
        return every
    compare = _COMPARE[_TESTS[(found[1] or "EQ").upper()]]
    return frozenset(item for item in every if compare(item, int(found[2])))


def command_of(job: Job, values: Mapping[str, str]) -> str:
    """Give the command line of a command, script or embedded-script job; `values` are its variables (PARM1, PRECMD, ...)."""
    details = job.details
    if job.kind == "embedded":
        main = _embedded(details.get("INSTREAM_JCL", ""), details.get("MEMNAME", ""), _arguments(details, values))
    elif job.kind == "script":
        folder = (
            details.get("OVERRIDE_PATH")
            or details.get("OVERLIB")
            or details.get("MEMLIB")
            or details.get("FILE_PATH", "")
        )
        name = details.get("MEMNAME") or details.get("FILE_NAME", "")
        path = (
            f"{folder.rstrip('/')}/{name}"
            if folder and "\\" not in folder
            else f"{folder}{name}"
            if folder.endswith("\\")
            else f"{folder}\\{name}"
            if folder
            else name
        )
        main = " ".join([_word(path), *_arguments(details, values)]) if path else ""
    else:
        main = details.get("CMDLINE", "")
    before = details.get("PRECMD") or values.get("PRECMD", "")
    behind = details.get("POSTCMD") or values.get("POSTCMD", "")
    if before:
        main = f"{before}\n{main}"
    return f"{main}\ncode=$?\n{behind}\nexit $code" if behind else main


def output_test(pattern: str, *, is_exact: bool = False) -> str | None:
    """Give the shell test for an ON code that stands for a line of the output (`*failed*`); None when it is no pattern, unless a plain text is one, too."""
    if ("*" not in pattern and not is_exact) or not pattern.strip("* "):
        return None
    return f'grep -Eq {quoted(line_pattern(pattern))} "$output"'


def line_pattern(pattern: str) -> str:
    """Give the regular expression of a mask for a whole line: `*` is any text, `?` and `$` are any one character."""
    marks = {"*": ".*", "?": ".", "$": "."}
    regex = "".join(marks.get(mark) or re.sub(r"([.^|()\[\]{}+\\])", r"\\\1", mark) for mark in pattern.strip())
    return f"^{regex}$"


def with_results(command: str, rules: Iterable[ExitRule], copies: Iterable[OutputCopy] = ()) -> str:
    """Let ends mean what the ON blocks say, and copy the output to files when the command has ended.

    Of all rules that fit the last one counts. The command runs in its own shell, so its `exit` does not skip the tests. Where the output
    is needed, the log has it at the end.
    """
    rules, copies = sorted(rules, key=lambda rule: rule.stage), list(copies)
    if not rules and not copies:
        return command
    has_output = bool(copies) or any(rule.is_of_output for rule in rules)
    lines = ["output=$(mktemp)"] if has_output else []
    lines += ["(", command, ') > "$output" 2>&1' if has_output else ")", "code=$?"]
    lines += ['cat "$output"'] if has_output else []
    lines += ["result=$code"] if rules else []
    end = "$result" if rules else "$code"
    tests = [_turn(rule) for rule in rules]
    early = sum(not rule.is_of_state for rule in rules)
    lines += tests[:early]
    if early < len(rules) or any('"$state"' in item.test for item in copies):
        lines.append(f"state={end}")
    lines += tests[early:]
    for item in copies:
        copy = f'cp "$output" {_word(item.path)}'
        lines.append(f"if {item.test}; then {copy}; fi" if item.test else copy)
    return "\n".join([*lines, *(['rm -f "$output"'] if has_output else []), f"exit {end}"])


def _turn(rule: ExitRule) -> str:
    result = f"result={'0' if rule.is_ok else '1'}"
    return result if rule.test == "true" else f"if {rule.test}; then {result}; fi"


def with_variables(command: str, values: Iterable[tuple[str, str]]) -> str:
    """Give values to the command as environment variables; %% variables in them are still compiled."""
    lines = [f"export {name}={quoted(value)}" for name, value in values]
    return "\n".join([*lines, command])


def quoted(value: str) -> str:
    """Quote a value for the shell; single quotes hold whatever its %% variables become."""
    if re.fullmatch(r"[\w./:=@%+,-]+", value) and "%%" not in value:
        return value
    return "'" + value.replace("'", "'\\''") + "'"


def is_windows(command: str) -> bool:
    """Say whether a command line looks like one of Windows."""
    return bool(_WINDOWS.search(command.splitlines()[0] if command else ""))


def has_windows_path(command: str) -> bool:
    """Say whether a path of Windows stands anywhere in a command line."""
    return bool(re.search(r"(?:^|[\s\"'=(])[A-Za-z]:\\\w", command))


def _word(path: str) -> str:
    return path if "%%" in path or shlex.quote(path) == path else f'"{path}"'


def _arguments(details: Mapping[str, str], values: Mapping[str, str]) -> list[str]:
    numbered = sorted(
        (int(name[4:]), name, value) for name, value in values.items() if re.fullmatch(r"PARM\d+", name.upper())
    )
    found = [
        f'"%%{name}"' if is_computed(value) else value if re.fullmatch(r"[\w./:=%@$-]+", value) else f'"{value}"'
        for _, name, value in numbered
    ]
    if extra := details.get("Arguments"):
        found += [str(item) for item in _listed(extra)]
    return found


def _listed(text: str) -> list[str]:
    return (
        [part.strip().strip('"') for part in text.strip().strip("[]").split('",')]
        if text.strip().startswith("[")
        else [text]
    )


def unescaped(script: str) -> str:
    r"""Undo the escapes of a script that stands in one line, as the Automation API writes it: `\n` ends a line, `\\` is one backslash."""
    if "\n" in script.strip() or "\\n" not in script:
        return script
    return re.sub(r"\\([\\n])", lambda found: "\n" if found[1] == "n" else "\\", script)


def _embedded(script: str, name: str, arguments: list[str]) -> str:
    text = unescaped(joined_lines(script).replace("\r\n", "\n"))
    mark = "END_OF_SCRIPT"
    while mark in text:
        mark += "_"
    suffix = name.rpartition(".")[2] if "." in name else "sh"
    start = '"$script"' if text.startswith("#!") else 'python3 "$script"' if suffix == "py" else 'sh "$script"'
    run = " ".join([start, *arguments])
    chmod = ['chmod 700 "$script"'] if text.startswith("#!") else []
    return "\n".join(
        [
            "script=$(mktemp)",
            f"cat > \"$script\" <<'{mark}'",
            text.rstrip("\n"),
            mark,
            *chmod,
            run,
            "code=$?",
            'rm -f "$script"',
            "exit $code",
        ]
    )
