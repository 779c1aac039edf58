"""`aerodrome convert`: Oozie and Control-M definitions become an Airflow project; no server, nothing leaves the machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from aerodrome.cli.options import OFFLINE_DEFAULTS, Offline, say
from aerodrome.cli.output import write_json, write_table
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import report as accounts
from aerodrome.migration.convert.emission import compose, emit
from aerodrome.migration.convert.registry import FORMATS, convert, read_profile

app = App(name="convert", help="Convert Oozie or Control-M definitions into Airflow DAGs, without a server.")

_SHOWN = 10


@app.default
def run(
    source: Annotated[str, Parameter(help=f"The format: {' or '.join(FORMATS)}.")],
    path: Annotated[Path, Parameter(help="A folder with definitions, or one file.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="The project folder to write; new or empty.")],
    target: Annotated[Literal["2.11", "3.3"], Parameter(help="The Airflow to write for.")] = "3.3",
    profile: Annotated[
        Path | None, Parameter(help="A YAML file: where things run, values that the definitions leave open.")
    ] = None,
    strict: Annotated[
        bool,
        Parameter(
            negative="",
            help="Exit code 1 when an element became a task that raises, or a file was rejected; without it only when no DAG came of it.",
        ),
    ] = False,
    report: Annotated[
        Path | None, Parameter(help="Write what became of every element into this file: .html, or else JSON.")
    ] = None,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Convert definitions into a project: DAG files, plugins, requirements, connections to create, tests.

    Every element of the source ends converted, converted with a named caveat, or as a task that raises; the report counts them for each DAG.
    """
    conversion = convert(source, path, read_profile(profile))
    if not conversion.dags and not conversion.rejected:
        raise Invalid(
            f"There is no {source} definition in {path}.", code="convert-nothing", hint="Give the folder that has them."
        )
    if conversion.dags:
        emit(compose(conversion, target), out)
    data = accounts.as_data(conversion, target)
    if report is not None:
        text = accounts.as_html(data) if report.suffix in {".html", ".htm"} else json.dumps(data, indent=1) + "\n"
        report.write_text(text, encoding="utf-8")
    if offline.output == "json":
        write_json(data)
    else:
        rows = [
            [dag["dag_id"], dag["file"], *(str(dag["totals"][name]) for name in ("converted", "caveat", "raises"))]
            for dag in data["dags"]
        ]
        write_table(("DAG", "From", "Converted", "Caveats", "Raise"), rows)
        if conversion.rejected:
            write_table(("Not converted", "Why"), [[item.file, item.message] for item in conversion.rejected])
        if conversion.others:
            more = ", …" if len(conversion.others) > _SHOWN else ""
            say(f"No {source} definition: {', '.join(conversion.others[:_SHOWN])}{more}")
        for question in conversion.questions[:_SHOWN]:
            say(f"Question: {question.text}")
        if len(conversion.questions) > _SHOWN:
            say(f"{len(conversion.questions) - _SHOWN} more questions are in the report (--report).")
        made = "1 DAG is" if len(conversion.dags) == 1 else f"{len(conversion.dags)} DAGs are"
        say(
            f"{made} in {out}, for Airflow {target}; definitions read: {conversion.definitions}."
            if conversion.dags
            else "No DAG came of it; nothing is written."
        )
    if not conversion.dags or (strict and accounts.raising(conversion)):
        sys.exit(1)
