"""What stands in the code: removed names, ORM access, secrets, removed context."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aerodrome.airflowkit.lint import BREAKING_RULES
from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.estate.records import CodeFactRecord

_DEPRECATED = ("AIR311", "AIR312", "AIR321")


def _place(fact: CodeFactRecord) -> Place:
    file = f"{fact.part}/{fact.path}"
    return Place(f"file:{file}", fact.message, file, fact.line, fact.hint)


def _facts(*rules: str, is_fixable: bool | None = None) -> Callable[[Inventory], Iterator[Place]]:
    def find(inventory: Inventory) -> Iterator[Place]:
        for fact in inventory.code_facts:
            if fact.rule in rules and is_fixable in (None, fact.is_fixable):
                yield _place(fact)

    return find


def _for_major(find: Callable[[Inventory], Iterator[Place]]) -> Callable[[Inventory], Iterator[Place]]:
    """Ask only when the target has a newer major version."""

    def only(inventory: Inventory) -> Iterator[Place]:
        if inventory.is_major_upgrade:
            yield from find(inventory)

    return only


def _rewritten(inventory: Inventory) -> Iterator[Place]:
    """One finding per file: the upgrade does the work, a person reads the diff."""
    counts: dict[str, int] = {}
    for fact in inventory.code_facts:
        is_ruffs = fact.rule in (*BREAKING_RULES, *_DEPRECATED) and (fact.is_fixable or _ours(fact))
        if is_ruffs or fact.rule == "context-renamed":
            counts[f"{fact.part}/{fact.path}"] = counts.get(f"{fact.part}/{fact.path}", 0) + 1
    for file, count in sorted(counts.items()):
        places = "1 place uses" if count == 1 else f"{count} places use"
        yield Place(f"file:{file}", f"{places} names that Airflow 3 removed or moved.", file)


def _ours(fact: CodeFactRecord) -> bool:
    """Tell whether our own upgrade rules fix what ruff cannot."""
    return any(
        word in fact.message
        for word in ("days_ago", "provide_context", "default_view", "orientation", "execution_date", "next_ds")
    )


def _unfixable(inventory: Inventory) -> Iterator[Place]:
    for fact in inventory.code_facts:
        if fact.rule in BREAKING_RULES and not fact.is_fixable and not _ours(fact) and "sla" not in fact.message:
            yield _place(fact)


CHECKS = (
    Check(
        "code-syntax", "blocker", "A file is not Python 3",
        "Make it parse with Python 3, or leave it out.", _facts("syntax"), 2,
    ),
    Check(
        "code-left-out", "warning", "A link in the code leads to nothing",
        "Correct or remove it: what it should lead to is not moved.", _facts("left-out"), 0.25,
    ),
    Check(
        "code-removed", "blocker", "Code uses what Airflow 3 removed, and no rule rewrites it",
        "Rewrite it by hand before its DAG moves.", _for_major(_unfixable), 1,
    ),
    Check(
        "code-upgrade", "info", "Code that the upgrade rewrites",
        "Read the diff that `aerodrome migrate` shows.", _for_major(_rewritten), 0.1,
    ),
    Check(
        "orm-access", "blocker", "Code opens Airflow's metadata database",
        "Tasks of Airflow 3 may not reach it: use the REST API or the task context.", _for_major(_facts("orm-access")), 4,
    ),
    Check(
        "subdag", "blocker", "SubDagOperator", "Airflow 3 does not have it: use a TaskGroup.",
        _for_major(_facts("subdag")), 4,
    ),
    Check(
        "sla", "warning", "SLAs are ignored by Airflow 3",
        "Use a deadline alert, or an alert rule of the platform.", _for_major(_facts("sla")), 0.5,
    ),
    Check(
        "context-key", "warning", "Names that left the task context",
        "It has no exact equal: rewrite it by hand.", _for_major(_facts("context-key")), 0.25,
    ),
    Check(
        "plain-secret", "warning", "A secret stands in the code",
        "Move it into a connection or a secret environment variable, and change the value.", _facts("plain-secret"), 0.5,
    ),
    Check(
        "xcom-pull-all", "warning", "xcom_pull without task_ids",
        "Name the tasks; Airflow 3 reads only the task's own XComs otherwise.", _for_major(_facts("xcom-pull-all")), 0.25,
    ),
    Check(
        "old-interface", "warning", "Airflow's old CLI or REST API is called from code",
        "Use the target's CLI, or /api/v2 with a token.", _for_major(_facts("old-cli", "old-rest-api")), 1,
    ),
    Check(
        "plugin", "warning", "An Airflow plugin of your own",
        "Check it on the target; Flask views and operator lists are no longer taken.", _facts("plugin"), 2,
    ),
    Check(
        "custom-class", "info", "Operators, sensors and hooks of your own",
        "Run a DAG that uses it on the target before its wave.",
        _facts("custom-operator", "custom-sensor", "custom-hook", "custom-trigger"), 0.5,
    ),
    Check(
        "old-path", "warning", "Imports in the style of Airflow 1.10",
        "Import names one by one from their providers.", _for_major(_facts("contrib", "star-import", "trigger-callable")), 0.5,
    ),
    Check(
        "variable-at-parse", "info", "Variable.get at parse time",
        "Read it within a task: every parse of the file asks the database.", _facts("variable-at-parse"), 0.25,
    ),
)  # fmt: skip
