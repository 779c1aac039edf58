"""Which setting of Hadoop an action gets, when config-default.xml, <global>, files and the action itself name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.convert.oozie.actions import HOLDS
from aerodrome.migration.convert.oozie.reading import read


def settings(**values: str) -> str:
    inside = "".join(
        f"<property><name>{name.replace('_', '.')}</name><value>{value}</value></property>"
        for name, value in values.items()
    )
    return f"<configuration>{inside}</configuration>"


def command(folder: Path, body: str, common: str = "") -> str:
    text = f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="w">{common}<start to="a"/><action name="a">{body}<ok to="end"/><error to="k"/></action>
      <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
    (folder / "workflow.xml").write_text(text)
    (folder / "job.properties").write_text("speed=fast\n")
    (dag,) = read(folder, {}).dags
    return str(dict(dag.task("a").arguments)["bash_command"])


def test_the_settings_of_an_action_win_in_the_order_of_oozie(tmp_path: Path) -> None:
    (tmp_path / "own.xml").write_text(
        settings(mapred_a="own", mapred_b="own", mapred_c="own", mapred_d="own", mapred_e="own")
    )
    (tmp_path / "common.xml").write_text(settings(mapred_b="file", mapred_c="file", mapred_d="file", mapred_e="file"))
    (tmp_path / "config-default.xml").write_text(
        settings(mapred_c="default", mapred_d="default", mapred_e="default", mapred_speed="${speed}", input_dir="/in")
    )
    common = f"<global><job-xml>common.xml</job-xml>{settings(mapred_d='global', mapred_e='global')}</global>"
    body = f"<distcp><job-xml>own.xml</job-xml>{settings(mapred_e='action')}<arg>/x</arg></distcp>"
    words = command(tmp_path, body, common).split()
    given = dict(word[2:].split("=", 1) for word in words if word.startswith("-Dmapred."))
    assert given.pop("mapred.speed") == "{{"
    assert given == {
        "mapred.a": "own",
        "mapred.b": "file",
        "mapred.c": "default",
        "mapred.d": "global",
        "mapred.e": "action",
    }
    assert not [word for word in words if "input.dir" in word]


@pytest.mark.parametrize(
    ("own", "common", "is_told"),
    [
        (settings(mapreduce_map_memory_mb="4096"), "", True),
        ("", f"<global>{settings(mapreduce_map_memory_mb='4096')}</global>", True),
        ("", f"<global>{settings(oozie_launcher_mapreduce_map_memory_mb='4096')}</global>", False),
        ("", "", False),
    ],
)
def test_settings_that_a_command_of_the_shell_does_not_get_are_told(
    tmp_path: Path, own: str, common: str, is_told: bool
) -> None:
    command(tmp_path, f'<shell xmlns="uri:oozie:shell-action:0.3"><exec>ls</exec>{own}</shell>', common)
    (dag,) = read(tmp_path, {}).dags
    told = ",".join(item.code for item in dag.accounts if item.element == "action/shell")
    assert ("shell-configuration" in told) == is_told


def test_operations_on_files_are_asked_for_with_their_settings(tmp_path: Path) -> None:
    body = f"<fs>{settings(dfs_umaskmode='002', mapred_x='1')}<mkdir path='/a b'/><delete path='/c'/></fs>"
    assert command(tmp_path, body).splitlines() == [
        "set -e",
        "hdfs dfs -Ddfs.umaskmode=002 -mkdir -p '/a b'",
        "hdfs dfs -Ddfs.umaskmode=002 -rm -r -f -skipTrash /c",
    ]


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ('dir-files="false"><recursive/>', ["hdfs dfs -chmod 750 /x"]),
        ('dir-files="False">', ["hdfs dfs -chmod 750 /x"]),
        ("><recursive/>", ["hdfs dfs -chmod -R 750 /x"]),
        (
            ">",
            [
                *HOLDS.splitlines(),
                "hdfs dfs -chmod 750 /x",
                "if holds hdfs dfs -test -d /x; then found=$(hdfs dfs -ls /x); [ -z \"$found\" ] || hdfs dfs -chmod 750 /x/'*'; fi",
            ],
        ),
    ],
)
def test_what_dir_files_leaves_out_is_not_gone_through(tmp_path: Path, written: str, lines: list[str]) -> None:
    """With dir-files="false" Oozie changes the path itself only (4.x/5.x: FsActionExecutor.recursiveFsOperation)."""
    made = command(tmp_path, f'<fs><chmod path="/x" permissions="750" {written}</chmod></fs>')
    assert [line for line in made.splitlines() if line != "set -e"] == lines
