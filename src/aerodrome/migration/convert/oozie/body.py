"""A workflow that becomes a DAG or a part of one, and what stands in for what cannot be converted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Account,
    Code,
    Expression,
    Function,
)
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.model import Node, Workflow
from aerodrome.migration.convert.oozie.needs import Needs, Unsupported
from aerodrome.migration.convert.oozie.profiles import Profile
from aerodrome.migration.convert.oozie.properties import Scope

NOT_CONVERTED: Final = Function(
    "not_converted",
    '''
def not_converted(reason, **_):
    """Stand for something that could not be converted: fail, and say why."""
    raise AirflowFailException(reason)
''',
    (symbols.FAIL,),
)


@dataclass
class Body:
    """A workflow that becomes (a part of) a DAG: where its values come from and what is around it."""

    workflow: Workflow
    scope: Scope
    app_name: str
    profile: Profile
    read_job_xml: Callable[[str], Mapping[str, str] | None]
    start_child: Callable[[Body, Compiler, Node], tuple[tuple[tuple[str, Expression], ...], dict[str, str]]]
    zone: str = "UTC"
    events: Mapping[str, str] = field(default_factory=dict)
    outlets: tuple[Expression, ...] = ()  # made when the run ends well
    event_macros: dict[str, Code] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)
    accounts: list[Account] = field(default_factory=list)

    def account(self, element: str, node: Node, caveats: Mapping[str, str], failure: Unsupported | None = None) -> None:
        """Write down what became of a node; each caveat counts once more."""
        if failure is not None:
            self.accounts.append(Account(element, "raises", node.origin, failure.code, failure.reason, node.name))
        elif caveats:
            codes, reasons = ",".join(caveats), "; ".join(caveats.values())
            self.accounts.append(Account(element, "caveat", node.origin, codes, reasons, node.name))
        else:
            self.accounts.append(Account(element, "converted", node.origin, name=node.name))


def raising_arguments(reason: str) -> tuple[tuple[str, Expression], ...]:
    """Give the arguments of a task that raises."""
    return (("python_callable", Code(NOT_CONVERTED.name)), ("op_kwargs", {"reason": flow_text(reason)}))


def flow_text(text: str) -> str:
    """Write a text so that Jinja leaves it alone."""
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", text)
