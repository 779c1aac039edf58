"""What the schemas of Oozie refuse raises: nothing of it is dropped without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read

_NAMELESS = "<configuration><property><n>x</n><value>1</value></property></configuration>"
_VALUELESS = "<configuration><property><name>x</name></property></configuration>"
_WHOLE = "<configuration><property><name>x</name><value/></property></configuration>"
_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="go"/><action name="go"><shell xmlns="uri:oozie:shell-action:0.3">{inner}
  <exec>run.sh</exec></shell><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_COORDINATOR = """<coordinator-app name="c" frequency="${coord:days(1)}" start="2024-03-01T00:00Z" {end} timezone="UTC"
  xmlns="uri:oozie:coordinator:0.4"><action><workflow><app-path>/apps/elsewhere</app-path>{inner}</workflow></action></coordinator-app>"""
_BUNDLE = """<bundle-app xmlns="uri:oozie:bundle:0.2" name="b"><coordinator name="c"><app-path>/apps/coordinator.xml</app-path>{inner}</coordinator></bundle-app>"""


def convert(folder: Path, **files: str) -> Dag:
    for name, text in files.items():
        (folder / f"{name}.xml").write_text(text)
    (dag,) = read(folder, {}).dags
    return dag


def codes(dag: Dag) -> set[str]:
    return {item.code for item in dag.accounts if item.outcome == "raises"}


def coordinator(inner: str = "", end: str = 'end="2025-01-01T00:00Z"') -> str:
    return _COORDINATOR.replace("{inner}", inner).replace("{end}", end)


@pytest.mark.parametrize(("inner", "is_refused"), [(_NAMELESS, True), (_VALUELESS, True), (_WHOLE, False)])
def test_a_property_without_name_or_value(tmp_path: Path, inner: str, is_refused: bool) -> None:
    for name in ("workflow", "coordinator", "bundle"):
        (tmp_path / name).mkdir()
    assert bool(codes(convert(tmp_path / "workflow", w=_WORKFLOW.replace("{inner}", inner)))) == is_refused
    assert bool(codes(convert(tmp_path / "coordinator", coordinator=coordinator(inner)))) == is_refused
    made = convert(tmp_path / "bundle", bundle=_BUNDLE.replace("{inner}", inner), coordinator=coordinator())
    assert bool(codes(made)) == is_refused
    if is_refused:
        assert [task.role for task in made.tasks] == ["raises"]


def test_parameters_may_lack_their_value(tmp_path: Path) -> None:
    text = _WORKFLOW.replace("<start", "<parameters><property><name>x</name></property></parameters><start", 1)
    assert not codes(convert(tmp_path, w=text.replace("{inner}", "")))


def test_a_coordinator_without_an_end(tmp_path: Path) -> None:
    dag = convert(tmp_path, coordinator=coordinator(end=""))
    assert codes(dag) == {"end-refused"}
    assert "it has none" in next(item.reason for item in dag.accounts if item.code == "end-refused")


_PIG = "<pig><script>/s/one.pig</script><param>a=1</param><script>/s/two.pig</script><param>a=2</param></pig>"
_TWICE = "<hive xmlns='uri:oozie:hive-action:0.2'><script>a.hql</script><script>b.hql</script></hive>"
_ONCE = "<pig><script>/s/one.pig</script><param>a=1</param><param>b=2</param><file>/a</file><file>/b</file></pig>"
_SHELL = "<shell xmlns='uri:oozie:shell-action:0.3'><exec>a.sh</exec><argument>1</argument><exec>b.sh</exec></shell>"
_CONFIGURATION = "<configuration><property><name>x</name><value>1</value></property></configuration>"
_DOUBLE = f"<pig>{_CONFIGURATION}{_CONFIGURATION}<script>/s/one.pig</script></pig>"


@pytest.mark.parametrize(
    ("body", "twice"),
    [(_PIG, "script"), (_TWICE, "script"), (_SHELL, "exec"), (_DOUBLE, "configuration"), (_ONCE, "")],
)
def test_what_an_action_has_once(tmp_path: Path, body: str, twice: str) -> None:
    start = _WORKFLOW.index("<shell")
    text = _WORKFLOW[:start] + body + _WORKFLOW[_WORKFLOW.index("</shell>") + len("</shell>") :]
    dag = convert(tmp_path, w=text)
    assert codes(dag) == ({"workflow-refused"} if twice else set())
    if twice:
        assert f"<{twice}>" in next(item.reason for item in dag.accounts if item.code == "workflow-refused")
