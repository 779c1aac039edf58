"""What ON blocks make of the end of a job: which of them turn it, with which test, and which only say again how it has ended."""

from __future__ import annotations

import re
from typing import Final, Literal

from aerodrome.migration.convert.controlm.definitions.model import Job, Node, Reaction
from aerodrome.migration.convert.controlm.jobs.commands import (
    codes_of,
    exit_test,
    is_of_state,
    line_pattern,
    output_test,
)
from aerodrome.migration.convert.controlm.plugins.table import PLUGINS

SHELL: Final = ("command", "script", "embedded")
# codes about something else than the output
_OF_RUNS: Final = re.compile(
    r"(RUNCOUNT|FAILCOUNT|COMPSTAT|JNSUB|JNRUN|OUTPUTNOTFOUND|EVEN|ODD)\b|(NOT\s?OK|OK|ENDED\w*)\Z|IfBase|If:",
    re.IGNORECASE,
)
_SERVICES: Final = frozenset(("airflow", "dataflow", *PLUGINS))  # whose operators end as the service says
_WORDS: Final = {
    "ok": re.compile(r"success(ful(ly)?)?|succeeded|completed", re.IGNORECASE),
    "notok": re.compile(r"fail(ed|ure)?|errors?|aborted", re.IGNORECASE),
}


def is_whole(reaction: Reaction) -> bool:
    """Say whether an ON block listens to the job as a whole, and not to a statement of its script."""
    return reaction.statement.strip() in ("*", "", "**", "****")


def restated(node: Node, reaction: Reaction) -> Literal["ok", "notok"] | None:
    """Give the end of a service's job that an ON block only says again: `*success*` ends it OK, or `*failed*` NOTOK.

    The operator of such a job ends as its service says; there is no output in which the words could be found.
    """
    if not isinstance(node, Job) or node.kind not in _SERVICES or not is_whole(reaction):
        return None
    word, kinds = reaction.code.strip(), {action.kind for action in reaction.actions} & {"ok", "notok"}
    for end in ("ok", "notok"):
        if kinds == {end} and "*" in word and _WORDS[end].fullmatch(word.strip("* ")):
            return "ok" if end == "ok" else "notok"
    return None


def turned(node: Node, reaction: Reaction, event: str | None) -> str:
    """Give the end to which ON blocks turn that of the job where this one matches, "" where they keep it: what it does is then for an end that nobody sees."""
    if isinstance(node, Job) and node.kind == "dummy":
        return ""
    kinds = {action.kind for action in reaction.actions}
    if event is not None:
        kinds |= turning(node, reaction)
    if "ok" in kinds and event != "ok":
        return "OK"
    return "NOTOK" if "notok" in kinds and event != "notok" else ""


def turning(node: Node, reaction: Reaction) -> set[str]:
    """Give the ends to which other ON blocks may turn that of the job where this one matches."""
    others = [other for other in node.reactions if other is not reaction and _fits_with(reaction, other)]
    return {action.kind for other in others if not restated(node, other) for action in other.actions} & {"ok", "notok"}


def _fits_with(reaction: Reaction, other: Reaction) -> bool:
    """Say whether another ON block can match the same end and turn it without this one's seeing it.

    Blocks on OK and NOTOK come last and see what those on exit codes and on the output have made of the job.
    """
    if is_of_state(reaction.code) and not is_of_state(other.code):
        return False
    return bool(codes_of(reaction.code) & codes_of(other.code))


def is_failure(reaction: Reaction) -> bool:
    """Say whether an ON block on exit codes matches none of those with which a task succeeds."""
    return is_whole(reaction) and exit_test(reaction.code) is not None and 0 not in codes_of(reaction.code)


def test_of(node: Node, reaction: Reaction, where: str) -> tuple[str | None, str, str]:
    """Give the shell test of an ON block on a whole end or on the output, None where it cannot be said; then a caveat (code, sentence)."""
    word, statement = reaction.code.strip(), reaction.statement.strip()
    if is_whole(reaction):
        test = "true" if word in ("*", "") else exit_test(word) or output_test(word)
        if test or _OF_RUNS.match(word):
            return test, "", ""
        text = f"{where} has no mask: it means a line of the output that is nothing else. Where the server sets ONSTMT_ADD_WILD=Y, it means any part of a line: put * around the text in the grep of the task."
        return output_test(word, is_exact=True), "output-pattern", text
    details = node.details if isinstance(node, Job) else {}
    lines = f"{details.get('CMDLINE', '')}\n{details.get('INSTREAM_JCL', '')}".replace("\\n", "\n").splitlines()
    if word not in ("*", "") or any(re.search(line_pattern(statement), line.strip()) for line in lines):
        return None, "", ""  # what follows a statement of the script is in no output
    text = f"{where} listens to a statement of the script, which is none of those that are known: it is looked for among the lines of the output."
    return output_test(statement, is_exact=True), "output-statement", text
