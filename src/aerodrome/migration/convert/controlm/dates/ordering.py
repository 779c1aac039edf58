"""When a folder and each of its jobs are ordered: the criteria of the job, of its sub-folders and of its folder together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from aerodrome.migration.convert.controlm.dates.order_dates import Almanac, Unknown
from aerodrome.migration.convert.controlm.definitions.model import Folder, Job, Node, Rule


@dataclass(frozen=True)
class Ordered:
    """The dates of one job or folder. `reason` says why there are none, or why nobody knows them (`is_known` False)."""

    dates: frozenset[date] = frozenset()
    is_known: bool = True
    code: str = ""
    reason: str = ""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class FolderOrder:
    """The dates of every job of a folder by its path; `dates` is their union."""

    jobs: Mapping[tuple[str, ...], Ordered] = field(default_factory=dict)
    dates: frozenset[date] = frozenset()
    unknown: tuple[tuple[tuple[str, ...], Ordered], ...] = ()

    @property
    def is_known(self) -> bool:
        return not self.unknown


def order_folder(
    folder: Folder, almanac: Almanac, shared: Mapping[str, Rule], *, is_by_hand: bool = False
) -> FolderOrder:
    """Say when every job of a folder is ordered. Jobs whose dates nobody knows stand in `unknown`.

    Whoever orders a folder by hand says its date; where it has no criteria of its own, those of its jobs still choose.
    """
    found: dict[tuple[str, ...], Ordered] = {}
    whole = _of_folder(folder, almanac, dict(shared))
    _walk(
        folder,
        whole if folder.is_smart and not (is_by_hand and whole.code == "no-criteria") else None,
        almanac,
        {**shared, **{rule.name: rule for rule in folder.rules}},
        found,
    )
    dates = almanac.one(frozenset[date]().union(*{id(item.dates): item.dates for item in found.values()}.values()))
    unknown = tuple((path, item) for path, item in found.items() if not item.is_known)
    return FolderOrder(found, dates, unknown)


def _walk(
    folder: Folder,
    whole: Ordered | None,
    almanac: Almanac,
    rules: Mapping[str, Rule],
    found: dict[tuple[str, ...], Ordered],
) -> None:
    known: dict[tuple[Rule, tuple[str, ...], str], Ordered] = {}
    for member in folder.members:
        if isinstance(member, Folder):
            own = {**rules, **{rule.name: rule for rule in member.rules}}
            inner = _of_node(member, whole, almanac, own, folder.rules)
            _walk(member, inner, almanac, own, found)
        else:
            key = (member.rule, member.rule_names, member.rules_join)
            if key not in known:
                known[key] = _of_node(member, whole, almanac, rules, folder.rules)
            found[member.path] = known[key]


def _of_folder(folder: Folder, almanac: Almanac, rules: dict[str, Rule]) -> Ordered:
    rules |= {rule.name: rule for rule in folder.rules}
    left_out = [name[1:] for name in folder.rule_names if name.startswith("!")]
    names = [name for name in folder.rule_names if not name.startswith("!")]
    is_naming = (
        folder.origin.file.endswith(".json") and folder.rule.has_criteria
    )  # what it does not name is for its jobs
    if folder.rules and not names and not is_naming:
        names = [rule.name for rule in folder.rules if rule.name not in left_out]
    chosen = [rules[name] for name in names if name in rules]
    missing = [name for name in (*names, *left_out) if name not in rules and name != "*"]
    if missing:
        return _unknown("calendar-missing", f"The rule-based calendar {missing[0]} is not in the export.")
    if folder.rule.is_never or (not chosen and not folder.rule.has_criteria):
        return Ordered(frozenset(), True, "no-criteria", "The folder has no scheduling criteria: somebody orders it.")
    return _chosen(folder, chosen, [rules[name] for name in left_out], almanac)


def _chosen(folder: Folder, included: list[Rule], excluded: list[Rule], almanac: Almanac) -> Ordered:
    """Give the dates of rule-based calendars and of a folder's own criteria, joined as it says, without those of calendars that it excludes."""
    own = [folder.rule] if folder.rule.has_criteria else []
    try:
        parts = [
            frozenset[date]().union(*(almanac.dates(rule) for rule in rules)) for rules in (included, own) if rules
        ]
        dates = parts[0].intersection(*parts) if folder.rules_join == "and" else parts[0].union(*parts)
        dates = dates.difference(*(almanac.dates(rule) for rule in excluded))
    except Unknown as why:
        return _unknown(why.code, str(why))
    reason = "" if dates else "Its criteria choose no date."
    return Ordered(almanac.one(dates), True, "" if dates else "never-ordered", reason, (*included, *own, *excluded))


def _of_node(
    node: Job | Folder, whole: Ordered | None, almanac: Almanac, rules: Mapping[str, Rule], around: tuple[Rule, ...]
) -> Ordered:
    included, excluded = _named(node, rules, around if whole is None else ())
    missing = [name for name in node.rule_names if name.lstrip("!") not in rules and name not in ("*", "USE PARENT")]
    if missing:
        return _unknown("calendar-missing", f"The rule-based calendar {missing[0].lstrip('!')} is not in the export.")
    follows_folder = whole is not None and ("*" in node.rule_names or "USE PARENT" in node.rule_names)
    has_own = node.rule.has_criteria
    if whole is None and not has_own and not included:
        return Ordered(frozenset(), True, "no-criteria", "The job has no scheduling criteria: somebody orders it.")
    if not node.rule.months and not included and not follows_folder:
        return Ordered(frozenset(), True, "never-ordered", "None of the months is one of its own: nothing orders it.")
    if node.rule.is_never:
        text = "It says that nothing orders it (days NONE, or Schedule Never): somebody orders it."
        return Ordered(frozenset(), True, "no-criteria", text)
    if whole is not None and not whole.is_known:
        return whole
    try:
        parts: list[frozenset[date]] = []
        used: list[Rule] = []
        if included or (follows_folder and whole is not None):
            outer = whole.dates if follows_folder and whole is not None else frozenset[date]()
            parts.append(outer.union(*(almanac.dates(rule) for rule in included)))
            used += included
        if has_own:
            parts.append(almanac.dates(node.rule))
            used.append(node.rule)
        if not parts and whole is not None:
            parts.append(whole.dates)
        chosen = parts[0]
        for part in parts[1:]:
            chosen = chosen & part if node.rules_join == "and" else chosen | part
        for rule in excluded:
            chosen -= almanac.dates(rule)
            used.append(rule)
        if whole is not None:
            chosen &= whole.dates
            used += whole.rules
    except Unknown as why:
        return _unknown(why.code, str(why))
    reason = "" if chosen else "Its criteria choose no date."
    return Ordered(almanac.one(chosen), True, "" if chosen else "never-ordered", reason, tuple(used))


def _named(node: Node, rules: Mapping[str, Rule], around: tuple[Rule, ...]) -> tuple[list[Rule], list[Rule]]:
    included = [rules[name] for name in node.rule_names if name in rules]
    excluded = [rules[name[1:]] for name in node.rule_names if name.startswith("!") and name[1:] in rules]
    if "*" in node.rule_names and not included:
        included = [rule for rule in around if rule.name]
    return included, excluded


def _unknown(code: str, reason: str) -> Ordered:
    return Ordered(frozenset(), False, code, reason)
