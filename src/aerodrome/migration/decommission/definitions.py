"""The end of an Oozie or Control-M: is it quiet, as far as somebody can be asked, and what there is to remove. Pure.

Neither gives an audit log or its past runs here: what nobody can be asked is an item that people look at, never a good result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aerodrome.migration.decommission.quiet import MOST, Check
from aerodrome.migration.sources.contract import DEFINITION_NAMES, DagState

_LOOK = {
    "oozie": "Look there: oozie jobs -jobtype coordinator -filter status=RUNNING",
    "controlm": "Look in Control-M's Monitoring domain, or with: ctm run jobs:status::get",
}
_CALLERS = {
    "oozie": "Look for scripts and schedulers that submit to it: oozie job -run, its web services, Hue.",
    "controlm": "Look for scripts that order jobs: ctmorder, ctm run order, the Automation API.",
}


def look(kind: str, states: Mapping[str, DagState], *, is_asked: bool) -> list[Check]:
    """Look at where each DAG stands. `is_asked`: a running Oozie answered; otherwise it is what people confirmed."""
    name = DEFINITION_NAMES[kind]
    active = tuple(sorted(state.dag_id for state in states.values() if not state.is_paused))
    message = f"{len(active)} of {len(states)} are not held."
    hint = "Hold them there, and hand them over; or leave their definitions out." if active else ""
    scheduled = Check("scheduled", "Nothing is scheduled", "open" if active else "done", message, hint, active[:MOST])
    if is_asked:
        flying = tuple(f"{state.dag_id}: {dict(state.in_flight)}" for state in states.values() if state.in_flight)
        text, hint = f"{len(flying)} have work in flight.", "Wait until it has ended." if flying else ""
        running = Check("running", "Nothing runs", "open" if flying else "done", text, hint, flying[:MOST])
    else:
        text = f"{name} cannot be asked from here: that nothing runs is what people confirmed with each hold."
        running = Check("running", "Nothing runs", "attention", text, _LOOK[kind])
    text = f"{name} does not tell here who else calls it."
    return [running, scheduled, Check("calls", "Nobody used it", "attention", text, _CALLERS[kind])]


def leftovers(kind: str, label: str, connections: Iterable[Any]) -> Iterator[tuple[str, str, str, str]]:
    """Give (kind, name, where it was seen, what to do) of what belongs to the source beside the secrets."""
    if kind == "oozie":
        yield (
            "service",
            f"coordinator and bundle jobs of {label}",
            "the definitions",
            "Kill them (oozie job -kill ID): a suspended job that somebody resumes runs its materialized actions again.",
        )
        yield (
            "storage",
            "application folders in HDFS",
            "app-path of the definitions",
            "Remove what no other job reads.",
        )
        yield (
            "service",
            "Oozie's server, its database and its share lib",
            "the source: Oozie",
            "Remove once `oozie jobs -jobtype coordinator` shows no job of another team.",
        )
        yield (
            "secret",
            "hadoop.proxyuser.oozie",
            "Oozie works as its users",
            "Take it out of Hadoop's core-site.xml with the server.",
        )
    if kind == "controlm":
        yield (
            "service",
            f"folders of {label}",
            "the definitions",
            "Delete them in Control-M: a folder on hold is ordered again by the next New Day.",
        )
        yield (
            "service",
            "calendars, resources and conditions of these folders",
            "the definitions",
            "Remove what no other folder uses.",
        )
        yield (
            "secret",
            "connection profiles and RUN_AS accounts",
            "the definitions",
            "Take their rights away where the target has a login of its own.",
        )
        agents: dict[str, list[str]] = {}
        for record in connections:
            if record.conn_type == "ssh":
                agents.setdefault(record.host or record.conn_id, []).append(record.conn_id)
        for host, conn_ids in agents.items():
            action = "Remove Control-M's agent there, once no other job runs on it."
            yield "machine", host, f"connection {', '.join(conn_ids)}", action
