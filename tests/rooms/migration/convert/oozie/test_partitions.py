"""An input that is a partition of a Hive table is waited for by asking Hive, whether its URI is written out or comes from a property."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.needs import Needs, Unsupported, Words, output_key
from aerodrome.migration.convert.oozie.properties import Scope
from aerodrome.migration.convert.oozie.reading import read


def dag(folder: Path, template: str, profile: dict[str, Any] | None = None) -> Dag:
    (folder / "coordinator.xml").write_text(
        '<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="c" frequency="${coord:days(1)}" start="2026-01-01T00:00Z" end="2027-01-01T00:00Z" timezone="UTC">'
        '<datasets><dataset name="logs" frequency="${coord:days(1)}" initial-instance="2026-01-01T00:00Z" timezone="UTC">'
        f"<uri-template>{template}</uri-template><done-flag></done-flag></dataset></datasets>"
        '<input-events><data-in name="logs" dataset="logs"><instance>${coord:current(0)}</instance></data-in></input-events>'
        "<action><workflow><app-path>/elsewhere/w</app-path></workflow></action></coordinator-app>"
    )
    (folder / "job.properties").write_text("hcatNode=hcat://metastore:9083\n")
    return read(folder, profile or {}).dags[0]


@pytest.mark.parametrize("start", ["hcat://metastore:9083", "${hcatNode}"])
@pytest.mark.parametrize(("answer", "is_there"), [("ds=2026-01-05/region=eu\n", True), ("\n", False)])
def test_hive_is_asked_for_the_partition(tmp_path: Path, start: str, answer: str, is_there: bool) -> None:
    made = dag(tmp_path, f"{start}/shop/logs/ds=${{YEAR}}-${{MONTH}}-${{DAY}};region=eu")
    assert [task.full_id for task in made.tasks if task.is_waiting] == ["wait_for_logs"]
    assert not [item for item in made.accounts if item.element == "coordinator/data-in" and item.outcome == "raises"]
    waiting = next(item.source for item in made.functions if item.name == "logs_arrived")
    assert "partition_test(uri)" in waiting
    assert "hdfs_test(" not in waiting
    asked: list[list[str]] = []

    class Hive:
        """Stands for the Hive client."""

        @staticmethod
        def run(argv: list[str], **_: object) -> subprocess.CompletedProcess[str]:
            asked.append(argv)
            return subprocess.CompletedProcess(argv, 0, answer, "")

    space: dict[str, Any] = {"subprocess": Hive, "re": re}
    exec(next(item.source for item in made.functions if item.name == "partition_test"), space)
    assert space["partition_test"]("hcat://metastore:9083/shop/logs/ds=2026-01-05;region=eu") is is_there
    assert asked == [["hive", "-S", "-e", "SHOW PARTITIONS shop.logs PARTITION (ds='2026-01-05', region='eu')"]]
    for wrong in ("hcat://m:1/shop/logs; drop/ds=1", "hcat://m:1/shop/logs/ds=1'"):
        with pytest.raises(ValueError, match="partition"):
            space["partition_test"](wrong)


def test_what_hive_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    """As files are: Oozie puts the check into its queue again until the timeout (4.x/5.x, CoordPushDependencyCheckXCommand.execute)."""
    made = dag(tmp_path, "hcat://m:9083/shop/logs/ds=${YEAR}")
    (tmp_path / "hive").write_text("#!/bin/sh\necho 'Connection refused' >&2\nexit 1\n")
    (tmp_path / "hive").chmod(0o755)
    told: list[str] = []

    class Client:
        """Calls the client that lies in the folder."""

        @staticmethod
        def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            return subprocess.run([str(tmp_path / argv[0]), *argv[1:]], **options)  # noqa: PLW1510

    space: dict[str, Any] = {"subprocess": Client, "re": re, "print": told.append}
    for item in made.functions:
        if item.name in ("partition_test", "logs_arrived"):
            exec(item.source, space)
    space["logs_uris"] = lambda *_: ["hcat://m:9083/shop/logs/ds=2026"]
    assert space["logs_arrived"]({}, None) is False
    assert told == [
        "SHOW PARTITIONS shop.logs PARTITION (ds='2026') ended with 1: Connection refused\n, it is asked again"
    ]


def test_through_ssh_hive_is_asked_on_the_edge_node(tmp_path: Path) -> None:
    made = dag(tmp_path, "hcat://m:9083/shop/logs/ds=${YEAR}", {"runner": "ssh"})
    names = [item.name for item in made.functions]
    assert names.index("hdfs_test") < names.index("partition_test")
    assert 'on_edge_node(shlex.join(["hive"' in next(i.source for i in made.functions if i.name == "partition_test")


URIS = ["hcat://m:9083/shop/logs/ds=2026-01-05;region=EU", "hcat://m:9083/shop/logs/ds=2026-01-04;region=eu"]


WORDS = Words("app", {}, events={"in": "found()", output_key("out"): "found()"})


def helpers(needs: Needs) -> dict[str, Any]:
    """Give the functions that the DAG file would define."""
    space: dict[str, Any] = {"re": re}
    exec("\n".join(function.source for function in needs.functions.values()), space)
    return space


def rendered(text: str, uris: list[str]) -> str:
    needs = Needs()
    template = Compiler(Scope(), WORDS, needs).template(text)
    space = helpers(needs)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    return environment.from_string(template).render(found=lambda: uris, **{name: space[name] for name in needs.macros})


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("databaseIn('in')", "shop"),
        ("table('in', 'input')", "logs"),
        ("table('out', 'output')", "logs"),
        ("dataInPartitionMin('in', 'ds')", "2026-01-04"),
        ("dataInPartitionMax('in', 'region')", "eu"),  # small letters come after capitals, as in Java
        ("dataOutPartitionValue('out', 'region')", "EU"),
        ("dataOutPartitions('out')", "'ds=2026-01-05,region=EU'"),
        (
            "dataInPartitionFilter('in', 'pig')",
            "(ds=='2026-01-05' AND region=='EU') OR (ds=='2026-01-04' AND region=='eu')",
        ),
        (
            "dataInPartitionFilter('in', 'java')",
            "(ds='2026-01-05' AND region='EU') OR (ds='2026-01-04' AND region='eu')",
        ),
    ],
)
def test_functions_of_partitions_give_what_oozie_gives(call: str, value: str) -> None:
    assert rendered(f"x${{coord:{call}}}", URIS) == f"x{value}"
    needs = Needs()
    code = Compiler(Scope(), WORDS, needs, "python").condition(f'${{coord:{call} eq "{value}"}}')
    assert eval(code, {**helpers(needs), "found": lambda: URIS}) is True


@pytest.mark.parametrize(
    "call",
    ["dataOutPartitionValue('out', a)", "databaseIn('other')", "databaseOut('in')", "dataInPartitions('in', 'x')"],
)
def test_a_part_that_is_not_known_is_refused(call: str) -> None:
    with pytest.raises(Unsupported):
        rendered(f"${{coord:{call}}}", URIS)


def test_a_path_that_is_no_partition_fails_as_in_oozie() -> None:
    with pytest.raises(ValueError, match="unpack"):
        rendered("${coord:databaseIn('in')}", ["hdfs://n/a/b"])


def test_one_partition_is_exported_and_several_are_refused() -> None:
    text = "${coord:dataInPartitions('in', 'hive-export')}"
    assert rendered(text, URIS[:1]) == "ds='2026-01-05',region='EU'"
    with pytest.raises(ValueError, match="unpack"):
        rendered(text, URIS)
