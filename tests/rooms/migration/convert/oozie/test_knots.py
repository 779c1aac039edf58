"""Workflows made by hand, each with a knot that people tie: their DAGs do the same as Oozie in every outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from aerodrome.migration.convert.oozie.model import read_workflow
from aerodrome.migration.convert.oozie.proof import prove_flow
from aerodrome.migration.convert.oozie.reading import read
from aerodrome.migration.convert.xmlreading import read_file

_END: Final = '<kill name="k"><message>no</message></kill><kill name="k2"><message>no</message></kill><end name="end"/>'


def action(name: str, ok: str, error: str) -> str:
    return f'<action name="{name}"><shell><exec>true</exec></shell><ok to="{ok}"/><error to="{error}"/></action>'


def decision(name: str, *to: str) -> str:
    cases = "".join(f'<case to="{item}">${{wf:conf("{name}") eq "{at}"}}</case>' for at, item in enumerate(to[:-1]))
    return f'<decision name="{name}"><switch>{cases}<default to="{to[-1]}"/></switch></decision>'


def fork(name: str, *to: str) -> str:
    return f'<fork name="{name}">' + "".join(f'<path start="{item}"/>' for item in to) + "</fork>"


def join(name: str, to: str) -> str:
    return f'<join name="{name}" to="{to}"/>'


_KNOTS: Final = {
    "a decision in a fork leads to a kill": (
        "f",
        fork("f", "d", "b")
        + decision("d", "k", "a", "j")
        + action("a", "j", "k")
        + action("b", "j", "k")
        + join("j", "c")
        + action("c", "end", "k"),
    ),
    "several cases lead to one node": (
        "d",
        decision("d", "a", "a", "b", "a", "end") + action("a", "end", "k") + action("b", "a", "a"),
    ),
    "the default is a kill, a case the end": (
        "d",
        decision("d", "a", "end", "k") + action("a", "d2", "d2") + decision("d2", "end", "k2", "k"),
    ),
    "nothing but a decision": ("d", decision("d", "end", "k")),
    "errors lead to the join": (
        "f",
        fork("f", "a", "b") + action("a", "j", "j") + action("b", "j", "k") + join("j", "c") + action("c", "end", "k"),
    ),
    "handlers in a fork": (
        "f",
        fork("f", "a", "b")
        + action("a", "j", "h")
        + action("h", "j", "k")
        + action("b", "b2", "h2")
        + action("b2", "j", "k")
        + action("h2", "j", "j")
        + join("j", "c")
        + action("c", "end", "k"),
    ),
    "two branches share a handler that kills": (
        "f",
        fork("f", "a", "b")
        + action("a", "j", "m")
        + action("b", "j", "m")
        + action("m", "k", "k")
        + join("j", "c")
        + action("c", "end", "m"),
    ),
    "ok leads to a kill": ("a", action("a", "k", "b") + action("b", "end", "k2")),
    "ok and error lead to the end": ("a", action("a", "end", "end")),
    "forks and decisions in each other": (
        "f",
        fork("f", "d", "f2")
        + decision("d", "x", "y", "j")
        + action("x", "j", "k")
        + action("y", "j", "j")
        + fork("f2", "p", "q")
        + action("p", "j2", "k")
        + action("q", "j2", "j2")
        + join("j2", "r")
        + action("r", "j", "k")
        + join("j", "e")
        + action("e", "end", "k"),
    ),
    "a case leads to a fork": (
        "d",
        decision("d", "f", "s", "end")
        + fork("f", "a", "b")
        + action("a", "j", "k")
        + action("b", "j", "k")
        + join("j", "s")
        + action("s", "end", "s2")
        + action("s2", "k", "k"),
    ),
    "handlers lead back": (
        "a",
        action("a", "b", "h")
        + action("h", "b", "k")
        + action("b", "c", "h2")
        + action("h2", "c", "end")
        + action("c", "end", "k"),
    ),
    "one handler for all, then the end": (
        "a",
        action("a", "b", "m") + action("b", "c", "m") + action("c", "end", "m") + action("m", "end", "k"),
    ),
    "a decision leads to a handler": (
        "a",
        action("a", "d", "m")
        + decision("d", "m", "b", "k")
        + action("b", "end", "m")
        + action("m", "d2", "k")
        + decision("d2", "k", "end"),
    ),
    "a decision in a fork leads to kills or the join": (
        "f",
        fork("f", "d", "b")
        + decision("d", "k", "k2", "j")
        + action("b", "j", "k")
        + join("j", "c")
        + action("c", "end", "k"),
    ),
    "a fork leads to a fork": (
        "f",
        fork("f", "f2", "a")
        + fork("f2", "b", "c")
        + action("a", "j", "k")
        + action("b", "j2", "k")
        + action("c", "j2", "k")
        + join("j2", "j")
        + join("j", "end"),
    ),
    "branches end by themselves": ("f", fork("f", "a", "b") + action("a", "end", "k") + action("b", "end", "k")),
    "a fork of decisions": (
        "f",
        fork("f", "d1", "d2")
        + decision("d1", "a", "j")
        + decision("d2", "b", "j")
        + action("a", "j", "k")
        + action("b", "j", "k")
        + join("j", "z")
        + action("z", "end", "k"),
    ),
    "decisions in a row": (
        "d1",
        decision("d1", "d2", "a")
        + decision("d2", "d3", "a", "b")
        + decision("d3", "a", "b", "end", "k")
        + action("a", "b", "k")
        + action("b", "end", "k"),
    ),
    "a fork behind a join": (
        "f",
        fork("f", "a", "b")
        + action("a", "j", "k")
        + action("b", "j", "k")
        + join("j", "d")
        + decision("d", "f2", "end")
        + fork("f2", "c", "e")
        + action("c", "j2", "k")
        + action("e", "j2", "k")
        + join("j2", "end"),
    ),
    "an error leads to a fork": (
        "a",
        action("a", "end", "f") + fork("f", "b", "c") + action("b", "j", "k") + action("c", "j", "k") + join("j", "k2"),
    ),
    "ok and error lead to a fork": (
        "a",
        action("a", "f", "f")
        + fork("f", "b", "c")
        + action("b", "j", "k")
        + action("c", "j", "k")
        + join("j", "m")
        + action("m", "end", "k"),
    ),
}


@pytest.mark.parametrize("name", _KNOTS)
def test_a_knot_is_tied_as_in_oozie(tmp_path: Path, name: str) -> None:
    start, nodes = _KNOTS[name]
    (path := tmp_path / "workflow.xml").write_text(
        f'<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="{start}"/>{nodes}{_END}</workflow-app>'
    )
    workflow = read_workflow(read_file(path), "workflow.xml")
    (dag,) = read(tmp_path, {}).dags
    assert not workflow.defects
    assert not [item for item in dag.accounts if item.outcome == "raises"]
    assert prove_flow(workflow, dag) == ()
