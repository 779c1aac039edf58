"""A coordinator while it is read: what is known of it so far, and what stands before its workflow."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Account,
    Code,
    Function,
    Origin,
    Outcome,
    Question,
    Task,
)
from aerodrome.migration.convert.oozie.body import NOT_CONVERTED, raising_arguments
from aerodrome.migration.convert.oozie.estate import Application
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.properties import Scope
from aerodrome.migration.convert.xmlreading import Element


@dataclass
class Plan:
    """A coordinator while it is read."""

    item: Application
    scope: Scope
    ending: str = "Z"  # see `Words.ending`
    accounts: list[Account] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    events: dict[str, str] = field(default_factory=dict)  # see `Words.events`
    taken: set[str] = field(default_factory=set)  # names of functions and of tasks that wait
    macros: dict[str, Code] = field(default_factory=dict)
    before: list[Task] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def origin(self, path: str, element: Element | None = None) -> Origin:
        return Origin(self.item.file, f"coordinator-app/{path}", (element or self.item.root).line)

    def note(
        self,
        element: str,
        outcome: Outcome,
        code: str = "",
        reason: str = "",
        name: str = "",
        at: Element | None = None,
    ) -> None:
        self.accounts.append(Account(f"coordinator/{element}", outcome, self.origin(element, at), code, reason, name))

    def fail(self, element: str, error: Unsupported, name: str, at: Element | None = None) -> None:
        """Put a task that raises before the workflow."""
        self.note(element, "raises", error.code, error.reason, name, at)
        self.functions[NOT_CONVERTED.name] = NOT_CONVERTED
        task_id = re.sub(r"[^\w.-]+", "_", f"{element}_{name}".strip("_"))
        self.before.append(
            Task(
                task_id,
                symbols.PYTHON,
                raising_arguments(f"{element} {name}: {error.reason}"),
                role="raises",
                origin=self.origin(element, at),
            )
        )
