"""Datasets of which a part is not known: only that part is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.inside import oozie_instances
from aerodrome.migration.convert.oozie.reading import read

_COORDINATOR = """<coordinator-app name="c" frequency="${coord:days(1)}" start="2024-03-01T05:00Z" end="2024-06-01T00:00Z" timezone="UTC"
  xmlns="uri:oozie:coordinator:0.4"><datasets><dataset name="d" {attributes}><uri-template>{path}/${YEAR}-${MONTH}-${DAY}</uri-template>
  <done-flag>{flag}</done-flag></dataset></datasets><input-events><data-in name="x" dataset="d"><instance>{instance}</instance></data-in></input-events>
  <action><workflow><app-path>/apps/elsewhere</app-path></workflow></action></coordinator-app>"""
_KNOWN = {"frequency": "${coord:days(2)}", "initial-instance": "2024-01-01T05:00Z", "timezone": "Asia/Tokyo"}


def convert(
    folder: Path, path: str = "/d", flag: str = "ready", instance: str = "${coord:current(0)}", **more: str
) -> Dag:
    attributes = " ".join(
        f'{key}="{value}"' for key, value in {**_KNOWN, **{k.replace("_", "-"): v for k, v in more.items()}}.items()
    )
    text = _COORDINATOR
    for key, value in {"attributes": attributes, "path": path, "flag": flag, "instance": instance}.items():
        text = text.replace("{" + key + "}", value)
    (folder / "coordinator.xml").write_text(text)
    (dag,) = read(folder, {}).dags
    return dag


def asked(dag: Dag) -> set[str]:
    return {item.name for item in dag.parameters if item.default is None}


def uris(dag: Dag, **params: str) -> list[str]:
    scope: dict[str, Any] = dict(vars(oozie_instances))
    exec(next(item.source for item in dag.functions if item.name == "x_uris"), scope)
    found = scope["x_uris"](
        datetime(2024, 3, 2, 5, tzinfo=UTC),
        {f"dataset.d.{key.replace('_', '-')}": item for key, item in params.items()},
    )
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("unknown", "params"),
    [
        ({"initial_instance": "${first}"}, {"initial_instance": "2024-01-01T05:00Z"}),
        ({"frequency": "${often}"}, {"unit": "days", "amount": "2"}),
        ({"timezone": "${zone}"}, {"zone": "Asia/Tokyo"}),
        (
            {"timezone": "${zone}", "initial_instance": "${first}"},
            {"zone": "Asia/Tokyo", "initial_instance": "2024-01-01T05:00Z"},
        ),
    ],
)
def test_only_what_is_not_known_is_asked_for(tmp_path: Path, unknown: dict[str, str], params: dict[str, str]) -> None:
    known = uris(convert(tmp_path))
    dag = convert(tmp_path, **unknown)
    assert asked(dag) == {f"dataset.d.{key.replace('_', '-')}" for key in params}
    assert uris(dag, **params) == known == ["/d/2024-03-01"]
    (account,) = (item for item in dag.accounts if item.element == "coordinator/data-in")
    assert account.code == "dataset-asked"
    assert all(f"dataset.d.{key.replace('_', '-')}" in account.reason for key in params)
    source = next(item.source for item in dag.functions if item.name == "x_arrived")
    assert '"/ready"' in source


def test_the_distance_to_a_zone_that_is_asked_for_is_read_in_the_run(tmp_path: Path) -> None:
    dag = convert(tmp_path, instance="${coord:current(coord:tzOffset() / 540)}", timezone="${zone}")
    assert uris(dag, zone="Asia/Tokyo") == ["/d/2024-03-03"]
    assert uris(dag, zone="UTC") == ["/d/2024-03-01"]


@pytest.mark.parametrize(
    ("path", "flag", "is_told"),
    [
        ("/d/*.csv", "ready", True),
        ("/d/[ab]", "ready", True),
        ("/d", "part-*", True),
        ("/d/${root}", "ready", False),
        ("/d/${'$'}{MONTH + 0}", "ready", False),
        ("/d/${many}", "ready", True),
    ],
)
def test_signs_of_a_pattern_in_a_path_are_told(tmp_path: Path, path: str, flag: str, is_told: bool) -> None:
    (tmp_path / "coordinator.properties").write_text("many=*.csv\n")
    (account,) = (item for item in convert(tmp_path, path, flag).accounts if item.element == "coordinator/data-in")
    assert ("uri-pattern" in account.code) == is_told
