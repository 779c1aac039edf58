"""What <file>s, <archive>s and jars are called where an action runs, and where lib/ is when only the run knows."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from tests.rooms.migration.convert.oozie.test_files import CLIENT, Client, codes, convert, lines, spark

from aerodrome.migration.convert.oozie.reading import read


def test_a_list_that_a_file_holds_is_written_out(tmp_path: Path) -> None:
    body = spark("<archive>${envs}</archive><file>${one}</file>")
    (tmp_path / "config-default.xml").write_text(
        "<configuration><property><name>nn</name><value>hdfs://a:1</value></property>"
        "<property><name>envs</name><value>${nn}/x/py-2.zip#py,lib/b.zip#b</value></property>"
        "<property><name>one</name><value>/c/my-2.conf#my.conf</value></property></configuration>"
    )
    dag = convert(tmp_path, body)
    made = lines(dag)
    assert {
        "hdfs dfs -get -f hdfs://a:1/x/py-2.zip archives/py-2.zip",
        "hdfs dfs -get -f /apps/tide/lib/b.zip archives/b.zip",
        "hdfs dfs -get -f /c/my-2.conf my.conf",
    } <= set(made)
    words = shlex.split(made[-1])
    assert words[words.index("--archives") + 1] == "archives/py-2.zip#py,archives/b.zip#b"
    assert "file-list" in codes(dag)


@pytest.mark.parametrize(
    ("given", "name"), [("/c/my-2.conf#my.conf", "my.conf"), ("/c/my-2.conf", "my-2.conf"), ("my.conf", "my.conf")]
)
def test_what_only_the_run_knows_may_have_a_name(tmp_path: Path, given: str, name: str) -> None:
    client = Client(tmp_path)
    dag = convert(tmp_path / "app", spark("<file>${one}</file>"))
    words = client.run(lines(dag, one=given))
    assert (tmp_path / "work" / name).exists()
    assert name in words[words.index("--files") + 1].split(",")


def test_names_behind_the_sign_stand_where_oozie_looks(tmp_path: Path) -> None:
    body = (
        "<shell><exec>a.sh</exec><file>${wf:conf('dir')}/${name}</file><file>x/e.conf#conf/f.conf</file>"
        "<archive>x/e.zip#libs/py</archive></shell>"
    )
    (tmp_path / "config-default.xml").write_text(
        "<configuration><property><name>dir</name><value>/c</value></property>"
        "<property><name>name</name><value>my-2.conf#my.conf</value></property></configuration>"
    )
    made = lines(convert(tmp_path, body))
    assert {
        "hdfs dfs -get -f /c/my-2.conf my.conf",
        "hdfs dfs -get -f /apps/tide/x/e.conf f.conf",
        "tar -xf archives/e.zip -C libs/py || unzip -qo archives/e.zip -d libs/py",
    } <= set(made)


@pytest.mark.parametrize("mode", ["yarn</master><mode>cluster", "local"])
@pytest.mark.parametrize(
    ("jar", "inner", "given", "own", "others"),
    [
        ("tide-${v}.jar", "", {"v": "2"}, "lib/tide-2.jar", "lib/two.jar"),
        ("lib/tide-2.jar", "", {}, "lib/tide-2.jar", "lib/two.jar"),
        ("elsewhere/tide-2.jar", "", {}, "lib/tide-2.jar", "lib/two.jar"),
        ("${jar}", "", {"jar": "tide-2.jar"}, "lib/tide-2.jar", "lib/two.jar"),
        ("${jar}", "", {"jar": "hdfs://n/other/none.jar"}, "hdfs://n/other/none.jar", "lib/tide-2.jar,lib/two.jar"),
        ("${jar}", "<file>/j/one.jar</file>", {"jar": "one.jar"}, "./one.jar", "one.jar,lib/tide-2.jar,lib/two.jar"),
        ("one.jar", "<file>/j/one.jar</file>", {}, "one.jar", "lib/tide-2.jar,lib/two.jar"),
        ("tide-2.jar", "<file>/j/one.jar</file>", {}, "lib/tide-2.jar", "one.jar,lib/two.jar"),
    ],
)
def test_the_jar_of_spark_is_found_by_its_name(
    tmp_path: Path, mode: str, jar: str, inner: str, given: dict[str, str], own: str, others: str
) -> None:
    """Among <file>s and lib/, whatever folder it names: nothing in Oozie puts the application's path before it (5.x, JarFilter)."""
    client = Client(tmp_path)
    client.hold("lib/tide-2.jar", "lib/two.jar")
    body = spark(inner, jar=jar).replace("yarn</master><mode>cluster", mode).replace("<mode></mode>", "")
    body = body.replace("local</mode>", "local</master>")
    words = client.run(lines(convert(tmp_path / "app", body), **given))
    assert words[-1] == own
    if mode != "local":
        assert words[words.index("--jars") + 1] == others


@pytest.mark.parametrize(
    "body",
    [
        "<map-reduce><streaming><mapper>cat</mapper></streaming></map-reduce>",
        '<pig xmlns="uri:oozie:pig-action:0.3"><script>/s/a.pig</script></pig>',
        '<hive xmlns="uri:oozie:hive-action:0.5"><query>q</query></hive>',
        '<sqoop xmlns="uri:oozie:sqoop-action:0.4"><command>import --table t</command></sqoop>',
    ],
    ids=["streaming", "pig", "hive", "sqoop"],
)
@pytest.mark.parametrize("application", ["/apps/tide", "/apps/tide/workflow.xml", ""])
def test_the_library_is_fetched_when_the_run_says_where_it_is(tmp_path: Path, body: str, application: str) -> None:
    client = Client(tmp_path)
    client.hold("lib/two.jar")
    convert(tmp_path / "app", body)
    (tmp_path / "app" / "job.properties").unlink()
    (dag,) = read(tmp_path / "app", {}).dags
    (parameter,) = dag.parameters
    assert (parameter.name, parameter.is_computed) == ("oozie.wf.application.path", True)
    if application:
        given = " ".join(client.run(lines(dag, **{parameter.name: application})))
        assert "mapreduce.job.cache.files=/apps/tide/lib/two.jar" in given
    else:
        assert "cache.files" not in " ".join(client.run(lines(dag)))
        assert not (tmp_path / "work" / "lib").exists()


def test_a_script_that_asks_for_the_path_asks_for_the_library_too(tmp_path: Path) -> None:
    convert(tmp_path, '<pig xmlns="uri:oozie:pig-action:0.3"><script>a.pig</script></pig>')
    (tmp_path / "job.properties").unlink()
    (dag,) = read(tmp_path, {}).dags
    assert [(item.name, item.is_computed) for item in dag.parameters] == [("oozie.wf.application.path", False)]
    assert "if holds hdfs dfs -test -d {{" in str(dict(dag.task("a").arguments)["bash_command"])


@pytest.mark.parametrize("properties", ["", "script=bin/tide.sh\n"])
def test_a_name_behind_the_sign_has_no_folders(tmp_path: Path, properties: str) -> None:
    """Also of a value: Oozie takes what is behind the last / of all that <file> says (4.x/5.x, JavaActionExecutor.addToCache)."""
    client = Client(tmp_path)
    body = "<shell><exec>${script}</exec><file>${script}#${script}</file></shell>"
    convert(tmp_path / "app", body)
    with (tmp_path / "app" / "job.properties").open("a") as stream:
        stream.write(properties)
    (tmp_path / "bin" / "env").write_text(CLIENT)
    (tmp_path / "bin" / "env").chmod(0o755)
    (dag,) = read(tmp_path / "app", {}).dags
    assert client.run(lines(dag, script="bin/tide.sh"))[-1] == "tide.sh"
    assert (tmp_path / "work" / "tide.sh").exists()


def test_the_record_reader_of_a_streaming_job_gets_its_settings(tmp_path: Path) -> None:
    """StreamingMain of Oozie 4.x/5.x writes them into the job, settings of the action win."""
    body = (
        "<map-reduce><streaming><mapper>cat</mapper><record-reader>StreamXmlRecordReader</record-reader>"
        "<record-reader-mapping>begin=tide</record-reader-mapping><record-reader-mapping>end=${ebb}</record-reader-mapping></streaming>"
        "<configuration><property><name>stream.recordreader.begin</name><value>own</value></property></configuration></map-reduce>"
    )
    words = shlex.split(lines(convert(tmp_path, body), ebb="low tide")[-1])
    given = [words[at + 1] for at, word in enumerate(words) if word == "-D"]
    wanted = ["stream.recordreader.begin=tide", "stream.recordreader.end=low tide", "stream.recordreader.begin=own"]
    assert given[:3] == wanted
    assert words[words.index("-inputreader") + 1] == "StreamXmlRecordReader"
