"""Takes one file through our rules: before ruff, and once more after it, which may have shown them more. Called by upgrade, in any process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from aerodrome.migration.codemod.contract import Options, Spot
from aerodrome.migration.codemod.diffs import diff
from aerodrome.migration.codemod.engine import Rewritten, follow, rewrite
from aerodrome.migration.codemod.origin import NEWEST, is_of_1, version_of
from aerodrome.migration.codemod.requirements import connections_of, providers_of
from aerodrome.migration.codemod.rules import RULES
from aerodrome.migration.codemod.rules.callers import is_imported
from aerodrome.migration.codemod.tidying import drop_unused
from aerodrome.migration.codemod.workers import Held

_OLDER = 2
_OF_OLD_NAMES = {"catchup-default"}
"""Rules that look at DAGs under their names of Airflow 2: ruff renames these, and what was found stays true."""
_WORDS = (b"airflow", b"xcom_pull(", b"xcom_push(", b"triggering_dataset_events")
"""What tells that a file is about Airflow: a helper that is given a task's context need not import anything of it."""


@dataclass(frozen=True)
class Begun:
    """What our rules did to a file; `text` is what it was then."""

    text: bytes
    applied: Counter[str]
    notes: list[tuple[str, Spot]]
    spots: list[tuple[str, Spot]]


@dataclass(frozen=True)
class Finished:
    """The end of a file: what our rules did once more, and what they say."""

    applied: Counter[str]
    notes: list[tuple[str, Spot]]
    spots: list[tuple[str, Spot]]
    diff: str
    needed: frozenset[str]


def begin(held: Held, name: str) -> Begun:
    applied: Counter[str] = Counter()
    notes: list[tuple[str, Spot]] = []
    spots = _apply_ours(held, name, applied, notes)
    return Begun((held.out_dir / name).read_bytes(), applied, notes, spots)


def finish(held: Held, item: tuple[str, Begun]) -> Finished:
    name, done = item
    path, before = held.out_dir / name, held.project.text(name)
    applied: Counter[str] = Counter()
    notes, spots = list(done.notes), list(done.spots)
    if held.options.major <= _OLDER:
        drop_unused(path, name, held, applied)
    if (now := path.read_bytes()) != done.text:
        notes = follow(done.text, now, notes)
        kept = [spot for spot in follow(done.text, now, spots) if spot[0] in _OF_OLD_NAMES]
        # lines moved, and more may be seen now
        spots = _apply_ours(held, name, applied, notes)
        spots += [spot for spot in kept if spot[0] not in {code for code, _ in spots}]
    after = path.read_bytes()
    needed = providers_of(after, held.options.major) | connections_of(before, after)
    if held.options.major <= _OLDER:  # what the image of the source brings, that of the target may, too
        needed -= providers_of(before, held.options.major)
    return Finished(applied, notes, spots, diff(before, after, name), needed)


def _apply_ours(held: Held, name: str, applied: Counter[str], notes: list[tuple[str, Spot]]) -> list[tuple[str, Spot]]:
    path = held.out_dir / name
    data = path.read_bytes()
    words = data + held.project.passed_on.brought(name)
    if not any(word in words for word in _WORDS) and (b"jinja2" in data or not is_imported(held.project, name)):
        return []  # nothing of Airflow's, and nothing that its tasks run
    options = replace(held.options, file=name, project=held.project)
    before = held.project.text(name)
    if options.is_guessed:
        options = replace(options, source_version=version_of(before, options.source_version))
    done = rewrite(data, RULES, options)
    applied.update(done.rules)
    notes[:] = [*follow(data, done.text, notes), *done.notes]
    if data == before and (note := _on_1(data, done, options)):
        notes.append(("source-version", note))
    if done.text != data:
        path.write_bytes(done.text)
    return done.spots


def _on_1(data: bytes, done: Rewritten, options: Options) -> Spot | None:
    """Say what the rules would write more, if a file that looks like code of 1.10 ran there; the project was only guessed to be of 2.x."""
    if not options.is_guessed or not options.source_version.startswith("2.") or not is_of_1(data):
        return None
    other = rewrite(data, RULES, replace(options, source_version=NEWEST["1"]))
    more = other.rules - done.rules
    more.update(Counter(code for code, _ in other.spots) - Counter(code for code, _ in done.spots))
    if other.text == done.text and not more:
        return None
    rules = ", ".join(f"{code} ({count})" for code, count in sorted(more.items()))
    return Spot(
        1,
        f"It imports as code of Airflow 1.10 does, and was taken for Airflow {options.source_version}, as most files of the project look. On 1.10 more would be written: {rules or 'texts'}.",
        "If it ran on 1.10, upgrade it with --from 1.10.15. If not, name the source's version by --from or in requirements.txt.",
    )
