"""A mail is an operator's; one with files of HDFS fetches them first."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Self

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read

MAIL = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="tell"/>
<action name="tell"><email xmlns="uri:oozie:email-action:0.2"><to>a@example.com</to><subject>of ${day}</subject><body>see files</body>
{files}</email><ok to="end"/><error to="no"/></action><kill name="no"><message>no</message></kill><end name="end"/></workflow-app>"""
FILES = "<attachment>/out/${day}/a.csv, /other/a.csv</attachment>"


def dag(folder: Path, files: str, profile: dict[str, Any] | None = None) -> Dag:
    (folder / "workflow.xml").write_text(MAIL.replace("{files}", files))
    return read(folder, profile or {}).dags[0]


def test_a_mail_without_files_is_an_operator(tmp_path: Path) -> None:
    task = dag(tmp_path, "").task("tell")
    assert task.operator.name == "EmailOperator"
    assert dict(task.arguments)["html_content"] == "<pre>see files</pre>"


def test_files_of_hdfs_go_with_the_mail(tmp_path: Path) -> None:
    made = dag(tmp_path, FILES)
    task = made.task("tell")
    given = dict(task.arguments)["op_kwargs"]
    assert isinstance(given, dict)
    assert given["attachments"] == "/out/{{ params.day }}/a.csv, /other/a.csv"
    sent: list[dict[str, Any]] = []

    class Hook:
        """Stands for the hook of the provider."""

        def __init__(self, **_: object) -> None: ...
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...
        def send_email_smtp(self, **kwargs: Any) -> None:
            sent.append(kwargs | {"texts": [Path(file).read_text() for file in kwargs["files"]]})

    def fetch(argv: list[str], *, check: bool) -> None:
        assert argv[:3] == ["hdfs", "dfs", "-get"]
        assert check
        Path(argv[4]).write_text(argv[3])

    space: dict[str, Any] = {
        "SmtpHook": Hook,
        "TemporaryDirectory": TemporaryDirectory,
        "Path": Path,
        "subprocess": SimpleNamespace(run=fetch),
    }
    exec(next(item.source for item in made.functions if item.name == "send_with_files"), space)
    space["send_with_files"](**given | {"attachments": "/out/1/a.csv, /other/a.csv"}, ti=None)
    assert sent[0]["texts"] == ["/out/1/a.csv", "/other/a.csv"]
    assert [Path(file).name for file in sent[0]["files"]] == ["a.csv", "a.csv"]
    assert sent[0]["to"] == "a@example.com"


@pytest.mark.parametrize("runner", ["ssh", "emr"])
def test_files_that_the_worker_cannot_reach_raise(tmp_path: Path, runner: str) -> None:
    made = dag(tmp_path, FILES, {"runner": runner, "emr": {"job_flow_id": "j"}})
    assert made.task("tell").role == "raises"
    assert [item.code for item in made.accounts if item.outcome == "raises"] == ["email-attachment"]


TEXT = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="tell"/><action name="tell"><email xmlns="uri:oozie:email-action:0.2">
<to>a@example.com</to><subject>s</subject><body>rows &lt;= 5 &amp; &lt;none&gt; of ${table}</body>{kind}</email><ok to="end"/><error to="no"/></action>
<kill name="no"><message>no</message></kill><end name="end"/></workflow-app>"""


@pytest.mark.parametrize("kind", ["", "<content_type>text/plain</content_type>"])
def test_a_plain_text_is_read_as_it_is_written(tmp_path: Path, kind: str) -> None:
    (tmp_path / "workflow.xml").write_text(TEXT.replace("{kind}", kind))
    (made,) = read(tmp_path, {}).dags
    text = str(dict(made.task("tell").arguments)["html_content"])
    shown = jinja2.Environment().from_string(text).render(params={"table": "<raw>"})
    assert shown == "<pre>rows &lt;= 5 &amp; &lt;none&gt; of &lt;raw&gt;</pre>"


def test_a_text_of_html_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(TEXT.replace("{kind}", "<content_type>text/html</content_type>"))
    (made,) = read(tmp_path, {}).dags
    assert dict(made.task("tell").arguments)["html_content"] == "rows <= 5 & <none> of {{ params.table }}"
