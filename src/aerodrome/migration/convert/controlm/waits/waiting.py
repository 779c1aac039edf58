"""What nodes wait for and what they add: in-conditions as upstream tasks and sensors, and conditions that are kept as variables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Expression, Function, Rule, Symbol
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.definitions.model import Folder, Job, Node, Wait
from aerodrome.migration.convert.controlm.draft import Draft, at
from aerodrome.migration.convert.controlm.names import sanitize
from aerodrome.migration.convert.controlm.waits.conditions import Producer, event_of, tree_of
from aerodrome.migration.convert.controlm.waits.linking import Link, dated
from aerodrome.migration.convert.controlm.waits.upstream import Upstream, upstream_of
from aerodrome.migration.convert.controlm.world import Plan


class Waiting:
    """Makes what stands before nodes in a draft. `end_of` gives the task of this DAG that ends when a producer has added its condition."""

    def __init__(self, draft: Draft, end_of: Callable[[Producer], str]) -> None:
        self.draft, self.end_of = draft, end_of

    def upstream(self, node: Node, also: tuple[str, ...], group: str, predicate: str | None) -> Upstream:
        count = 0

        def gate(ids: tuple[str, ...], rule: Rule) -> str:
            nonlocal count
            count += 1
            name = self.draft.free(f"{sanitize(node.name)}_{'any' if rule == 'one_success' else 'all'}_{count}", group)
            self.draft.task(name, symbols.EMPTY, (), role="control", rule=rule, before=ids, origin=node.origin)
            return name

        def leaf(wait: Wait) -> tuple[str, ...]:
            return tuple(self.link(node, wait, link, group, predicate) for link in self._ways(node, wait))

        if self.draft.alone is not None:
            is_waiting = all(self._ways(node, wait) for wait in node.waits)
            return upstream_of(tree_of(node.waits) if is_waiting else None, leaf, gate, also)
        found = upstream_of(tree_of(node.waits), leaf, gate, also)
        self._tell_left_waits(node)
        is_adjusting = self.draft.plan.folder.is_adjusting and bool(node.waits) and found.rule == "all_success"
        if is_adjusting and any(
            link.producer is not None and link.producer.event == "notok"
            for wait in node.waits
            for link in self.draft.world.links.of(self.draft.plan.number, node, wait)
        ):
            text = "ADJUST_COND does not count for it, for it waits for a job to end NOTOK: where that job is not ordered, it is skipped."
            self.draft.account("INCOND", "caveat", node.origin, "conditions-adjusted", text, node.name)
            return found
        if self.draft.plan.folder.is_adjusting and node.waits and not is_adjusting:
            text = "ADJUST_COND does not count for it, for one of several jobs must have added its condition: where none of them is ordered, it is skipped."
            self.draft.account("INCOND", "caveat", node.origin, "conditions-adjusted", text, node.name)
        if is_adjusting:
            text = "ADJUST_COND: conditions of jobs that are not ordered on a date count as met; so do those of jobs whose window has passed. A wait for a variable or a run that ends without it fails."
            self.draft.account("INCOND", "caveat", node.origin, "conditions-adjusted", text, node.name)
            return Upstream(found.ids, "none_failed")
        return found

    def _tell_left_waits(self, node: Node) -> None:
        """Say that the waits for what is not needed any more keep the run open: tasks cannot call each other off."""
        ways = [link for wait in node.waits for link in self._ways(node, wait)]
        outside = [link for link in ways if link.kind in ("stored", "sensor")]
        if any(wait.joins == "O" for wait in node.waits[1:]) and outside and len(ways) > 1:
            text = f"It starts with the first of its conditions that is enough; the run stays open until its waits for the others have ended, at the latest after {(node.max_wait or 0) + 1} days (MAXWAIT and one)."
            self.draft.account("INCOND", "caveat", node.origin, "condition-either", text, node.name)

    def started(self, folder: Folder, group: str, predicate: str | None) -> str:
        """Wait for the start of a folder that the DAG of the folder tells, for a cyclic job in it."""
        name = self.draft.plan.starts[folder.path]
        return self.link(folder, Wait(name), Link("stored", name=name), group, predicate)

    def _ways(self, node: Node, wait: Wait) -> tuple[Link, ...]:
        """Give the ways to meet a condition; none where whoever orders the job alone has added it."""
        links, number, alone = self.draft.world.links, self.draft.plan.number, self.draft.alone
        if alone is not None:
            return links.alone.get((number, node.path), {}).get((wait.name, wait.odate), ())
        return links.of(number, node, wait)

    def link(self, node: Node, wait: Wait, link: Link, group: str, predicate: str | None) -> str:
        base = f"{sanitize(node.name)}_waits_{sanitize(wait.name)}"[:240]
        if link.kind == "edge" and link.producer is not None:
            return self.end_of(link.producer)
        if link.kind == "never":
            self.draft.need(snippets.RAISE)
            reason = f"The in-condition {wait.name} with the date {wait.odate} is not converted."
            if link.why == "condition-folder-notok":
                reason = f"The in-condition {wait.name} is added when a whole folder has ended NOTOK, which is not converted."
            self.draft.account("INCOND", "raises", at(node, wait.line), link.why, reason, node.name)
            name = self.draft.free(base, group)
            self.draft.task(
                name,
                symbols.PYTHON,
                (
                    ("python_callable", Code("not_converted")),
                    ("op_args", [reason]),
                    *((("pre_execute", Code(guard)),) if (guard := self.draft.guard(predicate)) else ()),
                ),
                role="raises",
                origin=node.origin,
            )
            return name
        limit = timedelta(days=(node.max_wait or 0) + 1)
        options: list[tuple[str, Expression]] = [
            ("mode", "reschedule"),
            ("poke_interval", 60),
            ("timeout", limit),
            ("soft_fail", not self.draft.plan.folder.is_adjusting),
        ]
        if guard := self.draft.guard(predicate):
            options.append(("pre_execute", Code(guard)))
        if link.kind == "sensor" and link.producer is not None:
            return self._run_sensor(node, link, base, group, options, predicate)
        self.draft.need_conditions()
        self.draft.need(snippets.IS_ADDED)
        days: Expression = Code(self.before(node)) if link.is_previous else link.days
        given: dict[str, Expression] = {"name": wait.name, "days": days}
        name = self.draft.free(base, group)
        arguments: list[tuple[str, Expression]] = [
            ("python_callable", Code("is_added")),
            ("op_kwargs", given),
            *options,
        ]
        self.draft.task(name, symbols.PYTHON_SENSOR, tuple(arguments), is_waiting=True, origin=node.origin)
        return name

    def _run_sensor(
        self,
        node: Node,
        link: Link,
        base: str,
        group: str,
        options: list[tuple[str, Expression]],
        predicate: str | None,
    ) -> str:
        assert link.producer is not None  # noqa: S101
        source = self.draft.world.plans[link.producer.folder]
        task_id = self.draft.world.task_ids[link.producer.folder, link.producer.path]
        arguments: list[tuple[str, Expression]] = [("external_dag_id", source.dag_id), ("external_task_id", task_id)]
        is_at_another_time = source.tick != self.draft.tick or self.draft.is_apart or self.draft.plan.is_forced
        is_at_another_time = is_at_another_time or self.draft.plan.repeats
        if link.is_previous or link.days or is_at_another_time:
            arguments.append(("execution_date_fn", Code(self._run_of(source, link, predicate, node))))
        name = self.draft.free(f"{base}_{sanitize(link.producer.path[-1])}"[:240], group)
        self.draft.task(name, symbols.EXTERNAL_SENSOR, (*arguments, *options), is_waiting=True, origin=node.origin)
        return name

    def _run_of(self, source: Plan, link: Link, predicate: str | None, node: Node) -> str:
        """Give the function that finds the run of another DAG for the same (or an earlier) order date."""
        self.draft.need_dates()
        name = f"run_of_{sanitize(source.dag_id).replace('-', '_').lower()}"
        step, about = "", "the same order date"
        imports: tuple[Symbol, ...] = ()
        if link.is_previous:
            ordered = self.draft.plan.ordered(node).dates if isinstance(node, Job) else self.draft.plan.dates
            test = self.draft.gates.predicate(ordered) if ordered else predicate or "bool"
            name, about, imports = f"{name}_before_{test}", "the order date before this one", (symbols.DATETIME,)
            self.draft.need_earlier()
            step = f"    day = earlier(day, {test}) or datetime(1970, 1, 2).date()  # of that date there is no run\n"
        elif link.days:
            name, about, imports = (
                f"{name}_{'plus' if link.days > 0 else 'minus'}_{abs(link.days)}",
                f"the order date {link.days:+} days",
                (symbols.TIMEDELTA,),
            )
            step = f"    day += timedelta(days={link.days})\n"
        source_text = f'\ndef {name}(logical_date, dag_run, **_):\n    """Give the run of {source.dag_id} for {about}."""\n    day = odate(dag_run)\n{step}    return at_time(day, {source.tick})\n'
        self.draft.need(Function(name, source_text, imports))
        return name

    def before(self, node: Node) -> str:
        """Give the function that finds the order date of a node before that of the run; conditions are then named by its date."""
        self.draft.need_dates()
        test = self.draft.gates.predicate(self.draft.plan.dates_of(node))
        name = f"date_before_{test}"
        source = f'''
def {name}(dag_run):
    """Give the order date before that of the run; None on the first one."""
    return earlier(odate(dag_run), {test})
'''
        self.draft.need_earlier()
        self.draft.need(Function(name, source))
        self.draft.built.functions["condition_key"] = snippets.CONDITION_KEY_OF_DATES
        return name

    def changes(self, node: Node) -> list[tuple[str, Expression, bool, str]]:
        """Give the stored conditions that a node changes: (name, days, is added, event)."""
        return [
            (name, Code(self.before(node)) if days == "before" else days, is_added, event)
            for name, days, is_added, event in self._changed(node)
            if days != "unknown"
        ]

    def undated(self, node: Node) -> list[tuple[str, bool, str]]:
        """Give the stored conditions that a node changes for a date that cannot be said: (name, is added, event)."""
        return [(name, is_added, event) for name, days, is_added, event in self._changed(node) if days == "unknown"]

    def _changed(self, node: Node) -> list[tuple[str, int | str | None, bool, str]]:
        found: list[tuple[str, int | str | None, bool, str]] = []
        wanted, unawaited = self.draft.world.links.stored, self.draft.world.unawaited
        is_only_forced = self.draft.plan.is_only_forced(node)
        is_daily, has_dates = self.draft.plan.is_daily(node), bool(self.draft.plan.dates_of(node))

        def add(name: str, odate: str, is_added: bool, event: str) -> None:
            days = dated(odate, is_daily=is_daily, has_dates=has_dates, is_only_forced=is_only_forced)
            if days == "unknown":
                found.extend([(name, days, is_added, event)] if name in wanted or name in unawaited else [])
                return
            if name in unawaited:
                found.append((name, days, is_added, event))
                return
            dates = [kept for kept in sorted(wanted.get(name, ()), key=str) if kept is None or days is not None]
            own = 0 if days is None else days
            found.extend((name, None if kept is None else own, is_added, event) for kept in dates)

        for out in node.outs:
            add(out.name, out.odate, out.sign == "+", "ok")
        for reaction in node.reactions:
            event = event_of(reaction.statement, reaction.code)
            if event == "notok" and not isinstance(node, Job):
                continue  # folder-notok: it does not happen for a folder
            for action in reaction.actions:
                if action.kind == "cond" and event is not None:
                    sign = action.values.get("SIGN", "+").strip() or "+"
                    add(
                        action.values.get("NAME", ""),
                        action.values.get("ODATE", "ODAT") or "ODAT",
                        sign in ("+", "ADD"),
                        event,
                    )
        return list(dict.fromkeys(found))

    def stores_on_notok(self, job: Job) -> bool:
        return any(event == "notok" for *_, event in self._changed(job))
