"""A Hive server that an action goes to with credentials of the workflow is named with its principal."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read

_PRINCIPAL = "hive/_HOST@TIDES.EXAMPLE"


def convert(
    folder: Path, url: str, principal: str = _PRINCIPAL, cred: str = "meter, gauge", kind: str = "hive2"
) -> Dag:
    text = f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><credentials>
      <credential name="meter" type="hcat"><property><name>hive2.server.principal</name><value>no</value></property></credential>
      <credential name="gauge" type="{kind}"><property><name>hive2.jdbc.url</name><value>jdbc:hive2://other:1/x</value></property>
      <property><name>hive2.server.principal</name><value>{principal}</value></property></credential></credentials><start to="a"/>
      <action name="a" cred="{cred}"><hive2 xmlns="uri:oozie:hive2-action:0.2"><jdbc-url>{url}</jdbc-url><query>select 1</query></hive2>
      <ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
    (folder / "workflow.xml").write_text(text)
    (dag,) = read(folder, {}).dags
    return dag


def url_of(dag: Dag, **params: str) -> str:
    names: dict[str, Any] = {}
    exec("import re\n" + "\n".join(function.source for function in dag.functions), names)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters |= {"quote": shlex.quote} | {
        name: value for name, value in names.items() if name == "with_principal"
    }
    command = environment.from_string(str(dict(dag.task("a").arguments)["bash_command"])).render(params=params)
    words = shlex.split(command)
    return words[words.index("-u") + 1]


URLS = [
    ("jdbc:hive2://quay:10000/tides", "jdbc:hive2://quay:10000/tides;principal=" + _PRINCIPAL),
    ("jdbc:hive2://quay:10000", "jdbc:hive2://quay:10000/;principal=" + _PRINCIPAL),
    ("jdbc:hive2://quay:10000/tides;ssl=true?a=b;c=d#e=f", f"jdbc:hive2://quay:10000/tides;ssl=true;principal={_PRINCIPAL}?a=b;c=d#e=f"),
    ("jdbc:hive2://quay:10000/tides#e=f/g", f"jdbc:hive2://quay:10000/tides;principal={_PRINCIPAL}#e=f/g"),
    ("jdbc:hive2://quay:10000/tides;principal=own@X", "jdbc:hive2://quay:10000/tides;principal=own@X"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "wanted"), URLS)
def test_a_url_that_is_said(tmp_path: Path, url: str, wanted: str) -> None:
    dag = convert(tmp_path, url)
    assert url_of(dag) == wanted
    assert "with_principal" not in {function.name for function in dag.functions}


@pytest.mark.parametrize(("url", "wanted"), URLS)
def test_a_url_that_comes_with_the_run(tmp_path: Path, url: str, wanted: str) -> None:
    assert url_of(convert(tmp_path, "${server}", "hive/_HOST@${realm}"), server=url, realm="TIDES.EXAMPLE") == wanted


def test_a_principal_that_turns_out_empty_is_none(tmp_path: Path) -> None:
    assert url_of(convert(tmp_path, "jdbc:hive2://quay:1/x", "${who}"), who="") == "jdbc:hive2://quay:1/x"


@pytest.mark.parametrize(("cred", "kind"), [("meter", "hive2"), ("", "hive2"), ("gauge", "hbase")])
def test_only_those_that_the_action_names_and_that_are_of_hive_servers(tmp_path: Path, cred: str, kind: str) -> None:
    assert url_of(convert(tmp_path, "jdbc:hive2://quay:1/x", cred=cred, kind=kind)) == "jdbc:hive2://quay:1/x"
