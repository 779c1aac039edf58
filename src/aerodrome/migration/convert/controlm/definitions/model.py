"""What a Control-M export says, understood: folders, jobs, conditions, rules, calendars. Frozen, and free of Airflow.

Dates are dates of the Control-M day (ODATE); times are minutes after midnight. The words are Control-M's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Literal

from aerodrome.migration.convert.contract import Account, Origin, Rejected

Shift = Literal["ignore", "next", "prior", "none"]
CyclicStart = Literal["start", "end", "target"]
ALL_MONTHS = frozenset(range(1, 13))


@dataclass(frozen=True)
class Rule:
    """Scheduling criteria: of a job, of a folder, or a rule-based calendar (then it has a name)."""

    name: str = ""
    days: str = ""  # "ALL", "1,15,L1", "D2,-D1", ">5"; "" when not given
    weekdays: str = ""  # "ALL", "1,2,3": 0 is the last day of the week of the site; "=1": Monday, "=0": Sunday
    is_and: bool = False  # both days and weekdays, instead of either
    months: frozenset[int] = ALL_MONTHS
    dates: tuple[tuple[int, int], ...] = ()  # (month, day)
    days_calendar: str = ""
    weeks_calendar: str = ""
    confirm_calendar: str = ""
    shift: Shift = "ignore"
    shift_days: int = 0
    active_from: date | None = None
    active_till: date | None = None
    is_retroactive: bool = False
    is_never: bool = False  # it says that nothing orders it: NONE, Schedule Never

    @property
    def has_criteria(self) -> bool:
        """Say whether it can ever choose a day: without days, weekdays, dates and calendars it never does."""
        return bool(self.days or self.weekdays or self.dates or self.days_calendar or self.weeks_calendar)

    @property
    def counts_week(self) -> bool:
        """Say whether its dates depend on the day with which the site's week begins."""
        words = set(self.weekdays.split(",")) - {"", "ALL"}
        return any(not word.startswith("=") for word in words) and not words >= set("0123456")

    @property
    def calendars(self) -> tuple[str, ...]:
        return tuple(name for name in (self.days_calendar, self.weeks_calendar, self.confirm_calendar) if name)


@dataclass(frozen=True)
class Calendar:
    """A named calendar of the export: the days that it marks. `first` and `last` bound what it says anything about."""

    name: str
    dates: frozenset[date]
    first: date
    last: date


@dataclass(frozen=True)
class Wait:
    """One in-condition in its list: `joins` says how it is tied to the one before it."""

    name: str
    odate: str = "ODAT"
    joins: Literal["A", "O"] = "A"
    opens: int = 0
    closes: int = 0
    line: int = 0


@dataclass(frozen=True)
class Out:
    """One out-condition: added (+) or deleted (-) when the job has ended OK."""

    name: str
    odate: str = "ODAT"
    sign: Literal["+", "-"] = "+"
    line: int = 0
    is_alias: bool = False  # another name for the condition of a flow, which the source does not say


@dataclass(frozen=True)
class Action:
    """One DO of an ON block, in one word: ok, notok, rerun, stop-cyclic, cond, force, mail, shout, variable, other."""

    kind: str
    values: Mapping[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True)
class Reaction:
    """An ON block: which statement and code it listens to, and what it does."""

    statement: str
    code: str
    actions: tuple[Action, ...]
    line: int = 0


@dataclass(frozen=True)
class Shout:
    when: str  # OK, NOTOK, RERUN, LATESUB, LATETIME, EXECTIME
    time: str
    destination: str
    message: str
    urgency: str = "R"
    line: int = 0


@dataclass(frozen=True)
class Resource:
    name: str
    quantity: int = 1
    kind: Literal["quantitative", "exclusive", "shared"] = "quantitative"
    line: int = 0
    is_kept: bool = False  # after a failure, until somebody frees it; or used up by an end OK


@dataclass(frozen=True)
class Cyclic:
    """How a cyclic job repeats: every interval, after a sequence of intervals, or at times of the day."""

    kind: Literal["interval", "sequence", "times"]
    minutes: tuple[int, ...]  # one interval, several, or minutes after midnight
    counted_from: CyclicStart = "start"
    max_runs: int = 0
    is_whole: bool = True  # its intervals are whole minutes


@dataclass(frozen=True)
class Variable:
    name: str  # without %%
    value: str
    line: int = 0


@dataclass(frozen=True)
class Node:
    """What folders, sub-folders and jobs have in common."""

    name: str
    path: tuple[str, ...]  # names from the folder down to it, itself included
    rule: Rule = Rule()
    rule_names: tuple[str, ...] = ()  # rule-based calendars that it follows; "*": all of its folder; "!X": not on X
    rules_join: Literal["and", "or"] = "or"
    waits: tuple[Wait, ...] = ()
    outs: tuple[Out, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    shouts: tuple[Shout, ...] = ()
    resources: tuple[Resource, ...] = ()
    variables: tuple[Variable, ...] = ()
    time_from: int | None = None
    time_to: int | None = None
    has_open_end: bool = False  # TIMETO=">": may still start after the new day
    timezone: str = ""
    max_wait: int | None = None
    must_confirm: bool = False
    priority: str = ""
    is_critical: bool = False
    application: str = ""
    sub_application: str = ""
    description: str = ""
    origin: Origin = field(default_factory=lambda: Origin(""))


@dataclass(frozen=True)
class Job(Node):
    kind: str = "command"  # see kinds.py
    type_name: str = ""  # as the source says it: "OS/Command", "Job:Database:SQLScript"
    details: Mapping[str, str] = field(default_factory=dict)  # of its kind: command, script, profile, ...
    host: str = ""
    run_as: str = ""
    cyclic: Cyclic | None = None
    max_reruns: int = 0
    rerun_minutes: int = 0


@dataclass(frozen=True)
class Folder(Node):
    """A folder or a sub-folder, with its jobs and sub-folders in their order."""

    members: tuple[Job | Folder, ...] = ()
    rules: tuple[Rule, ...] = ()  # its rule-based calendars
    is_smart: bool = True
    order_method: str | None = None  # SYSTEM, "" (by hand), the name of a user daily, None: the source does not say
    server: str = ""
    is_adjusting: bool = False  # ADJUST_COND: conditions of jobs that are not ordered on a date count as met
    accounts: tuple[Account, ...] = ()
    cyclic: Cyclic | None = None  # of a whole folder; those of sub-folders are on the account

    def jobs(self) -> Iterator[Job]:
        """Give every job below it, in the order of the source."""
        for member in self.members:
            if isinstance(member, Folder):
                yield from member.jobs()
            else:
                yield member

    @cached_property
    def _by_path(self) -> dict[tuple[str, ...], Folder]:
        return {folder.path: folder for folder in self.folders()}

    def around(self, path: tuple[str, ...]) -> list[Folder]:
        """Give the sub-folders that hold a job or are one, from outside to inside."""
        known = self._by_path
        return [known[path[:end]] for end in range(1, len(path) + 1) if path[:end] in known]

    def folders(self) -> Iterator[Folder]:
        """Give every sub-folder below it, outer ones first."""
        for member in self.members:
            if isinstance(member, Folder):
                yield member
                yield from member.folders()


@dataclass(frozen=True)
class Profile:
    """A connection profile of the Automation API: what is needed to create the connection, never a secret."""

    name: str
    type_name: str
    host: str = ""
    port: int | None = None
    login: str = ""
    database: str = ""


@dataclass(frozen=True)
class Export:
    """All files that were read together."""

    folders: tuple[Folder, ...] = ()
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)  # rule-based calendars that belong to no folder
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    pools: Mapping[str, int] = field(
        default_factory=dict
    )  # maximum of quantitative resources, where the export says it
    rejected: tuple[Rejected, ...] = ()
    others: tuple[str, ...] = ()  # files that hold no definition
    accounts: tuple[Account, ...] = ()
    files: int = 0
