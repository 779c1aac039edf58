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
    Group,
    Origin,
)
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.model import Node, Workflow
from aerodrome.migration.convert.oozie.needs import Needs, Unsupported, Words
from aerodrome.migration.convert.oozie.profiles import Profile
from aerodrome.migration.convert.oozie.properties import Scope, configuration

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
    find_child: Callable[[Body, Words, Node], Body | None] = lambda *_: (
        None
    )  # that stands as a group in place of an action
    group: str = ""  # full id of the group that it becomes
    names_above: frozenset[str] = frozenset()  # of nodes of the workflows around it
    used_above: tuple[str, ...] = ()  # what the workflows around it use that hand their configuration down
    is_given: bool = True  # has the configuration of the run, which is not so in a group to which nothing is propagated
    children: list[Body] = field(default_factory=list)
    caveats_of_action: Mapping[str, str] = field(default_factory=dict)  # of that in whose place it stands
    handed_down: tuple[Mapping[str, str], tuple[str, ...]] = field(
        default_factory=lambda: ({}, ())
    )  # of <global> of its parent
    defaults: Mapping[str, str] = field(default_factory=dict)  # settings of Hadoop in its config-default.xml
    coordinator_name: str = ""
    zone: str = "UTC"
    ending: str = "Z"  # see `Words.ending`
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

    def common(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """Give the configuration and the job-xml files of <global>: those that its parent hands down, then its own."""
        root = self.workflow.root.first("global")
        settings, files = self.handed_down
        if root is None:
            return dict(settings), files
        own = configuration(root.first("configuration"))
        return {**settings, **own}, (*files, *(item.text.strip() for item in root.every("job-xml")))

    def task_id(self, name: str) -> str:
        """Give the full id of the task of a node."""
        return f"{self.group}.{name}" if self.group else name

    def groups(self) -> list[Group]:
        """Give the groups that stand in place of actions, outer ones first."""
        found = []
        for child in self.children:
            origin = Origin(child.workflow.file, "workflow-app", child.workflow.root.line)
            found += [Group(child.group, f"Workflow {child.app_name}.", origin), *child.groups()]
        return found


def raising_arguments(reason: str) -> tuple[tuple[str, Expression], ...]:
    """Give the arguments of a task that raises."""
    return (("python_callable", Code(NOT_CONVERTED.name)), ("op_kwargs", {"reason": flow_text(reason)}))


def flow_text(text: str) -> str:
    """Write a text so that Jinja leaves it alone."""
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", text)
