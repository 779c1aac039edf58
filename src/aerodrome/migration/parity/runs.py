"""Compares one run of the source with its shadow in the target, thing by thing. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from aerodrome.migration.parity.contract import Aspect, Row, RunFacts, Side, TaskKey, label
from aerodrome.migration.parity.declarations import Declarations, Tolerance
from aerodrome.migration.parity.logs import error_patterns
from aerodrome.migration.parity.values import REASONS, Display, are_close, explain

_BOOKKEEPING = ("skipmixin_key", "trigger_run_id", "trigger_run_after", "trigger_logical_date_iso")
"""XComs that Airflow writes for itself; they hold ids of runs."""


def compare_runs(
    dag_id: str,
    source: RunFacts,
    target: RunFacts,
    left: Side,
    right: Side,
    display: Display,
    declared: Declarations,
) -> list[Row]:
    """Give every compared thing, in a stable order: state, tries and duration per task, then XComs, templates and logs.

    What the declarations explain is `explained` with their reason.
    """
    rows = [_run(source, target)]
    for key in sorted(source.tasks.keys() | target.tasks.keys()):
        tolerance = declared.tolerance(dag_id, key[0])
        rows += _task(key, source.tasks.get(key), target.tasks.get(key), tolerance)
    rows += _xcoms(source, target, left, right, display, lambda task: declared.tolerance(dag_id, task).numbers)
    rows += _rendered(source, target, left, right, display)
    rows += _logs(source, target, display)
    rows += [
        Row(
            "run",
            "",
            "",
            "not-compared",
            sentence if side == "source" else "",
            sentence if side == "target" else "",
            "unread",
            sentence,
        )
        for side, facts in (("source", source), ("target", target))
        for sentence in facts.unread
    ]
    return [_declared(dag_id, row, declared) for row in rows]


def _declared(dag_id: str, row: Row, declared: Declarations) -> Row:
    if row.outcome != "different":
        return row
    reason = declared.reason(dag_id, row.aspect, row.subject, row.field)
    return row if reason is None else replace(row, outcome="explained", code="declared", message=reason)


def _run(source: RunFacts, target: RunFacts) -> Row:
    one, other = str(source.run["state"]), str(target.run["state"])
    is_same = one == other
    return Row(
        "state", "", "", "equal" if is_same else "different", one, other,
        "" if is_same else "run-state", "" if is_same else f"The run ended {other}, the source's {one}.",
    )  # fmt: skip


def _task(
    key: TaskKey, source: Mapping[str, Any] | None, target: Mapping[str, Any] | None, tolerance: Tolerance
) -> Iterator[Row]:
    name = label(key)
    if source is None or target is None:
        one, other = (str(side["state"]) if side else "–" for side in (source, target))
        where = "source" if source is None else "target"
        yield Row(
            "state", name, "", "different", one, other, "task-missing", f"The {where}'s run has no such task instance."
        )
        return
    one, other = str(source["state"]), str(target["state"])
    if one == other:
        yield Row("state", name, "", "equal", one, other)
    else:
        yield Row("state", name, "", "different", one, other, "task-state", f"It ended {other}, in the source {one}.")
    yield _tries(name, source, target)
    yield from _duration(name, source, target, tolerance)


def _tries(name: str, source: Mapping[str, Any], target: Mapping[str, Any]) -> Row:
    one, other = int(source["try_number"] or 0), int(target["try_number"] or 0)
    texts = (str(one), str(other))
    if one == other:
        return Row("tries", name, "", "equal", *texts)
    if other < one:
        return Row("tries", name, "", "explained", *texts, "fewer-tries", "It took fewer tries here.")
    return Row("tries", name, "", "different", *texts, "more-tries", "It took more tries here; its log says why.")


def _duration(name: str, source: Mapping[str, Any], target: Mapping[str, Any], tolerance: Tolerance) -> Iterator[Row]:
    one, other = source["duration"], target["duration"]
    if one is None or other is None:
        return
    limit = max(float(one) * tolerance.factor, float(one) + tolerance.seconds)
    texts = (f"{float(one):.1f} s", f"{float(other):.1f} s")
    if float(other) <= limit:
        yield Row("duration", name, "", "equal", *texts)
    else:
        yield Row("duration", name, "", "different", *texts, "slower", f"Slower than the tolerance of {limit:.1f} s.")


def _xcoms(
    source: RunFacts, target: RunFacts, left: Side, right: Side, display: Display, share: Callable[[str], float]
) -> Iterator[Row]:
    if source.xcoms is None or target.xcoms is None:
        return
    for key in sorted(source.xcoms.keys() | target.xcoms.keys()):
        name, field = label(key[:2]), key[2]
        one, other = source.xcoms.get(key), target.xcoms.get(key)
        row = _pair(
            "xcom", name, field, key in source.xcoms, key in target.xcoms, one, other, left, right, display, _missing_xcom,
        )  # fmt: skip
        if row.code == "value" and (most := share(key[0])) and are_close(one, other, most):
            message = f"Its numbers differ by no more than {most:.2%}."
            row = replace(row, outcome="explained", code="within-tolerance", message=message)
        yield row


def _missing_xcom(field: str, is_source: bool) -> tuple[str, str]:
    if field in _BOOKKEEPING:
        return "bookkeeping", "Airflow writes it for itself, in some versions only."
    return "", f"Only the {'target' if is_source else 'source'} has this XCom."


def _rendered(source: RunFacts, target: RunFacts, left: Side, right: Side, display: Display) -> Iterator[Row]:
    if source.rendered is None or target.rendered is None:
        return
    for key in sorted(source.tasks.keys() & target.tasks.keys()):
        one, other = source.rendered.get(key), target.rendered.get(key)
        if one is None and other is None:
            continue
        if one is None or other is None:
            where = "source" if one is None else "target"
            message = f"The {where} keeps no rendered templates of it; Airflow keeps those of the newest runs only."
            yield Row("rendered", label(key), "", "not-compared", "–", "–", "not-kept", message)
            continue
        for field in sorted(one.keys() | other.keys()):
            yield _pair(
                "rendered", label(key), field, field in one, field in other, _text(one.get(field)), _text(other.get(field)),
                left, right, display, _missing_field,
            )  # fmt: skip


def _missing_field(field: str, is_source: bool) -> tuple[str, str]:  # noqa: ARG001
    where = "target" if is_source else "source"
    return "template-field", f"Only the {where}'s version of the operator renders this field."


def _pair(
    aspect: Aspect, name: str, field: str, has_source: bool, has_target: bool, one: str | None, other: str | None,
    left: Side, right: Side, display: Display, missing: Callable[[str, bool], tuple[str, str]],
) -> Row:  # fmt: skip
    shown = (display.show(field, one) if has_source else "–", display.show(field, other) if has_target else "–")
    if has_source != has_target:
        code, message = missing(field, not has_source)
        return Row(aspect, name, field, "explained" if code else "different", *shown, code or "missing", message)
    reason = explain(one, other, left, right)
    if reason == "":
        return Row(aspect, name, field, "equal", *shown)
    if reason is None and field in _BOOKKEEPING:
        return Row(aspect, name, field, "explained", *shown, "bookkeeping", "Airflow writes it for itself.")
    if reason is None:
        return Row(aspect, name, field, "different", *shown, "value", "The values differ.")
    return Row(aspect, name, field, "explained", *shown, reason, REASONS[reason])


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _logs(source: RunFacts, target: RunFacts, display: Display) -> Iterator[Row]:
    if source.logs is None or target.logs is None:
        return
    for key in sorted(source.logs.keys() & target.logs.keys()):
        before, after = error_patterns(source.logs[key]), error_patterns(target.logs[key])
        shown = tuple(display.text(_listed(side)) for side in (before, after))
        new = [found for found in after if found not in before]
        if new:
            message = f"New in the target: {display.text(new[0])}"
            yield Row("logs", label(key), "", "different", shown[0], shown[1], "new-errors", message)
        elif len(before) != len(after):
            yield Row(
                "logs", label(key), "", "explained", shown[0], shown[1], "fewer-errors", "The target complains less."
            )
        else:
            yield Row("logs", label(key), "", "equal", shown[0], shown[1])


def _listed(patterns: Iterable[str]) -> str:
    return " | ".join(patterns) or "no errors"
