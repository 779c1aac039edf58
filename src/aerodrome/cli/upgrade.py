"""`aerodrome upgrade`: DAG code for another Airflow version, with proof; no server, and no file is touched without --write."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from aerodrome.airflowkit.versions import DEFAULT, SUPPORTED, AirflowVersion
from aerodrome.builds import VenvSpec, VenvStore
from aerodrome.cli.options import OFFLINE_DEFAULTS, Offline, say
from aerodrome.cli.output import write_json, write_table
from aerodrome.cli.upgrade_page import page
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.migration import codemod

app = App(name="upgrade", help="Upgrade DAG code to another Airflow version, without a server.")
_LONG = 60


@app.default
def run(
    path: Annotated[Path, Parameter(help="The project folder, a folder of DAGs, or one file.")],
    /,
    *,
    from_version: Annotated[
        str, Parameter(name="--from", help="The Airflow that the code was written for; auto finds out.")
    ] = "auto",
    to_version: Annotated[
        str, Parameter(name=("--to", "--target-version"), help="The Airflow to move to: 3.3, 3.3.2, or 2.11.")
    ] = DEFAULT,
    write: Annotated[bool, Parameter(negative="", help="Change the files where they are.")] = False,
    out: Annotated[
        Path | None, Parameter(help="Put the upgraded project into this new or empty folder instead.")
    ] = None,
    diff: Annotated[bool, Parameter(help="Show the changes line by line.")] = True,
    report: Annotated[Path | None, Parameter(help="Write everything that was found as JSON into this file.")] = None,
    html: Annotated[
        Path | None, Parameter(help="Write a page for review into this file: accept or reject each.")
    ] = None,
    only: Annotated[
        Path | None, Parameter(help="With --write: change only the files that this list names, one a line.")
    ] = None,
    intervals: Annotated[
        Literal["pin", "keep"],
        Parameter(
            help="pin: schedules say their data intervals. keep: the target runs with create_cron_data_intervals."
        ),
    ] = "pin",
    gone: Annotated[
        Literal["raise", "keep"],
        Parameter(
            help="What nothing continues. raise: a stand-in, whose tasks fail and say why. keep: the file does not import."
        ),
    ] = "raise",
    catchup: Annotated[bool, Parameter(help="What the source's catchup_by_default is.")] = True,
    timezone: Annotated[
        str,
        Parameter(
            help="The source's [core] default_timezone: of dates that name no zone. By default what airflow.cfg, .env or the image of the project say, else UTC."
        ),
    ] = "",
    as_of: Annotated[
        date | None,
        Parameter(
            help="Look for versions of requirements.txt among what was published up to this day (asks the package index)."
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        Parameter(help="Processes that rewrite a large project (all cores by default); the result is the same."),
    ] = None,
    prove: Annotated[bool, Parameter(negative="", help="Read every DAG under both Airflows and compare.")] = False,
    source_venv: Annotated[
        Path | None, Parameter(help="A virtualenv with the source's Airflow (else one is made).")
    ] = None,
    target_venv: Annotated[
        Path | None, Parameter(help="A virtualenv with the target's Airflow (else one is made).")
    ] = None,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Upgrade DAG code: shows what changes, by which rule, and what remains for a person to look at.

    Nothing is changed unless --write or --out says where to. With --prove every DAG is really read under both Airflows: exit code 1 when one is
    broken or different, or has tasks that raise because their class is gone. Virtualenvs that are not given are made below ~/.cache/aerodrome (needs the package index).
    """
    if write and out is not None:
        raise Invalid("--write and --out are two places.", code="upgrade-two-places", hint="Give one of them.")
    if only is not None and not write:
        raise Invalid("--only chooses what --write writes.", code="upgrade-only-without-write", hint="Add --write.")
    source, why = codemod.source_version(path) if from_version == "auto" else (from_version, "")
    target = _full(to_version)
    say(f"From Airflow {source}{f' ({why})' if why else ''} to {target}.")
    options = codemod.Options(
        catchup_by_default=catchup,
        default_timezone=timezone or codemod.default_timezone(path),
        source_version=source,
        is_guessed=from_version == "auto" and not codemod.is_named(path),
        is_pinning_intervals=intervals == "pin",
        is_keeping_gone=gone == "keep",
        python=_python(target),
        requirements_as_of=as_of,
    )
    if as_of is None and path.is_dir() and (path / "requirements.txt").is_file():
        say(
            f"Whether the versions in requirements.txt go with Airflow {target} is not checked (--as-of DAY asks the package index)."
        )
    with tempfile.TemporaryDirectory(prefix="aerodrome-upgrade-") as folder:
        before = _folder_of(path, Path(folder))
        after = out or Path(folder) / "after"
        processes = jobs or len(os.sched_getaffinity(0))
        done = codemod.upgrade(before, after, target, options, jobs=processes, progress=say)
        proof = None
        if prove:
            first = codemod.Interpreter(source, source_venv or _venv(source, before))
            second = codemod.Interpreter(target, target_venv or _venv(target, after))
            with _warm_home() as home:
                pinned = intervals == "pin"
                proof = codemod.prove(
                    before,
                    after,
                    first,
                    second,
                    is_pinned=pinned,
                    timezone=options.default_timezone,
                    home=home,
                    progress=say,
                )
        if write:
            _write_back(after, path, _accepted(only, done))
    data = {"source_version": source, **done.as_data(), "proof": proof.as_data() if proof else None}
    if report is not None:
        report.write_text(json.dumps(data, indent=1, default=str) + "\n", encoding="utf-8")
    if html is not None:
        html.write_text(page(done, proof, source), encoding="utf-8")
        say(f"The page for review is {html}.")
    if offline.output == "json":
        write_json(data)
    else:
        _show(done, proof, is_diff=diff)
        changed = sum(bool(file.diff) for file in done.files)
        where = (
            f"the result is in {out}"
            if out
            else "the accepted files were changed"
            if only
            else "the files were changed"
            if write
            else "nothing was written (--write, --out)"
        )
        say(f"{changed} of {done.files_total} files changed for Airflow {target}; {where}.")
    if proof and any(file.verdict in ("broken", "different") or file.raising for file in proof.files):
        sys.exit(1)


def _full(text: str) -> str:
    """Give the newest release of a minor version."""
    if text.count(".") == 1:
        found = [version for version in SUPPORTED if version.startswith(f"{text}.")]
        if not found:
            raise Invalid(
                f"There is no Airflow {text}.", code="airflow-version-unsupported", hint="Give --to 3.3, for example."
            )
        return max(found, key=AirflowVersion.parse)
    return str(AirflowVersion.parse(text))


def _folder_of(path: Path, scratch: Path) -> Path:
    if not path.is_file():
        return path
    (scratch / "before").mkdir()
    shutil.copy2(path, scratch / "before" / path.name)
    return scratch / "before"


def _venv(version: str, project: Path) -> Path:
    """Make or find a virtualenv of that Airflow with the project's packages."""
    if version not in SUPPORTED:
        raise Invalid(
            f"A virtualenv with Airflow {version} cannot be made here.",
            code="upgrade-venv-needed",
            hint="Give --source-venv: for 1.10.15, Python 3.8 with `apache-airflow==1.10.15`, `sqlalchemy<1.4`, `markupsafe<2.1`.",
        )
    requirements = project / "requirements.txt"
    lines = requirements.read_text(encoding="utf-8").splitlines() if requirements.is_file() else []
    wanted = tuple(
        line.strip()
        for line in lines
        if line.strip()
        and not line.strip().startswith(("#", "-"))
        and not line.strip().lower().startswith(("apache-airflow=", "apache-airflow["))
    )
    store = VenvStore(Path.home() / ".cache" / "aerodrome" / "venvs")
    return store.ensure(VenvSpec(version, _python(version), wanted), say).path


def _python(version: str) -> str:
    """Give the Python that a virtualenv of that Airflow gets."""
    pythons = AirflowVersion.parse(version).pythons
    return "3.11" if "3.11" in pythons or not pythons else pythons[-1]


@contextmanager
def _warm_home() -> Iterator[Path | None]:
    """Give the folder in which both Airflows stay started for the next proof; None while another proof uses it, or where it cannot be."""
    place = Path.home() / ".cache" / "aerodrome" / "proofs"
    with ExitStack() as held:
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            fcntl.flock(held.enter_context((place / "lock").open("w")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held by another (BlockingIOError), or a home that cannot be written
            found = None
        else:
            found = place
        yield found


def _accepted(only: Path | None, done: codemod.CodeUpgrade) -> frozenset[str]:
    """Read the list of accepted files; all that change without one. A name that is not among them is an error."""
    changed = frozenset(file.path for file in done.files if file.diff)
    if only is None:
        return changed
    wanted = frozenset(line.strip() for line in only.read_text(encoding="utf-8").splitlines() if line.strip())
    if unknown := sorted(wanted - changed):
        raise Invalid(
            f"{only} names {unknown[0]}, which the upgrade does not change.",
            code="upgrade-only-unknown",
            hint="Make the list anew with --html; paths are relative to the project.",
        )
    return wanted


def _write_back(after: Path, path: Path, accepted: frozenset[str]) -> None:
    """Replace the accepted files, each in one step; nothing is written when one of them lies outside the project."""
    places = {name: path if path.is_file() else path / name for name in sorted(accepted)}
    for place in places.values():
        if path.is_dir() and not place.resolve().is_relative_to(path.resolve()):
            raise Conflict(f"{place} is a link out of the project.", code="upgrade-link", hint="Use --out.")
    for name, place in places.items():
        real = place.resolve()
        draft = real.with_name(f".{real.name}.upgraded")
        if real.is_file():
            shutil.copy2(real, draft)  # its mode
        draft.write_bytes((after / name).read_bytes())
        draft.replace(real)


def _show(done: codemod.CodeUpgrade, proof: codemod.Proof | None, *, is_diff: bool) -> None:
    for file in done.files if is_diff else ():
        sys.stdout.write(file.diff + ("\n" if file.diff and not file.diff.endswith("\n") else ""))
    if done.rules:
        write_table(("Rule", "Fixes"), [[rule, str(count)] for rule, count in done.rules.items()])
    if done.findings:
        rows = [[f"{item.file}:{item.line}", item.rule, item.message, item.hint] for item in done.findings]
        write_table(("Where", "Rule", "What a person must look at", "What to do"), rows)
    if proof is None:
        return
    rows = [[item.file, item.verdict, _why(item)] for item in proof.files if item.verdict != "equal"]
    if rows:
        write_table(("File", "Proof", "Why"), rows)
    say(
        f"Proof of {len(proof.files)} files in {proof.seconds} s, read by Python {proof.source_python} and {proof.target_python}: "
        + ", ".join(f"{count} {word}" for word, count in proof.verdicts.items())
    )
    if failing := [file for file in proof.files if file.raising]:
        say(
            f"In {len(failing)} of them {sum(len(file.raising) for file in failing)} tasks or hooks raise when they run: their class is gone."
        )


def _why(item: codemod.FileProof) -> str:
    if item.reason:
        return item.reason
    first = item.differences[0]
    more = f" (and {len(item.differences) - 1} more)" if len(item.differences) > 1 else ""
    values = f"{str(first.before)[:_LONG]} -> {str(first.after)[:_LONG]}"
    return f"{first.dag_id}: {first.path} {values}. {first.reason}{more}"
