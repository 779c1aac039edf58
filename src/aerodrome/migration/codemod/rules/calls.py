"""Calls of operators that are written anew as a whole. Shared by the rules about operators that one with other arguments replaced."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from aerodrome.migration.codemod.contract import Change
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.source import Source

TASK_ARGUMENTS = frozenset(
    {
        "task_id", "dag", "owner", "retries", "retry_delay", "trigger_rule", "depends_on_past", "start_date", "end_date", "pool",
        "queue", "priority_weight", "on_failure_callback", "on_success_callback", "on_retry_callback", "execution_timeout", "email",
        "email_on_failure", "email_on_retry", "task_group", "params", "weight_rule", "wait_for_downstream", "doc_md",
        "do_xcom_push", "task_concurrency", "max_active_tis_per_dag", "sla", "provide_context", "default_args", "pool_slots",
    }
)  # fmt: skip
"""What every operator takes, and goes on as it is."""


def rewritten(source: Source, call: ast.Call, module: str, name: str, arguments: Sequence[str], *more: str) -> Change:
    """Write `name(arguments)` in a call's place, one argument a line when it was so; `name` and `more` are imported from `module`.

    Comments within the call stay in front of it.
    """
    newline = source.newline.decode()
    start, end = source.start(call), source.end(call)
    first = call.keywords[0] if call.keywords else None
    line = source.text.rfind(b"\n", 0, source.start(first)) + 1 if first else 0
    indent = source.text[line : source.start(first)].decode() if first else ""
    comments = [source.text[a:b].decode() for a, b in source.comments if start <= a < end]
    is_spread = (
        first is not None and not indent.strip() and b"\n" in source.text[source.end(call.func) : source.start(first)]
    )
    if is_spread or comments:
        if not is_spread:
            indent = "    "
        close = source.text[:end].rfind(b"\n") + 1
        last = source.text[close : end - 1].decode()
        foot = last if not last.strip() else indent[:-4]
        inner = "".join(f"{newline}{indent}{text}" for text in (*comments, *(f"{text}," for text in arguments)))
        text = f"{name}({inner}{newline}{foot})"
    else:
        text = f"{name}({', '.join(arguments)})"
    return Change((replace(source, call, text),), tuple((module, item) for item in (name, *more)))
