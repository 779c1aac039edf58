"""<file>, <archive> and lib/ reach the job that an action starts, as Oozie puts them into its distributed cache."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementInclude
from xml.etree import ElementTree as ET

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.actions import IN_APP
from aerodrome.migration.convert.oozie.reading import read


def in_app(path: str, application: str) -> str:
    space: dict[str, Any] = {"re": re}
    exec(IN_APP.source, space)
    found: str = space["in_app"](path, application)
    return found


def convert(folder: Path, body: str, **profile: Any) -> Dag:
    folder.mkdir(exist_ok=True)
    text = f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/><action name="a">{body}<ok to="end"/><error to="k"/></action>
      <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
    (folder / "workflow.xml").write_text(text)
    (folder / "job.properties").write_text("oozie.wf.application.path=/apps/tide\n")
    (dag,) = read(folder, profile).dags
    return dag


def lines(dag: Dag, **params: str) -> list[str]:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    environment.filters["in_app"] = in_app
    text = str(dict(dag.task("a").arguments)["bash_command"])
    return (
        environment.from_string(text)
        .render(params={item.name: item.default for item in dag.parameters} | params)
        .splitlines()
    )


def spark(
    inner: str, options: str = "", mode: str = "cluster", jar: str = "/a/b.jar", main: str = "<class>a.B</class>"
) -> str:
    return (
        f'<spark xmlns="uri:oozie:spark-action:1.0"><master>yarn</master><mode>{mode}</mode><name>x</name>{main}<jar>{jar}</jar>'
        f"<spark-opts>{options}</spark-opts>{inner}</spark>"
    )


def codes(dag: Dag) -> str:
    return ",".join(item.code for item in dag.accounts if item.element.startswith("action/"))


@pytest.mark.parametrize("mode", ["cluster", "client"])
def test_files_of_spark_reach_yarn(tmp_path: Path, mode: str) -> None:
    inner = (
        "<file>/conf/tide.properties#my.properties</file><file>conf/more.txt</file><archive>/x/env.zip#env</archive>"
    )
    made = lines(convert(tmp_path, spark(inner, mode=mode)))
    words = shlex.split(made[-1])
    assert words[words.index("--files") + 1] == "my.properties,more.txt${lib_files:+,$lib_files}"
    assert words[words.index("--archives") + 1] == "archives/env.zip#env"
    assert words[-1] == "/a/b.jar"
    assert "hdfs dfs -get -f /conf/tide.properties my.properties" in made


def test_they_stand_beside_those_of_the_options(tmp_path: Path) -> None:
    inner = "<file>/conf/my.properties</file><archive>/x/env.zip#env</archive>"
    options = "--files /etc/a.conf,/etc/b.conf --queue q --archives=/c.zip#c --jars /j/one.jar"
    words = shlex.split(lines(convert(tmp_path, spark(inner + "<file>/j/two.jar</file>", options)))[-1])
    assert [words.count(flag) for flag in ("--files", "--archives", "--jars")] == [1, 1, 1]
    assert words[words.index("--files") + 1] == "/etc/a.conf,/etc/b.conf,my.properties${lib_files:+,$lib_files}"
    assert words[words.index("--archives") + 1] == "/c.zip#c,archives/env.zip#env"
    assert "--queue" in words


def test_jars_of_the_application_stand_beside_the_others(tmp_path: Path) -> None:
    made = lines(convert(tmp_path, spark("<file>/j/two.jar</file><file>/a/b.jar</file>", "--jars /j/one.jar")))
    assert "if holds hdfs dfs -test -d /apps/tide/lib; then hdfs dfs -get -f /apps/tide/lib; fi" in made
    words = shlex.split(made[-1])
    assert words[words.index("--jars") + 1] == "/j/one.jar,two.jar${lib_jars:+,$lib_jars}"
    alone = shlex.split(lines(convert(tmp_path, spark("")))[-1])
    assert alone[alone.index("a.B") + 1 : -1] == [
        "${lib_files:+--files",
        "$lib_files}",
        "${lib_jars:+--jars",
        "$lib_jars}",
    ]


def test_what_the_shell_makes_of_the_library(tmp_path: Path) -> None:
    """The lines run with a client that has the folder, with one that has none, and give the words that spark-submit gets."""
    made = lines(convert(tmp_path, spark("<file>/c/my.properties</file>")))
    (bin_folder := tmp_path / "bin").mkdir()
    client = '#!/bin/bash\ncase "$2" in -test) [ -d "$SOURCE/lib" ];; -get) case "$4" in */lib) cp -r "$SOURCE/lib" . ;; *) : > "$5";; esac ;; esac\n'
    for name, text in (("hdfs", client), ("spark-submit", '#!/bin/bash\nprintf "%s\\n" "$@"\n')):
        (bin_folder / name).write_text(text)
        (bin_folder / name).chmod(0o755)
    for name, wanted in (
        ("with", ["--files", "my.properties,lib/x.conf", "--jars", "lib/one.jar,lib/two.jar"]),
        ("without", ["--files", "my.properties"]),
    ):
        (work := tmp_path / f"work-{name}").mkdir()
        source = tmp_path / name
        if name == "with":
            (source / "lib").mkdir(parents=True)
            for item in ("one.jar", "two.jar", "x.conf"):
                (source / "lib" / item).write_text("")
        environment = {"PATH": f"{bin_folder}:/usr/bin:/bin", "SOURCE": str(source)}
        done = subprocess.run(
            ["bash", "-ec", "\n".join(made)], cwd=work, env=environment, capture_output=True, text=True, check=True
        )
        words = done.stdout.split()
        assert [
            word for flag in ("--files", "--jars") if flag in words for word in words[words.index(flag) :][:2]
        ] == wanted


def test_without_yarn_the_library_is_told(tmp_path: Path) -> None:
    body = spark("<file>/c/my.properties</file>").replace(
        "<master>yarn</master><mode>cluster</mode>", "<master>local[2]</master>"
    )
    dag = convert(tmp_path, body)
    assert "--files" not in lines(dag)[-1]
    assert "app-library" in codes(dag)


def test_an_engine_tells_that_it_has_no_library(tmp_path: Path) -> None:
    dag = convert(tmp_path, spark(""), runners={"spark": "livy"})
    assert "app-library" in codes(dag)
    assert any("not given" in item.reason for item in dag.accounts if "app-library" in item.code)


def test_options_of_the_run_may_replace_the_files(tmp_path: Path) -> None:
    dag = convert(tmp_path, spark("<file>/c/my.properties</file>", "${more}"))
    assert "spark-files" in codes(dag)


_HDFS = """#!/bin/bash
case "$2" in
  -ls) [ ! -d "$SOURCE/${3##*/}" ] || (echo "drwxr-xr-x - u g 0 2024-03-01 10:00 $3/inner"; cd "$SOURCE/${3##*/}"; printf -- "-rw-r--r-- 3 u g 9 2024-03-01 10:00 $3/%s\\n" *);;
  -test) [ -d "$SOURCE/${4##*/}" ];;
  -get) case "$4" in */shared/*) for one in "${@:4:$#-4}"; do cp "$SOURCE/shared/${one##*/}" "${!#}"; done;; */lib) cp -r "$SOURCE/${4##*/}" "${5:-.}";; *.xml) cp "$SOURCE/${4##*/}" "$5" 2>/dev/null || echo "<configuration/>" > "$5";; *.zip) tar -cf "$5" -T /dev/null;; *) : > "$5";; esac;;
esac
"""
CLIENT = """#!/bin/bash
printf '%s\n' "${0##*/}" "$@" > "$SOURCE/words"
printf '%s' "$HADOOP_CLASSPATH" > "$SOURCE/class_path"
[ ! -e job.xml ] || cp job.xml "$SOURCE"
[ ! -e action.xml ] || cp action.xml "$SOURCE/job.xml"
echo "Created job job_1"
echo "Job state: SUCCEEDED"
"""


class Client:
    """A machine with clients of Hadoop that write down what they are called with; HDFS has what lies in `source`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source = folder, folder / "source"
        self.source.mkdir()
        (folder / "bin").mkdir()
        for name in ("hdfs", "sleep", "mapred", "hadoop", "pig", "hive", "sqoop", "java", "spark-submit"):
            program = folder / "bin" / name
            program.write_text({"hdfs": _HDFS, "sleep": "#!/bin/bash\n"}.get(name, CLIENT))
            program.chmod(0o755)

    def hold(self, *names: str) -> None:
        for name in names:
            (self.source / name).parent.mkdir(exist_ok=True)
            (self.source / name).write_text("")

    def run(self, made: list[str]) -> list[str]:
        """Run a script and give the words of the last client."""
        (self.folder / "work").mkdir()
        environment = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "SOURCE": str(self.source),
            "HADOOP_STREAMING_JAR": "/s.jar",
        }
        subprocess.run(
            ["bash", "-ec", "\n".join(made)], cwd=self.folder / "work", env=environment, capture_output=True, check=True
        )
        return (self.source / "words").read_text().splitlines()

    def job(self) -> dict[str, str]:
        """Give the properties of the job that was submitted."""
        root = ET.fromstring((self.source / "job.xml").read_text())
        return {item.findtext("name", ""): item.findtext("value", "") for item in root.iter("property")}


_FILES = "<file>/c/tide.xsl</file><file>conf/a.txt#b.txt,/j/one.jar</file><archive>/c/tide.zip#tide</archive>"
_LISTS = {
    "mapreduce.job.cache.files": "/c/tide.xsl,/apps/tide/conf/a.txt#b.txt,/j/one.jar",
    "mapreduce.job.cache.archives": "/c/tide.zip#tide",
}
_LIBRARY = ",/apps/tide/lib/two.jar,/apps/tide/lib/x&y.conf"


@pytest.mark.parametrize("has_library", [True, False])
def test_the_tasks_of_a_map_reduce_job_get_files_archives_and_libraries(tmp_path: Path, has_library: bool) -> None:
    client = Client(tmp_path)
    if has_library:
        client.hold("lib/two.jar", "lib/x&y.conf")
    settings = "<configuration><property><name>mapreduce.job.reduces</name><value>3</value></property></configuration>"
    dag = convert(tmp_path / "app", f"<map-reduce>{settings}{_FILES}</map-reduce>")
    assert client.run(lines(dag))[:2] == ["mapred", "job"]
    wanted = dict(_LISTS)
    if has_library:
        wanted["mapreduce.job.cache.files"] += _LIBRARY
    assert client.job() == {"mapreduce.job.reduces": "3", **wanted}
    assert "$PWD" not in (client.source / "class_path").read_text()
    assert (client.source / "class_path").read_text().startswith(f"{tmp_path / 'work'}/*:{tmp_path / 'work'}/lib/*:")
    assert "job-files" not in codes(dag)


def test_what_the_configuration_puts_into_the_cache_stays_there(tmp_path: Path) -> None:
    client = Client(tmp_path)
    settings = (
        "<configuration><property><name>mapred.cache.files</name><value>/c/old.txt</value></property></configuration>"
    )
    client.run(lines(convert(tmp_path / "app", f"<map-reduce>{settings}<file>/c/new.txt</file></map-reduce>")))
    assert client.job() == {"mapreduce.job.cache.files": "/c/old.txt,/c/new.txt"}


def test_a_job_file_that_is_only_there_at_run_time_is_part_of_the_job(tmp_path: Path) -> None:
    """`mapred job -submit FILE` makes the job of the file alone: it does not look at -conf (Hadoop 2 and 3: CLI.run)."""
    client = Client(tmp_path)
    settings = "<configuration><property><name>a</name><value>1</value></property></configuration>"
    dag = convert(tmp_path / "app", f"<map-reduce><job-xml>/conf/site.xml</job-xml>{settings}</map-reduce>")
    assert client.run(lines(dag)) == ["mapred", "job", "-status", "job_1"]
    assert "mapred job -submit job.xml" in "\n".join(lines(dag))
    root = ET.fromstring((client.source / "job.xml").read_text())
    assert [item.tag.rpartition("}")[2] for item in root] == ["include", "property"]  # what comes later wins
    assert (tmp_path / "work" / root[0].attrib["href"]).exists()


@pytest.mark.parametrize(
    ("body", "flag"),
    [
        ("<map-reduce><streaming><mapper>cat</mapper></streaming>{}</map-reduce>", "-D "),
        ('<pig xmlns="uri:oozie:pig-action:0.3"><script>/s/a.pig</script>{}</pig>', "-D"),
        ('<hive xmlns="uri:oozie:hive-action:0.5"><script>/s/a.q</script>{}</hive>', "--hiveconf "),
        ('<sqoop xmlns="uri:oozie:sqoop-action:0.4"><command>import --table t</command>{}</sqoop>', "-D"),
    ],
    ids=["streaming", "pig", "hive", "sqoop"],
)
@pytest.mark.parametrize("has_library", [True, False])
def test_clients_hand_files_archives_and_libraries_on(tmp_path: Path, body: str, flag: str, has_library: bool) -> None:
    client = Client(tmp_path)
    if has_library:
        client.hold("lib/two.jar", "lib/x&y.conf")
    words = client.run(lines(convert(tmp_path / "app", body.format(_FILES))))
    given = " ".join(words)
    for name, value in _LISTS.items():
        wanted = value + (_LIBRARY if has_library and name.endswith("files") else "")
        assert f" {flag}{name}={wanted} " in f"{given} "
    assert "/lib/*:" in (client.source / "class_path").read_text()  # ojdbc.jar, and jars of functions


def test_nothing_is_handed_on_where_there_is_nothing(tmp_path: Path) -> None:
    client = Client(tmp_path)
    body = '<sqoop xmlns="uri:oozie:sqoop-action:0.4"><command>import --table t</command></sqoop>'
    assert client.run(lines(convert(tmp_path / "app", body))) == ["sqoop", "import", "--table", "t"]


def test_folders_of_oozie_libpath_are_libraries_too(tmp_path: Path) -> None:
    client = Client(tmp_path)
    client.hold("shared/three.jar", "shared/four.conf")
    body = '<sqoop xmlns="uri:oozie:sqoop-action:0.4"><command>import --table t</command></sqoop>'
    folder = tmp_path / "app"
    convert(folder, body)
    (folder / "job.properties").write_text(
        "nn=hdfs://n\noozie.wf.application.path=/apps/tide\noozie.libpath=/none/other,${nn}/jars/shared\n"
    )
    (dag,) = read(folder, {}).dags
    words = client.run(lines(dag))
    assert words[1:3] == [
        "import",
        "-Dmapreduce.job.cache.files=hdfs://n/jars/shared/four.conf,hdfs://n/jars/shared/three.jar",
    ]
    assert (tmp_path / "work" / "libpath_2" / "three.jar").exists()
    assert f"{tmp_path / 'work'}/libpath_2/*" in (client.source / "class_path").read_text()


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("<java><main-class>x.Tide</main-class></java>", '-cp "$PWD:$PWD/*:$PWD/lib/*:$PWD/libpath_1/*:'),
        (spark(""), "find lib libpath_1 -maxdepth 1 -name '*.jar'"),
    ],
    ids=["java", "spark"],
)
def test_programs_and_spark_get_the_folders_of_oozie_libpath(tmp_path: Path, body: str, wanted: str) -> None:
    convert(tmp_path, body)
    (tmp_path / "job.properties").write_text("oozie.wf.application.path=/apps/tide\noozie.libpath=/jars/shared\n")
    (dag,) = read(tmp_path, {}).dags
    made = "\n".join(lines(dag))
    assert (
        "if holds hdfs dfs -test -d /jars/shared; then mkdir libpath_1; hdfs dfs -ls /jars/shared > libpath_1.list; else"
        in made
    )
    assert wanted in made


def test_a_hive_job_of_an_engine_tells_that_it_has_no_library(tmp_path: Path) -> None:
    body = '<hive xmlns="uri:oozie:hive-action:0.5"><script>/s/a.q</script></hive>'
    dag = convert(tmp_path, body, runners={"hive": "dataproc"})
    assert any("not given to the engine" in item.reason for item in dag.accounts if "app-library" in item.code)


_SITE = """<configuration><property><name>pig.one</name><value>of the file, C:\\x
two</value></property><property><name>pig.both</name><value>of the file</value></property></configuration>"""
_OWN = "<configuration><property><name>pig.both</name><value>own</value></property></configuration>"


def test_a_job_file_of_pig_becomes_properties_that_do_not_win(tmp_path: Path) -> None:
    """-propertyFile takes Java properties, no XML, and what it says wins over -D (Pig 0.17: Main)."""
    client = Client(tmp_path)
    (client.source / "site.xml").write_text(_SITE)
    body = (
        f'<pig xmlns="uri:oozie:pig-action:0.3"><job-xml>/conf/site.xml</job-xml>{_OWN}<script>/s/a.pig</script></pig>'
    )
    words = client.run(lines(convert(tmp_path / "app", body)))
    assert words[1:4] == ["-Dpig.both=own", "-propertyFile", "site.xml.properties"]  # Hadoop reads -D only in front
    assert (tmp_path / "work" / words[3]).read_text() == "pig.one=of the file, C:\\\\x\\ntwo\n"


def test_a_java_program_finds_the_configuration_of_its_action(tmp_path: Path) -> None:
    client = Client(tmp_path)
    body = f"<java><job-xml>/conf/site.xml</job-xml>{_OWN}<main-class>x.Tide</main-class>{_FILES}</java>"
    words = client.run(lines(convert(tmp_path / "app", body)))
    assert "-Doozie.action.conf.xml=action.xml" in words
    assert client.job() == {"pig.both": "own", **_LISTS}
    assert '<xi:include href="job-xml-1.xml"/>' in (client.source / "job.xml").read_text()
    assert (tmp_path / "work" / "job-xml-1.xml").exists()


_FOR_SPARK = """<configuration><property><name>spark.both</name><value>of the file</value></property><property><name>fs.one</name>
<value>it's $HOME "x"</value></property><property><name>spark.two</name><value>2</value></property><property><name>oozie.use.system.libpath</name><value>true</value></property></configuration>"""


def test_a_job_file_of_spark_is_read_when_the_task_runs(tmp_path: Path) -> None:
    client = Client(tmp_path)
    (client.source / "site.xml").write_text(_FOR_SPARK)
    own = _OWN.replace("pig.", "spark.")
    body = spark("").replace("<master>", f"<job-xml>/conf/site.xml</job-xml>{own}<master>")
    dag = convert(tmp_path / "app", body)
    words = client.run(lines(dag))
    given = [words[at + 1] for at, word in enumerate(words) if word == "--conf"]
    assert given == ['spark.hadoop.fs.one=it\'s $HOME "x"', "spark.two=2", "spark.both=own"]
    assert [item.reason for item in dag.accounts if "job-xml" in item.code and "is read when" in item.reason]


def test_several_job_files_of_hive_count_as_those_of_hadoop_do(tmp_path: Path) -> None:
    client = Client(tmp_path)
    for name, value in (("site.xml", "one"), ("more.xml", "two")):
        (client.source / name).write_text(_SITE.replace("of the file", f"of {value}"))
    files = "<job-xml>/conf/site.xml</job-xml><job-xml>/conf/more.xml</job-xml>"
    body = f'<hive xmlns="uri:oozie:hive-action:0.5">{files}<script>/s/a.q</script></hive>'
    client.run(lines(convert(tmp_path / "app", body)))
    conf = tmp_path / "work" / "conf"
    root = ET.parse(conf / "hive-site.xml").getroot()
    ElementInclude.include(root, base_url=str(conf / "hive-site.xml"))
    read_in = {item.findtext("name"): item.findtext("value") for item in root.iter("property")}  # the last one stays
    assert read_in["pig.both"] == "of two"
    assert "of one" in (conf / "job-xml-1.xml").read_text()
