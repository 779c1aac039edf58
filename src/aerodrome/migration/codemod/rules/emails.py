"""EmailOperator sends by a connection; up to Airflow 2 it sent by the settings of [smtp] and [email].

Read: EmailOperator and send_email of apache-airflow 1.10.15 and 2.11, EmailOperator and SmtpHook of apache-airflow-providers-smtp 3: without the connection it
raises, and without a sender in its extra, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, has_open_end, keyword
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.source import Source

_OPERATORS = frozenset(
    f"airflow.operators.{name}" for name in ("EmailOperator", "email.EmailOperator", "email_operator.EmailOperator")
)
_CONNECTION = "smtp_default"
_WHAT = f"EmailOperator sends by the connection {_CONNECTION} now; the settings of [smtp] and [email] are not for it any more."
_HINT = f'Make a connection {_CONNECTION} of type smtp, with the sender in its extra: {{"from_email": "…"}}.'


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    made = (item for item in operators.made(source) if item.old & _OPERATORS and not item.is_expanding)
    calls = sorted((item.call for item in made), key=source.start)
    silent = [call for call in calls if not keyword(call, "conn_id") and not has_open_end(call)]
    for call in silent:
        note = Spot(call.lineno, _WHAT, _HINT) if call is calls[0] else None
        yield Change((add_keyword(source, call, "conn_id", f'"{_CONNECTION}"'),), note=note)
    if calls and calls[0] not in silent and not keyword(calls[0], "conn_id"):
        yield Spot(calls[0].lineno, _WHAT, _HINT)


RULE = Rule(
    code="email-connection",
    title="EmailOperator names the connection that it sends by, for a person to make",
    words=(b"EmailOperator",),
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
