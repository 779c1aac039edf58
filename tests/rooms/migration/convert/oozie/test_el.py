"""EL becomes templates and conditions with the same value."""

from __future__ import annotations

import datetime as dt
import shlex
from pathlib import Path
from typing import Any

import jinja2
import pytest

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.emission import compose
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.el import parse
from aerodrome.migration.convert.oozie.javatext import regex, strftime
from aerodrome.migration.convert.oozie.needs import Needs, Unsupported, Words
from aerodrome.migration.convert.oozie.properties import Layer, Scope, parse_properties
from aerodrome.migration.convert.oozie.reading import read

VALUES = {"a": "x y", "b": "7", "flag": "true", "empty_one": "", "dollar": 'it\'s $HOME `id` "q"'}


def helpers(needs: Needs) -> dict[str, Any]:
    """Give the functions that the DAG file would define."""
    names: dict[str, Any] = {}
    exec("\n".join(function.source for function in needs.functions.values()), names)
    return names


def rendered(text: str, *, is_quoted: bool = False, scope: Scope | None = None) -> str:
    needs = Needs()
    template = Compiler(scope or Scope(), Words("app", {"one": "one"}), needs).template(text, is_quoted=is_quoted)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    known = {**{name: default for name, default in needs.parameters.items() if default is not None}, **VALUES}
    return environment.from_string(template).render(params=known, run_id="run", **helpers(needs))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${a}/b", "x y/b"),
        ("${concat(a, concat('-', b))}", "x y-7"),
        ("${b + 3 > 9 ? 'more' : 'less'}", "more"),
        ("${b-1}", "6"),
        ("${b / 2}", "3.5"),
        ("${'1.5' * 2}", "3.0"),
        ("${flag and not empty a}", "true"),
        ("${empty empty_one}", "true"),
        ("${trim(concat(' ', b))}", "7"),
        ("${2 * KB}", "2048"),
        ("{{ literal }} {% raw %}", "{{ literal }} {% raw %}"),
        ("${wf:id()}", "run"),
    ],
)
def test_templates_render_to_what_oozie_gives(text: str, value: str) -> None:
    assert rendered(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"${concat('1\\.', '-')}", r"1\.-"),
        (r"${'it\'s'}", "it's"),
        (r"""${"a \"b\" c"}""", 'a "b" c'),
        (r"${'C:\\x'}", r"C:\x"),
        (r"${concat('1\.', '-')}", None),
        (r"${'a\d'}", None),
        (r"${'a\\\d'}", None),
    ],
)
def test_a_backslash_escapes_only_quotes_and_itself(text: str, value: str | None) -> None:
    """Oozie's parser refuses a text with any other: it is no text without the backslash."""
    if value is not None:
        assert rendered(text) == value
        return
    with pytest.raises(Unsupported, match="no escape"):
        rendered(text)


@pytest.mark.parametrize("text", ["${dollar}", "--x=${dollar};${a}", "plain; rm -rf 'it'", "${empty_one}", ""])
def test_an_argument_stays_one_word(text: str) -> None:
    want = rendered(text)
    assert shlex.split(rendered(text, is_quoted=True)) == [want]


@pytest.mark.parametrize(
    ("predicate", "is_true"),
    [
        ("${wf:conf('b') eq '7'}", True),
        ("${b gt 10}", False),
        ("${flag}", True),
        ("${flag == 'false' || b lt 8}", True),
        ("${not (b == 7)}", False),
        ("true", True),
        ("${b} == 7", False),
    ],
)
def test_conditions(predicate: str, is_true: bool) -> None:
    needs = Needs()
    code = Compiler(Scope((Layer("job", VALUES),)), Words("app", {}), needs, "python").condition(predicate)
    assert eval(code, helpers(needs), {"params": VALUES}) is is_true


def test_values_are_put_together_in_the_order_of_oozie() -> None:
    job = Layer(
        "job", {"root": "/data", "path": "${root}/in", "day": "${coord:formatTime(coord:nominalTime(), 'yyyyMMdd')}"}
    )
    scope = Scope(
        (
            Layer("coordinator", {"path": "${path}/more"}, is_outward=True),
            job,
            Layer("defaults", {"root": "/no", "x": "1"}, is_default=True),
        )
    )
    assert scope.constant("path") == "/data/in/more"
    assert scope.constant("x") == "1"
    needs = Needs()
    text = Compiler(scope, Words("app", {}), needs).template("${day}/${unknown}/${root}")
    day, unknown, root = text.split("/", 2)
    assert day == '{{ (params.day if params.day is not none else logical_date.strftime("%Y%m%d")) }}'
    assert (unknown, root) == ("{{ params.unknown }}", "{{ params.root }}")
    assert needs.parameters == {"day": None, "unknown": None, "root": "/data"}


@pytest.mark.parametrize("text", ["${hadoop:counters('a')['b']}", "${wf:actionData(x)['a']}", "${unheard:of()}"])
def test_what_has_no_equivalent_says_so(text: str) -> None:
    with pytest.raises(Unsupported):
        rendered(text)


@pytest.mark.parametrize(
    "text", ["${a", "${a b}", "${(a}", "${'a'", "${" + "(" * 100 + "}", "${" + "not " * 5000 + "a}"]
)
def test_broken_expressions_are_named(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert caught.value.code == "el-invalid"


def test_values_that_grow_or_turn_in_circles_end() -> None:
    doubling = {f"v{number}": f"${{v{number + 1}}}${{v{number + 1}}}" for number in range(40)}
    assert Scope((Layer("job", {**doubling, "v40": "x"}),)).constant("v0") is None
    with pytest.raises(Unsupported):
        rendered(
            "${v0}",
            scope=Scope(
                (Layer("job", {f"v{number}": f"${{v{number + 1}}}${{v{number + 1}}}" for number in range(18)}),)
            ),
        )
    circle = Scope((Layer("job", {"a": "${b}", "b": "${a}"}),))
    assert circle.constant("a") is None
    with pytest.raises(Unsupported):
        rendered("${a}", scope=circle)


def test_java_texts() -> None:
    assert strftime("yyyy-MM-dd'T'HH:mm'Z'") == "%Y-%m-%dT%H:%MZ"
    assert strftime("yyyy/M/d 100%") == "%Y/%-m/%-d 100%%"
    assert strftime("ww") is None
    assert regex("(a+)/b", "$1-c") == ("(a+)/b", r"\g<1>-c")
    assert regex(r"\p{Alpha}", "") is None


def test_properties() -> None:
    found: dict[str, Any] = parse_properties("# no\n! no\na = 1\nb:two \\\n   more\nc\\ d=\\u00e9\nempty\n")
    assert found == {"a": "1", "b": "two more", "c d": "é", "empty": ""}


def test_functions_of_the_site_are_those_that_the_profile_names(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="d"/><decision name="d"><switch><case to="a">${site:fiscal(day) eq "4"}</case>'
        '<default to="end"/></switch></decision><action name="a"><shell><exec>run</exec><argument>${site:fiscal(concat(day, "x"))}</argument></shell><ok to="end"/><error to="k"/></action>'
        '<kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    (dag,) = read(tmp_path, {"functions": {"site:fiscal": "company.calendar.fiscal"}}).dags
    assert {item.code for item in dag.accounts if item.name in ("a", "d")} == {"site-function"}
    text = "".join(compose(read(tmp_path, {"functions": {"site:fiscal": "company.calendar.fiscal"}}), "3.3").values())
    assert "import company.calendar\n" in text
    assert '"site_fiscal": company.calendar.fiscal' in text
    assert 'site_fiscal((params.day ~ "x"))' in text
    assert 'if company.calendar.fiscal(params["day"]) == "4":' in text
    assert {item.code for item in read(tmp_path, {}).dags[0].accounts if item.outcome == "raises"} == {"el-function"}


@pytest.mark.parametrize("path", ["fiscal", "os.system('x')", "a..b"])
def test_a_function_of_the_site_is_one_of_a_module(path: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="functions"):
        read(tmp_path, {"functions": {"site:fiscal": path}})


def test_the_names_of_a_coordinator_and_its_workflow_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:0.5" name="load-${region}-${day}"><start to="a"/><action name="a"><shell><exec>run</exec><argument>${wf:name()}</argument>'
        '<argument>${of}</argument></shell><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    (tmp_path / "job.properties").write_text("region=eu\n")
    (tmp_path / "coordinator.xml").write_text(
        '<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="every-${region}" frequency="${coord:days(1)}" start="2026-01-01T00:00Z" end="2027-01-01T00:00Z" timezone="UTC">'
        "<action><workflow><app-path>workflow.xml</app-path><configuration><property><name>of</name><value>${coord:name()}</value></property><property><name>day</name>"
        "<value>${coord:formatTime(coord:nominalTime(), 'dd')}</value></property></configuration></workflow></action></coordinator-app>"
    )
    (dag,) = read(tmp_path, {}).dags
    assert dict(dag.task("a").arguments)["bash_command"] == (
        'run {{ ("load-" ~ params.region ~ "-" ~ logical_date.strftime("%d")) | quote }} {{ ("every-" ~ params.region) | quote }}'
    )


def test_a_function_of_the_site_may_be_a_text_or_an_expression(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="d"/><decision name="d"><switch><case to="a">${site:shift(day, 1) eq "2026-01-02"}</case>'
        '<default to="end"/></switch></decision><action name="a"><shell><exec>run</exec><argument>${site:env()}</argument><argument>${site:shift("2026-02-28", "1")}</argument></shell>'
        '<ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    shift = {
        "arguments": ["day", "n"],
        "imports": ["datetime"],
        "python": "datetime.date.fromisoformat(day) + datetime.timedelta(int(n))",
    }
    profile = {"functions": {"site:env": {"value": "it's prod"}, "site:shift": shift}}
    (dag,) = read(tmp_path, profile).dags
    assert {item.code for item in dag.accounts if item.name in ("a", "d")} == {"site-function"}
    (made,) = (item for item in dag.functions if item.name == "site_shift")
    scope: dict[str, Any] = {"datetime": dt}
    exec(made.source, scope)
    assert scope["site_shift"]("2026-02-28", "1") == "2026-03-01"
    command = str(dict(dag.task("a").arguments)["bash_command"])
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    assert shlex.split(environment.from_string(command).render(site_shift=scope["site_shift"])) == [
        "run",
        "it's prod",
        "2026-03-01",
    ]
    text = "".join(compose(read(tmp_path, profile), "3.3").values())
    assert 'if site_shift(params["day"], ' in text
    assert "import datetime\n" in text
    compile(
        next(
            value
            for name, value in compose(read(tmp_path, profile), "3.3").items()
            if name == "dags/w.py" or name.endswith("w_dag.py")
        ),
        "w",
        "exec",
    )
    wrong = {"functions": {"site:env": {"value": "x"}, "site:shift": {"arguments": ["day"], "python": "day"}}}
    assert "el-arguments" in {item.code for item in read(tmp_path, wrong).dags[0].accounts if item.outcome == "raises"}


@pytest.mark.parametrize(
    "given", [{"python": "1 +"}, {"python": "a, b"}, {"python": "a # b"}, {"python": "x", "arguments": ["a b"]}, {"python": "x", "imports": ["os; x"]}, {"value": "x", "python": "x"}, {"call": "x"}, {}]
)  # fmt: skip
def test_what_a_profile_says_of_a_function_is_checked(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="functions"):
        read(tmp_path, {"functions": {"site:shift": given}})
