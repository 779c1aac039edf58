"""Predicates on order dates, as Python text of a DAG file: short where a rule is short, else the dates themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from textwrap import fill

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Function, Symbol
from aerodrome.migration.convert.controlm.dates.order_dates import Horizon
from aerodrome.migration.convert.controlm.dates.timetables import day_fields


@dataclass
class Gates:
    """The predicates of one DAG file; equal date sets share one."""

    horizon: Horizon
    test: Callable[[frozenset[date]], str | None] = lambda _: None  # of dates that no calendar bounds
    _names: dict[frozenset[date], str] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    is_listed: bool = False  # one of them lists dates, so it ends with the horizon

    def predicate(self, dates: frozenset[date]) -> str:
        """Give the name of a function of the file that says whether a date is one of these."""
        if dates not in self._names:
            self._names[dates] = name = f"is_ordered_{len(self._names) + 1}"
            self.functions.append(self._function(name, dates))
        return self._names[dates]

    def _function(self, name: str, dates: frozenset[date]) -> Function:
        fields = day_fields(dates, self.horizon)
        if fields is None and dates and (test := self.test(dates)) is not None:
            source = f'\ndef {name}(day):\n    """Say whether the job is ordered on a date, by its days and weekdays."""\n    return {test}\n'
            return Function(name, source, (symbols.TIMEDELTA,) if "timedelta" in test else ())
        if fields is None and dates:
            self.is_listed = True
            listed = fill(" ".join(day.isoformat() for day in sorted(dates)), 100)
            constant = name.upper()
            source = f'''
{constant} = frozenset(
    """
{listed}
""".split()
)


def {name}(day):
    """Say whether the job is ordered on a date: the days of its calendars, {min(dates)} to {max(dates)}."""
    if day.isoformat() > "{self.horizon.last}":
        raise AirflowFailException(f"The dates of the job are listed up to {self.horizon.last}, not {{day}}: convert again.")
    return day.isoformat() in {constant}
'''
            return Function(name, source, (symbols.FAIL,))
        if fields is None:
            return Function(
                name,
                f'\ndef {name}(day):\n    """Nothing orders the job: its criteria choose no date."""\n    return False\n',
            )
        tests: list[str] = []
        imports: tuple[Symbol, ...] = ()
        if fields.days == "L":
            tests.append("(day + timedelta(days=1)).day == 1")
            imports = (symbols.TIMEDELTA,)
        elif fields.days != "*":
            tests.append(f"day.day in {_set(fields.days)}")
        if fields.weekdays != "*":
            tests.append(f"day.isoweekday() % 7 in {_set(fields.weekdays)}")
        test = " or ".join(tests)
        if fields.months != "*":
            month = f"day.month in {_set(fields.months)}"
            test = f"{month} and ({test})" if len(tests) > 1 else f"{month} and {test}" if tests else month
        source = f'\ndef {name}(day):\n    """Say whether the job is ordered on a date (cron: {fields})."""\n    return {test or "True"}\n'
        return Function(name, source, imports)


def _set(field_text: str) -> str:
    values: list[int] = []
    for part in field_text.split(","):
        first, _, last = part.partition("-")
        values += range(int(first), int(last or first) + 1)
    return "{" + ", ".join(map(str, values)) + "}"
