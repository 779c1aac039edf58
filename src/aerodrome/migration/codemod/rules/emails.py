"""EmailOperator and the mails about failed tasks go by a connection; up to Airflow 2 they went by the settings of [smtp] and [email].

Read: EmailOperator and send_email of apache-airflow 1.10.15 and 2.11, EmailOperator and SmtpHook of apache-airflow-providers-smtp 3: without the connection it
raises, and without a sender in its extra, too. Mails about failures and retries: models/taskinstance.py of 1.10.15 and 2.11 (both are on by default),
execution_time/task_runner.py of apache-airflow-task-sdk 1.3.2: an error of the SmtpNotifier is only logged; an [email] email_backend of one's own goes on being asked.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, has_open_end, keyword
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.rules.derived import base_of
from aerodrome.migration.codemod.rules.written_for import is_for_3
from aerodrome.migration.codemod.source import Source

_OPERATORS = frozenset(
    f"airflow.operators.{name}" for name in ("EmailOperator", "email.EmailOperator", "email_operator.EmailOperator")
)
_CONNECTION = "smtp_default"
_SWITCHES = ("email_on_failure", "email_on_retry")
_WHAT = f"EmailOperator sends by the connection {_CONNECTION} now; the settings of [smtp] and [email] are not for it any more."
_HINT = f'Make a connection {_CONNECTION} of type smtp, with the sender in its extra: {{"from_email": "…"}}.'
_FAILURES = f"Mails about failed tasks go by the connection {_CONNECTION} now, not by the settings of [smtp]; without it Airflow 3 logs an error and sends none."
_HINT_FAILURES = f"Make a connection {_CONNECTION} of type smtp with the host, the user and the password of [smtp], and let a task fail for a test."


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    made = (item for item in operators.made(source) if item.old & _OPERATORS and not item.is_expanding)
    calls = sorted((item.call for item in made), key=source.start)
    silent = [call for call in calls if not keyword(call, "conn_id") and not has_open_end(call)]
    for call in silent:
        note = Spot(call.lineno, _WHAT, _HINT) if call is calls[0] else None
        yield Change((add_keyword(source, call, "conn_id", f'"{_CONNECTION}"'),), note=note)
    if calls and calls[0] not in silent and not keyword(calls[0], "conn_id"):
        yield Spot(calls[0].lineno, _WHAT, _HINT)
    if calls or options.major < 3:
        return
    if classes := _derived(source, options):
        yield Spot(classes[0].lineno, _WHAT, _HINT)
    elif not is_for_3(source, options) and (lines := [*_of_dags(source), *_of_tasks(source)]):
        yield Spot(min(lines), _FAILURES, _HINT_FAILURES)


def _derived(source: Source, options: Options) -> list[ast.ClassDef]:
    """Give the classes that are derived from EmailOperator, as the file imported it before the upgrade, and say no connection."""
    before = options.project.source(options.file) if options.project else source
    if before is None or b"class " not in source.text:
        return []
    names = {node.name for node in before.each(ast.ClassDef) if base_of(before, node) & _OPERATORS}
    found = [node for node in source.each(ast.ClassDef) if node.name in names and "conn_id" not in source.code(node)]
    return sorted(found, key=source.start)


def _of_dags(source: Source) -> Iterator[int]:
    """Give the lines of default_args that have mails sent; of dictionaries that only look like some, too: other files take them."""
    for mapping in source.each(ast.Dict):
        words = {
            str(key.value): value
            for key, value in zip(mapping.keys, mapping.values, strict=True)
            if isinstance(key, ast.Constant)
        }
        if words.keys() & _SWITCHES or any(mapping is item for item, _ in dags.dictionaries(source, dags.ANY)):
            yield from _of(words)
    for call in source.each(ast.Call):
        if dags.is_dict_call(call):
            words = {str(item.arg): item.value for item in call.keywords}
            if words.keys() & _SWITCHES or any(call is item for item, _ in dags.dict_calls(source, dags.ANY)):
                yield from _of(words)


def _of_tasks(source: Source) -> Iterator[int]:
    for call in source.each(ast.Call):
        words = {str(item.arg): item.value for item in call.keywords}
        if "email" in words and (
            "task_id" in words or any(n.startswith("airflow.") for n in source.meanings(call.func))
        ):
            yield from _of(words)


def _of(words: dict[str, ast.expr]) -> Iterator[int]:
    """Give the line of the address, where something has mails sent to it."""
    email, on_failure, on_retry, retries = (words.get(name) for name in ("email", *_SWITCHES, "retries"))
    if email is None or (
        isinstance(email, ast.Constant | ast.List)
        and not (getattr(email, "value", None) or getattr(email, "elts", None))
    ):
        return
    retried = on_retry if on_retry is not None else retries
    if not _is_off(on_failure) or (retried is not None and not _is_off(retried)):
        yield email.lineno


def _is_off(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and not value.value


RULE = Rule(
    code="email-connection",
    title="EmailOperator names the connection that it sends by, for a person to make; mails about failed tasks need it, too",
    words=(b"EmailOperator", b"email"),
    before="""
from airflow.operators.email_operator import EmailOperator

tell = EmailOperator(task_id="tell", to="team@shop.example", subject="Sales", html_content="Done.")
""",
    after="""
from airflow.operators.email_operator import EmailOperator

tell = EmailOperator(task_id="tell", to="team@shop.example", subject="Sales", html_content="Done.", conn_id="smtp_default")
""",
    find=_find,
    finding="EmailOperator sends by the connection smtp_default now",
)
