"""Upgrades the text of one file: every rule looks at one tree, their fixes are made together, until nothing is left to fix.

So an upgrade of an upgraded file changes nothing. A fix that would break the file is left out, and said.
"""

from __future__ import annotations

import codecs
import difflib
import io
import tokenize
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import apply, is_overlapping
from aerodrome.migration.codemod.placing import placed
from aerodrome.migration.codemod.python2 import converted
from aerodrome.migration.codemod.source import Source, read

_ROUNDS = 8
_OLDER = 2
_PYTHON_2 = Spot(
    1,
    "The file was Python 2, and is Python 3 now.",
    "Look at divisions of whole numbers (1 / 2 is 0.5), at bytes and text, and at modules of Python 2 that it imports.",
)


@dataclass
class Rewritten:
    """`spots` are what the rules found and left, by rule; of the last round. `notes` go with fixes that were made."""

    text: bytes
    rules: Counter[str] = field(default_factory=Counter)
    spots: list[tuple[str, Spot]] = field(default_factory=list)
    notes: list[tuple[str, Spot]] = field(default_factory=list)
    is_python: bool = True


def rewrite(data: bytes, rules: Sequence[Rule], options: Options) -> Rewritten:
    """Upgrade a file's bytes; the encoding, the byte order mark and the line endings stay."""
    try:
        encoding, mark, text = _decode(data)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return Rewritten(data, is_python=False)
    rules = rules if options.major > _OLDER else [rule for rule in rules if rule.is_for_2]
    searched = text + _brought(options)
    concerned = [rule for rule in rules if any(word in searched for word in rule.words)]
    if not concerned:
        return Rewritten(data)
    source, done = read(text, options.file, options.project), Rewritten(data)
    if source is None:
        source = converted(text, options.file, options.project)
        done.rules["python2"] += 1
    if source is None:
        return Rewritten(data, is_python=False)
    refused: set[str] = set()
    for _ in range(_ROUNDS):
        words = source.text + _brought(options)
        found, done.spots = _look(source, _rules(words, rules, is_last=False), options, refused)
        last, spots = _look(source, _rules(words, rules, is_last=True), options, refused)
        done.spots += spots
        if not (found or last):
            break
        source = _make(source, found or last, done, refused)
    if done.rules["python2"]:
        done.spots.append(("python2", _PYTHON_2))
    done.spots += [
        (code, Spot(1, "A fix would have broken the file and was left out.", "Fix it by hand."))
        for code in sorted(refused)
    ]
    done.text = mark + source.text.decode("utf-8").encode(encoding) if done.rules else data
    return done


def _rules(words: bytes, rules: Sequence[Rule], *, is_last: bool) -> list[Rule]:
    return [rule for rule in rules if rule.is_last == is_last and any(word in words for word in rule.words)]


def _brought(options: Options) -> bytes:
    """Give the names of Airflow that come from other files of the project: rules are asked as if the file named them."""
    project = options.project
    known = project.passed_on.brought(options.file) if project and project.has(options.file) else b""
    return b"\n" + known if known else b""


def _decode(data: bytes) -> tuple[str, bytes, bytes]:
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    body = data[len(mark) :]
    encoding, _ = tokenize.detect_encoding(io.BytesIO(body).readline)
    if encoding in ("utf-8", "utf-8-sig"):
        body.decode("utf-8")
        return "utf-8", mark, body
    return encoding, mark, body.decode(encoding).encode("utf-8")


def _look(
    source: Source, rules: Sequence[Rule], options: Options, refused: set[str]
) -> tuple[list[tuple[str, Change]], list[tuple[str, Spot]]]:
    changes: list[tuple[str, Change]] = []
    spots: list[tuple[str, Spot]] = []
    for rule in rules:
        if rule.code in refused:
            continue
        for item in rule.find(source, options):
            found = placed(source, rule.code, item)
            if isinstance(found, Change):
                changes.append((rule.code, found))
            elif found is not None:
                spots.append((rule.code, found))
    return changes, spots


def _make(source: Source, found: list[tuple[str, Change]], done: Rewritten, refused: set[str]) -> Source:
    """Make what fits together; the next round makes the rest."""
    taken: list[Edit] = []
    fitting: list[tuple[str, Change]] = []
    for code, change in found:
        if not any(is_overlapping(edit, taken) for edit in change.edits):
            taken += change.edits
            fitting.append((code, change))
    made = read(apply(source, [change for _, change in fitting]), source.file, source.project)
    if made is not None:
        done.rules.update(code for code, _ in fitting)
        _note(source, made, fitting, done)
        return made
    for code in dict.fromkeys(code for code, _ in fitting):  # one of them breaks the file: rule by rule, then
        own = [change for other, change in fitting if other == code]
        made = read(apply(source, own), source.file, source.project)
        if made is not None:
            done.rules[code] += len(own)
            _note(source, made, [(code, change) for change in own], done)
            return made
        refused.add(code)
    return source


def _note(source: Source, made: Source, changes: list[tuple[str, Change]], done: Rewritten) -> None:
    notes = done.notes + [(code, change.note) for code, change in changes if change.note is not None]
    done.notes = follow(source.text, made.text, notes)


def follow(before: bytes, after: bytes, notes: list[tuple[str, Spot]]) -> list[tuple[str, Spot]]:
    """Give the notes with the lines that theirs became."""
    if not notes or before == after:
        return notes
    places: dict[int, int] = {}
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    for _, start, end, new, _ in matcher.get_opcodes():
        places |= {line + 1: new + line - start + 1 for line in range(start, max(end, start + 1))}
    return [(code, replace(spot, line=places.get(spot.line, spot.line))) for code, spot in notes]
