"""The names of data events, what is asked for when nobody knows it, and what a bundle takes for granted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aerodrome.migration.convert.contract import Conversion, Dag
from aerodrome.migration.convert.oozie.reading import read

_DATASETS = "".join(
    f'<dataset name="{name}" frequency="${{coord:days(1)}}" initial-instance="2026-01-01T00:00Z" timezone="UTC">'
    f"<uri-template>/{name}/${{YEAR}}-${{MONTH}}-${{DAY}}</uri-template></dataset>"
    for name in ("raw", "made")
)


def data(kind: str, name: str, dataset: str, instance: str = "${coord:current(0)}") -> str:
    return f'<data-{kind} name="{name}" dataset="{dataset}"><instance>{instance}</instance></data-{kind}>'


def coordinator(inputs: str, outputs: str = "", values: str = "", more: str = "") -> str:
    events = f"<output-events>{outputs}</output-events>" if outputs else ""
    return (
        '<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="c" frequency="${coord:days(1)}" start="2026-01-05T00:00Z"'
        f' end="2027-01-01T00:00Z" timezone="UTC">{more}<datasets>{_DATASETS}</datasets><input-events>{inputs}</input-events>{events}'
        f"<action><workflow><app-path>/elsewhere/w</app-path><configuration>{values}</configuration></workflow></action></coordinator-app>"
    )


def value(name: str, text: str) -> str:
    return f"<property><name>{name}</name><value>{text}</value></property>"


def convert(folder: Path, text: str, profile: dict[str, Any] | None = None) -> Conversion:
    (folder / "coordinator.xml").write_text(text)
    return read(folder, profile or {})


def conf(dag: Dag) -> dict[str, str]:
    given = dict(dag.task("workflow").arguments)["conf"]
    assert isinstance(given, dict)
    return {key: str(item) for key, item in given.items()}


def sources(dag: Dag) -> dict[str, str]:
    return {item.name: item.source for item in dag.functions}


def test_an_input_and_an_output_of_one_name_are_two(tmp_path: Path) -> None:
    values = value("from", "${coord:dataIn('x')}") + value("to", "${coord:dataOut('x')}")
    (dag,) = convert(tmp_path, coordinator(data("in", "x", "raw"), data("out", "x", "made"), values)).dags
    assert not [item for item in dag.accounts if item.outcome == "raises"]
    assert conf(dag)["from"] == '{{ (x_uris(logical_date, params) | join(",")) }}'
    assert conf(dag)["to"] == '{{ (x_2_uris(logical_date, params) | join(",")) }}'
    assert "/raw/" in sources(dag)["x_uris"]
    assert "/made/" in sources(dag)["x_2_uris"]


def test_inputs_of_one_name_are_all_waited_for_and_the_last_is_read(tmp_path: Path) -> None:
    inputs = data("in", "x", "raw") + data("in", "x", "made") + data("in", "X!", "raw", "${coord:latest(0)}")
    (dag,) = convert(tmp_path, coordinator(inputs, values=value("from", "${coord:dataIn('x')}"))).dags
    assert [task.task_id for task in dag.tasks if task.is_waiting] == ["wait_for_x", "wait_for_x_2", "wait_for_X!_2"]
    assert "/made/" in sources(dag)["x_2_uris"]
    assert "x_2_uris(" in conf(dag)["from"]


def test_inputs_of_a_logic_are_told_apart(tmp_path: Path) -> None:
    logic = '<input-logic><or name="any"><data-in dataset="a-b"/><data-in dataset="a_b"/></or></input-logic>'
    text = coordinator(data("in", "a-b", "raw") + data("in", "a_b", "made")).replace(
        "</input-events>", f"</input-events>{logic}"
    )
    (dag,) = convert(tmp_path, text).dags
    found = sources(dag)
    assert "/raw/" in found["a_b_uris"]
    assert "/made/" in found["a_b_2_uris"]
    assert "there(a_b_uris(logical_date, params)" in found["inputs_arrived"]
    assert "there(a_b_2_uris(logical_date, params)" in found["inputs_arrived"]


def test_an_instance_that_nobody_knows_is_asked_for(tmp_path: Path) -> None:
    text = coordinator(data("in", "x", "raw", "${which}"))
    conversion = convert(tmp_path, text)
    assert {item.code for item in conversion.dags[0].accounts if item.outcome == "raises"} == {"instance-asked"}
    assert "${which}" in next(item.text for item in conversion.questions if item.code == "unknown-instance")
    (dag,) = convert(tmp_path, text, {"defaults": {"which": "${coord:current(-1)}"}}).dags
    assert not [item for item in dag.accounts if item.outcome == "raises"]
    assert "between(logical_date, -1, -1)" in sources(dag)["x_uris"]
    assert "which" not in conf(dag)  # it means nothing in another DAG
    assert "sub-workflow-unsaid" in next(item.code for item in dag.accounts if item.element == "action/sub-workflow")


def test_data_that_no_action_gave_is_empty(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/>'
        '<action name="a"><shell><exec>run</exec><argument>${wf:actionData(\'nobody\')[\'x\']}</argument></shell><ok to="end"/><error to="tell"/></action>'
        '<action name="tell"><shell><exec>tell</exec><argument>${wf:actionData(\'a\')[\'x\']}</argument></shell><ok to="k"/><error to="k"/></action>'
        '<kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    (dag,) = read(tmp_path, {}).dags
    assert {item.name: item.code for item in dag.accounts if item.code}["a"] == "action-data-absent"
    command = str(dict(dag.task("tell").arguments)["bash_command"])
    assert '{{ (ti.xcom_pull(task_ids="a") or {}).get("x", "") | quote }}' in command  # "a" failed before it gave any


def test_one_coordinator_beside_a_bundle_is_not_taken_for_two(tmp_path: Path) -> None:
    convert(tmp_path, coordinator(data("in", "x", "raw")))
    entries = [
        f'<coordinator name="{name}"><app-path>${{{name}}}</app-path></coordinator>' for name in ("first", "second")
    ]

    def codes(*given: str) -> list[str]:
        (tmp_path / "bundle.xml").write_text(
            f'<bundle-app xmlns="uri:oozie:bundle:0.2" name="b">{"".join(given)}</bundle-app>'
        )
        return sorted(
            {item.code for dag in read(tmp_path, {}).dags for item in dag.accounts if "bundle" in item.element}
        )

    assert codes(entries[0]) == ["", "app-path-assumed"]
    assert codes(*entries) == ["coordinator-missing"]
    asked = [item.text for item in read(tmp_path, {}).questions if item.code == "unknown-app-path"]
    assert ["${first}" in asked[0], "${second}" in asked[1]] == [True, True]
