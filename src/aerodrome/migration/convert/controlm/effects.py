"""What ON blocks, SHOUTs and reruns of a job become: exit rules, retries, callbacks, and tasks after OK or NOTOK."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Account, Call, Code, Expression, Function, Origin, Outcome, Symbol
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.definitions.model import Action, Job, Node, Reaction, Shout
from aerodrome.migration.convert.controlm.jobs.commands import ExitRule, OutputCopy, exit_test
from aerodrome.migration.convert.controlm.results import SHELL, is_failure, is_whole, restated, test_of, turned, turning
from aerodrome.migration.convert.controlm.variables.autoedit import Compiled, joined_lines, variable_key
from aerodrome.migration.convert.controlm.waits.conditions import event_of
from aerodrome.migration.convert.controlm.waits.forcing import Target, named
from aerodrome.migration.convert.controlm.waits.linking import days_of

_ALERTS: Final = "Control-M's Alerts window"  # where a message without a destination goes


@dataclass(frozen=True)
class After:
    """A task behind a job: `event` says after which end. `role` raises: it stands for what was not converted."""

    suffix: str
    operator: Symbol
    arguments: tuple[tuple[str, Expression], ...]
    event: str  # ok, notok
    role: str = "real"
    is_seen: bool = False  # those that follow the job may read what it does


@dataclass
class Effects:
    exit_rules: list[ExitRule] = field(default_factory=list)
    copies: list[OutputCopy] = field(default_factory=list)
    retries: int = 0
    retry_delay: timedelta | None = None
    on_ok: list[Expression] = field(default_factory=list)
    on_notok: list[Expression] = field(default_factory=list)
    after: list[After] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    unknown: dict[str, None] = field(
        default_factory=dict
    )  # variables of Airflow that texts read, and no export defines
    stopped_by: str = ""  # a cyclic job that stops itself: the Airflow variable with the date on which it did


@dataclass(frozen=True)
class Context:
    """What effects need from around them: compile a text, and where a forced job runs."""

    text: Callable[[str], Compiled]
    folders: Collection[str]  # the names of all folders
    forced: Callable[[str, str], Target]  # folder, job -> what runs it
    elsewhere: Callable[[str, str], str]  # folder, job -> dag_id that it will have when it is in the exports
    own_zone: str = "UTC"


def effects_of(node: Node, context: Context) -> Effects:
    """Read the ON blocks, SHOUTs and reruns of a job or a folder."""
    maker = _Maker(node, context)
    for reaction in node.reactions:
        for action in reaction.actions:
            maker.react(reaction, action)
    for shout in node.shouts:
        maker.shout(shout)
    maker.reruns()
    return maker.effects


class _Maker:
    def __init__(self, node: Node, context: Context) -> None:
        self.node, self.context = node, context
        self.effects = Effects()
        self._count = 0
        self._must_rerun = False

    def react(self, reaction: Reaction, action: Action) -> None:
        event = event_of(reaction.statement, reaction.code)
        whole = is_whole(reaction)
        where = f"ON {reaction.statement}/{reaction.code}"
        again = restated(self.node, reaction)
        if again and action.kind not in ("ok", "notok", "cond"):
            event = again
        end = turned(self.node, reaction, event or again)
        if action.kind == "capture":
            self._capture(action, end.lower() or "ok")
        elif end and action.kind in ("cond", "force", "variable"):
            text = f"{where} ends the job {end} and does more, which no task behind the job can see."
            self._raise(action, where, "result-actions", text, end.lower())
        elif end and action.kind in ("mail", "shout") and self._can_turn():
            text = f"{where} ends the job {end}: its message is not sent."
            self._note(action, "message-result", text)
        elif action.kind in ("ok", "notok"):
            self._result(reaction, action, where)
        elif action.kind == "rerun":
            self._must_rerun = self._must_rerun or event == "notok"
            if event != "notok":
                self._raise(action, where, "rerun-code", f"{where} reruns the job, which retries cannot say.")
        elif action.kind == "stop-cyclic":
            self._stop(action, None if end else event, where)
        elif action.kind in ("mail", "shout"):
            self._tell(reaction, action, event, whole, where)
        elif action.kind == "cond":
            if event is None:
                name = action.values.get("NAME", "")
                self._raise(
                    action,
                    where,
                    "condition-code",
                    f"{where} changes the condition {name}, which only OK and NOTOK can do here.",
                )
            else:
                self._note(action, "", "")
        elif action.kind == "force":
            self._force(action, event, where)
        elif action.kind == "variable":
            self._set(action, event, where)
        elif action.kind == "output":
            self._output(reaction, action, whole, where)
        else:
            word = action.values.get("ACTION") or action.values.get("TAG", action.kind)
            text = f"{where} does {word}, which is not converted."
            self._raise(action, where, "action-unknown", text, event or "ok")

    def shout(self, shout: Shout) -> None:
        origin = self._origin(shout.line)
        event = {"OK": "ok", "NOTOK": "notok", "RERUN": "rerun"}.get(shout.when)
        if event == "ok":
            self.effects.on_ok.append(self._call(shout.destination, shout.message))
        elif event in ("notok", "rerun"):
            self.effects.on_notok.append(self._call(shout.destination, shout.message))
        else:
            when = " ".join(filter(None, (shout.when, shout.time))) or "it says no time"
            text = f"The message to {shout.destination or _ALERTS} when {when} is not sent: add a deadline alert."
            self._account("SHOUT", "caveat", origin, "shout-late", text)
            return
        text = f"The message to {shout.destination or _ALERTS} goes into the log of the task; `shout` in the DAG file is the place for your channel."
        self._account("SHOUT", "caveat", origin, "shout-log", text)

    def reruns(self) -> None:
        job = self.node
        if not isinstance(job, Job) or job.cyclic is not None:
            return
        if self._must_rerun:
            self.effects.retries = job.max_reruns or 1
            self.effects.retry_delay = timedelta(minutes=job.rerun_minutes)
            kinds = {
                action.kind
                for reaction in job.reactions
                if event_of(reaction.statement, reaction.code) == "notok"
                for action in reaction.actions
            }
            if kinds & {"cond", "force", "variable"}:
                text = "What it does after NOTOK happens once, when its last rerun has failed; in Control-M after every failed run."
                self._account("DO RERUN", "caveat", job.origin, "rerun-actions", text)
            if not job.max_reruns:
                self._account(
                    "DO RERUN", "caveat", job.origin, "rerun-limit", "The export sets no MAXRERUN: it is rerun once."
                )
        elif job.max_reruns:
            text = f"MAXRERUN={job.max_reruns} has no effect: no ON block reruns the job."
            self._account("JOB@MAXRERUN", "caveat", job.origin, "rerun-unused", text)

    # ---- actions

    def _can_turn(self) -> bool:
        """Say whether the task of the node can end otherwise than what it runs."""
        return isinstance(self.node, Job) and self.node.kind in SHELL

    def _result(self, reaction: Reaction, action: Action, where: str) -> None:
        word = reaction.code.strip()
        if isinstance(self.node, Job) and self.node.kind == "dummy" and event_of(reaction.statement, word) == "notok":
            self._note(action, "", "")  # a dummy job always ends OK
            return
        if end := restated(self.node, reaction):
            text = f"{where} says again how the service has ended the job: it ends {end.upper()} as its operator does, and no output is looked at."
            self._note(action, "result-restated", text)
            return
        if isinstance(self.node, Job) and not self._can_turn() and is_failure(reaction) and action.kind == "notok":
            self._note(action, "", "")  # the task has failed already
            return
        test, code, text = test_of(self.node, reaction, where)
        if test is None or not self._can_turn():
            text = f"{where} ends the job {action.kind.upper()}, which an exit code cannot say here."
            if is_failure(reaction):
                text = f"{where} ends the job OK, which its task cannot do when it has failed: where that code was the reason, mark the task as success."
            self._raise(action, where, "result-by-output", text, "notok" if is_failure(reaction) else "ok")
            return
        self.effects.exit_rules.append(ExitRule(test, action.kind == "ok"))
        self._note(action, code, text)

    def _output(self, reaction: Reaction, action: Action, is_whole: bool, where: str) -> None:
        path = action.values.get("PAR", "").strip()
        any_end = reaction.code.strip() in ("*", "")
        test = "" if any_end else exit_test(reaction.code)
        is_copy = action.values.get("OPTION", "").upper() in ("F", "M") and path != ""
        if is_copy and is_whole and test is not None and isinstance(self.node, Job) and self.node.kind in SHELL:
            self.effects.copies.append(OutputCopy(test, path))
            self._note(action, "", "")
            return
        text = f"{where} handles the output of the job, which stays where it is: Airflow keeps the log of every try."
        self._note(action, "output-handling", text)

    def _tell(self, reaction: Reaction, action: Action, event: str | None, is_whole: bool, where: str) -> None:
        call = (
            self._mail(action.values)
            if action.kind == "mail"
            else self._call(action.values.get("DEST", ""), action.values.get("MESSAGE", ""))
        )
        code, text = (
            ("", "")
            if action.kind == "mail"
            else (
                "shout-log",
                "The message goes into the log of the task; `shout` in the DAG file is the place for your channel.",
            )
        )
        if action.values.get("ATTACH_SYSOUT", "N").upper() in ("Y", "1"):
            code, text = "mail-output", "The output of the job is not attached; it is in the log of the task."
        if event == "ok":
            self.effects.on_ok.append(call)
        elif event == "notok":
            self.effects.on_notok.append(call)
        elif is_whole and (test := exit_test(reaction.code)) is not None:
            del test
            self.effects.on_notok.append(call)
            code, text = "message-code", f"{where} sends its message after every failure, not only after that code."
            if self._can_turn() and "ok" in turning(self.node, reaction):
                text += " Where another block ends the job OK, it is not sent."
        else:
            code, text = (
                "message-output",
                f"{where} listens to the output: its message to {action.values.get('DEST', '')} is not sent.",
            )
        self._note(action, code, text)

    def _force(self, action: Action, event: str | None, where: str) -> None:
        folder, job = named(action, self.node.path[0], self.context.folders)
        shown = "/".join(part for part in (folder, job) if part)
        if event is None:
            self._raise(action, where, "force-code", f"{where} orders {shown}, which only OK and NOTOK can do here.")
            return
        target = self.context.forced(folder, job)
        if days_of(action.values.get("ODATE", "")) != 0:
            self._raise(
                action, where, "force-date", f"{where} orders {shown} with another date, which is not converted.", event
            )
            return
        if given := action.values.get("VARIABLES", ""):
            text = f"{where} orders {shown} with variables of its own, which is not converted: {given}"
            self._raise(action, where, "force-variables", text, event)
            return
        if action.values.get("REMOTE", "").upper() in ("Y", "1", "TRUE"):
            server = action.values.get("DATACENTER") or "another one"
            text = f"{where} orders {shown} on another Control-M server ({server}), which is not converted."
            self._raise(action, where, "force-server", text, event)
            return
        usual = "ALONE" if job else "NEWG"
        if (into := action.values.get("INTO_TABLE_ORDERID", "").upper() or usual) != usual:
            text = f"{where} orders {shown} into a folder that runs ({into}), which is not converted."
            self._raise(action, where, "force-into", text, event)
            return
        if target.refusal is not None:
            code, why = target.refusal
            self._raise(action, where, code, f"{where} orders {shown}, which is not converted: {why}.", event)
            return
        dag_id = target.dag_id
        if not dag_id:
            dag_id = self.context.elsewhere(folder, job)
            text = f"{where} orders {shown}, which is not in the exports: the DAG {dag_id} has to exist, as it will when they are converted together; until then this task fails."
            self._note(action, "force-unknown", text)
        else:
            self._note(action, *target.caveat)
        day = self.context.text("%%$ODATE").text
        arguments: tuple[tuple[str, Expression], ...] = (
            ("trigger_dag_id", dag_id),
            ("conf", {"odate": day, "is_forced": True}),
        )
        self._after(f"orders_{job or folder}", symbols.TRIGGER_DAG, arguments, event)

    def _stop(self, action: Action, event: str | None, where: str) -> None:
        if not isinstance(self.node, Job) or self.node.cyclic is None:
            self._note(action, "stop-cyclic", f"{where} stops a cyclic job; this one is not cyclic: it has no effect.")
            return
        if event is None:
            text = f"{where} stops the cyclic job: pause its DAG; it does not happen by itself."
            self._note(action, "stop-cyclic", text)
            return
        self.effects.stopped_by = key = f"controlm.stopped.{variable_key('.'.join(self.node.path))[9:]}"
        self.effects.functions += [snippets.SET_VARIABLE, snippets.NOT_STOPPED]
        given: dict[str, Expression] = {"name": key, "value": self.context.text("%%$ODATE").text}
        self._note(action, "", "")
        self._after("stops", symbols.PYTHON, (("python_callable", Code("set_variable")), ("op_kwargs", given)), event)

    def _set(self, action: Action, event: str | None, where: str) -> None:
        name = action.values.get("NAME", "").strip().removeprefix("%%")
        if event is None:
            self._raise(action, where, "variable-code", f"{where} sets %%{name}, which only OK and NOTOK can do here.")
            return
        if not name.startswith("\\"):
            self._note(
                action,
                "variable-local",
                f"{where} sets %%{name} for later runs of the same job only; it has no effect here.",
            )
            return
        value = self._text(action.values.get("VALUE", ""))
        self.effects.functions.append(snippets.SET_VARIABLE)
        given: dict[str, Expression] = {"name": variable_key(name, self.node.path[0]), "value": value}
        self._note(action, "", "")
        arguments: tuple[tuple[str, Expression], ...] = (
            ("python_callable", Code("set_variable")),
            ("op_kwargs", given),
        )
        self._after(f"sets_{name}", symbols.PYTHON, arguments, event, is_seen=True)

    def _capture(self, action: Action, event: str) -> None:
        """Raise behind the job, before those that follow it: what is left out of the text that is found, the documentation does not say."""
        name, key = action.values["VARIABLE"], action.values["KEY"]
        if isinstance(self.node, Job) and self.node.kind == "dummy":
            self._note(action, "output-captured", f"It fills %%{name} from its output, but a dummy job has none.")
            return
        reason = f"The job fills %%{name} from its output ({action.values['RULE']}). Set the Airflow variable {key} here, for those that read it."
        self._raise(action, "", "output-captured", reason, event, is_seen=True)

    # ---- parts

    def _text(self, value: str) -> str:
        """Compile a text, and keep what it reads that nothing defines."""
        done = self.context.text(value)
        self.effects.unknown |= dict.fromkeys(done.unknown)
        for text in (*done.notes, *done.problems):
            found = Account("variable", "caveat", self.node.origin, "variables", text, self.node.name)
            self.effects.accounts += [] if found in self.effects.accounts else [found]
        return done.text

    def _after(
        self,
        suffix: str,
        operator: Symbol,
        arguments: tuple[tuple[str, Expression], ...],
        event: str,
        role: str = "real",
        *,
        is_seen: bool = False,
    ) -> None:
        self.effects.after.append(After(suffix, operator, arguments, event, role, is_seen))

    def _raise(
        self, action: Action, where: str, code: str, reason: str, event: str = "ok", *, is_seen: bool = False
    ) -> None:
        del where
        self._count += 1
        self.effects.functions.append(snippets.RAISE)
        arguments: tuple[tuple[str, Expression], ...] = (
            ("python_callable", Code("not_converted")),
            ("op_args", [reason]),
        )
        self._after(f"action_{self._count}", symbols.PYTHON, arguments, event, "raises", is_seen=is_seen)
        self._account(f"ON/{action.values.get('TAG', action.kind)}", "raises", self._origin(action.line), code, reason)

    def _note(self, action: Action, code: str, text: str) -> None:
        self._account(
            f"ON/{action.values.get('TAG', action.kind)}",
            "caveat" if code else "converted",
            self._origin(action.line),
            code,
            text,
        )

    def _account(self, element: str, outcome: Outcome, origin: Origin, code: str, text: str) -> None:
        self.effects.accounts.append(Account(element, outcome, origin, code, text, self.node.name))

    def _origin(self, line: int) -> Origin:
        return Origin(self.node.origin.file, self.node.origin.path, line or self.node.origin.line)

    def _mail(self, values: Mapping[str, str]) -> Expression:
        subject = self._text(joined_lines(values.get("SUBJECT", "")))
        message = self._text(joined_lines(values.get("MESSAGE", "")))
        keywords: list[tuple[str, Expression]] = [("to", self._text(values.get("DEST", "").replace(";", ",")))]
        if copies := values.get("CC_DEST", ""):
            keywords.append(("cc", self._text(copies.replace(";", ","))))
        keywords += [("subject", subject or self.node.name), ("html_content", message)]
        return Call(symbols.SMTP_NOTIFIER, (), tuple(keywords))

    def _call(self, destination: str, message: str) -> Expression:
        self.effects.functions.append(snippets.SHOUT)
        return Code(f"shout({self._text(destination or _ALERTS)!r}, {self._text(joined_lines(message))!r})")
