"""A value that may be null compares as in Oozie: null only equals null (JSP 2.0, 2.3.5)."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest

from aerodrome.migration.convert.oozie import evaluation
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.needs import Needs, Words
from aerodrome.migration.convert.oozie.properties import Layer, Scope

OUTPUT = {"tide": "high", "rows": "7", "blank": "", "is_open": "true"}
CASES = [
    ("wf:actionData('gauge')['absent'] == 0", False),
    ("wf:actionData('gauge')['absent'] lt 5", False),
    ("wf:actionData('gauge')['absent'] ge 0", False),
    ("wf:actionData('gauge')['absent'] ne 0", True),
    ("0 == wf:actionData('gauge').absent", False),
    ("wf:actionData('gauge')['absent'] + 1 == 1", True),
    ("wf:actionData('gauge')['blank'] == 0", True),
    ("wf:actionData('gauge')['rows'] == 7", True),
    ("wf:actionData('gauge')['absent'] eq ''", False),
    ("wf:actionData('gauge')['blank'] eq ''", True),
    ("wf:actionData('gauge')['absent'] ne 'high'", True),
    ("wf:actionData('gauge')['tide'] eq 'high'", True),
    ("wf:actionData('gauge')['absent'] lt 'z'", False),
    ("wf:actionData('gauge')['tide'] lt 'z'", True),
    ("wf:actionData('gauge')['absent'] == wf:actionData('gauge')['none']", True),
    ("wf:actionData('gauge')['absent'] le wf:actionData('gauge')['none']", True),
    ("wf:actionData('gauge')['absent'] le wf:actionData('gauge')['tide']", False),
    ("wf:actionData('gauge')['absent'] == false", False),
    ("wf:actionData('gauge')['absent'] != false", True),
    ("wf:actionData('gauge')['is_open'] == true", True),
    ("wf:actionData('gauge')['absent'] eq null", True),
    ("wf:actionData('gauge')['blank'] eq null", False),
    ("null ne wf:actionData('gauge')['tide']", True),
    ("wf:actionData('gauge')['absent'] lt null", False),
    ("empty wf:actionData('gauge')['absent']", True),
    ("(known eq 'k' ? wf:actionData('gauge')['absent'] : '') eq ''", False),
    ("(known eq 'x' ? wf:actionData('gauge')['absent'] : '') eq ''", True),
    ("known eq null", False),
    ("null eq null", True),
    ("wf:conf('known') ne null", True),
    ("wf:conf('nowhere') eq null", True),
    ("wf:conf('nowhere') eq ''", False),
    ("wf:conf('nowhere') lt 5", False),
    ("wf:conf('nowhere') ne 'x'", True),
    ("firstNotNull(wf:actionData('gauge')['absent'], 'x') eq 'x'", True),
    ("firstNotNull(wf:actionData('gauge')['blank'], 'x') eq ''", True),
    ("firstNotNull(wf:actionData('gauge')['tide'], 'x') eq 'high'", True),
    ("firstNotNull('', 'x') eq ''", True),
    ("firstNotNull(null, 'x') eq 'x'", True),
    ("firstNotNull(wf:lastErrorNode(), 'x') eq 'x'", True),
    ("firstNotNull((known eq 'k' ? wf:actionData('gauge')['absent'] : ''), 'x') eq 'x'", True),
    ("firstNotNull((known eq 'x' ? wf:actionData('gauge')['absent'] : ''), 'x') eq ''", True),
    ("firstNotNull(wf:conf('nowhere'), 'x') eq 'x'", True),
    ("wf:lastErrorNode() eq null", True),
    ("wf:lastErrorNode() eq ''", False),
]


class Task:
    def xcom_pull(self, **_: Any) -> dict[str, str]:
        return OUTPUT


def compiler(language: str) -> Compiler:
    words = Words("app", {"gauge": "gauge"})
    return Compiler(Scope((Layer("job", {"known": "k"}),)), words, Needs(), language)


@pytest.mark.parametrize(("text", "is_true"), CASES)
def test_decisions(text: str, is_true: bool) -> None:
    made = compiler("python")
    code = made.condition("${" + text + "}")
    names: dict[str, Any] = {}
    exec("\n".join(function.source for function in made.needs.functions.values()), names)
    assert eval(code, names, {"params": made.needs.parameters, "ti": Task()}) is is_true


@pytest.mark.parametrize(("text", "is_true"), CASES)
def test_arguments(text: str, is_true: bool) -> None:
    made = compiler("jinja")
    template = made.template("${" + text + " ? 'yes' : 'no'}")
    names: dict[str, Any] = {}
    exec("\n".join(function.source for function in made.needs.functions.values()), names)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    given = {"params": made.needs.parameters, "ti": Task()} | names
    assert environment.from_string(template).render(given) == ("yes" if is_true else "no")


@pytest.mark.parametrize(("text", "is_true"), [case for case in CASES if "wf:conf" not in case[0]])
def test_the_proof_takes_them_for_the_same(text: str, is_true: bool) -> None:
    functions: dict[str, Any] = {
        "wf:actionData": lambda _: OUTPUT,
        "wf:lastErrorNode": lambda: None,
        "firstNotNull": lambda one, two: two if one is None else one,
    }
    assert evaluation.evaluate("${" + text + "}", lambda _: "k", functions) == str(is_true).lower()


def test_what_is_absent_is_written_as_nothing() -> None:
    made = compiler("jinja")
    template = made.template("<${wf:actionData('gauge')['absent']}>")
    assert jinja2.Environment().from_string(template).render(ti=Task()) == "<>"
