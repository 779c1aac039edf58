"""Methods of hooks: renamed arguments, positions that mean something else today, methods that are gone; only where the class is known."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.methods import changed_methods
from aerodrome.migration.codemod.rules import RULES

OLD = Options(is_pinning_intervals=True, source_version="1.10.15")
_HEAD = (
    "from airflow.contrib.hooks.gcs_hook import GoogleCloudStorageHook as Files\n"
    "from airflow.contrib.hooks.bigquery_hook import BigQueryHook\n"
    "from airflow.contrib.hooks.aws_hook import AwsHook\n"
    "from airflow.contrib.hooks.slack_webhook_hook import SlackWebhookHook\n"
    "from airflow.hooks.S3_hook import S3Hook\n"
    "from airflow.hooks.presto_hook import PrestoHook\n"
    "from airflow.hooks.slack_hook import SlackHook\n"
    "from airflow.contrib.hooks.azure_fileshare_hook import AzureFileShareHook\n"
)


def rewritten(lines: str, options: Options = OLD, head: str = _HEAD) -> Rewritten:
    done = rewrite((head + lines + "\n").encode(), RULES, options)
    compile(done.text, "x", "exec")
    assert rewrite(done.text, RULES, options).text == done.text
    return done


def last(done: Rewritten) -> str:
    return done.text.decode().splitlines()[-1].strip()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("Files('x').download(bucket='a', object='b')", "download(bucket_name='a', object_name='b')"),
        ("Files('x').download('a', 'b', 'c')", "download('a', 'b', 'c')"),
        ("Files('x').list(bucket='a', maxResults=5)", "list(bucket_name='a', max_results=5)"),
        ("S3Hook().check_for_prefix('a', 'b/', '/')", "check_for_prefix(bucket_name='a', prefix='b/', delimiter='/')"),
        ("S3Hook().check_for_prefix(prefix='b', delimiter='/', bucket_name='a')", "check_for_prefix(prefix='b', delimiter='/', bucket_name='a')"),
        ("PrestoHook().run('select 1', {'a': 1})", "run(sql='select 1', parameters={'a': 1})"),
        ("PrestoHook().get_records(hql='select 1')", "get_records(sql='select 1')"),
        ("BigQueryHook('x').table_exists('a', 'b', 'c')", "table_exists(project_id='a', dataset_id='b', table_id='c')"),
    ],
)  # fmt: skip
def test_calls_get_the_names_of_today(call: str, expected: str) -> None:
    done = rewritten(call)
    assert last(done).endswith(f".{expected}")
    assert not [spot for code, spot in done.spots if code == "hook-method"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("Files('x').delete('a', 'b', 5)", "GCSHook.delete() does not take `generation`"),
        ("Files('x').upload(bucket='a', object='b', filename='c', multipart=True)", "does not take `multipart`"),
        ("Files('x').exists(bucket='a', bucket_name='b', object_name='c')", "does not take `bucket`"),
        ("AwsHook('x').get_client_type('s3')", "does not take `client_type`"),
        ("S3Hook().check_for_prefix(*them)", "in another order than Airflow 1.10"),
        ("SlackHook('x').call('chat.postMessage', {'a': 1})", "takes 1 arguments by position"),
        ("AzureFileShareHook().create_directory('a', 'b')", "takes no arguments by position"),
        ("SlackWebhookHook('x').execute()", "SlackWebhookHook.execute() is gone"),
        ("BigQueryHook('x').get_conn().cursor().run_query('select 1')", "BigQueryCursor.run_query() is gone"),
        ("BigQueryHook('x').run_load('a')", "BigQueryHook.run_load() is gone"),
    ],
)
def test_what_today_has_no_word_for_is_a_finding(call: str, message: str) -> None:
    found = [spot for code, spot in rewritten(call).spots if code == "hook-method"]
    assert [message in spot.message for spot in found] == [True]
    assert all(spot.hint for spot in found)


def test_a_position_that_would_mean_something_else_is_never_left() -> None:
    assert last(rewritten("AwsHook('x').get_client_type('s3', 'eu-west-1')")).endswith(
        "get_client_type(client_type='s3', region_name='eu-west-1')"
    )


def test_what_two_stars_give_is_told_where_names_changed() -> None:
    done = rewritten("Files('x').download(bucket='a', **more)")
    assert last(done).endswith("download(bucket_name='a', **more)")
    assert ["not all can be seen" in spot.message for code, spot in done.notes if code == "hook-method"] == [True]


_IN = ".exists(bucket='a', object='b')"
_OUT = ".exists(bucket_name='a', object_name='b')"


@pytest.mark.parametrize(
    "lines",
    [
        "hook = Files()\ndef go():\n    return hook{}",
        "def go():\n    hook = None\n    hook = Files()\n    return hook{}",
        "def go():\n    with Files() as hook:\n        return hook{}",
        "def go(hook: Files):\n    return hook{}",
        "class A:\n    def __init__(self):\n        self.hook = Files()\n    def go(self):\n        return self.hook{}",
        "class A(Files):\n    def go(self):\n        return self{}",
        "class A(Files):\n    def exists(self, bucket, object):\n        return super(){}",
        "def go():\n    def inner():\n        return hook{}\n    hook = Files()\n    return inner",
    ],
)
def test_the_class_is_seen(lines: str) -> None:
    assert _OUT in rewritten(lines.format(_IN)).text.decode()


@pytest.mark.parametrize(
    "lines",
    [
        "hook = Files() if x else Other()\nhook{}",
        "hook = Files()\nhook = other()\nhook{}",
        "hook = Files()\ndef go(hook):\n    return hook{}",
        "hook = Files()\ndef go():\n    for hook in all_of_them:\n        hook{}",
        "def go(hook: Files):\n    hook = other(hook)\n    return hook{}",
        "hook = Files()\ndef swap():\n    global hook\n    hook = other()\nhook{}",
        "class A:\n    def __init__(self, hook):\n        self.hook = Files()\n        self.hook = hook\n    def go(self):\n        return self.hook{}",
        "class A(Files):\n    def exists(self, bucket, object):\n        return 1\n    def go(self):\n        return self{}",
        "class A(Files, Other):\n    def go(self):\n        return self{}",
        "class A:\n    def set(self):\n        self.hook = Files()\nclass B:\n    def go(self):\n        return self.hook{}",
    ],
)
def test_an_object_that_may_be_something_else_stays(lines: str) -> None:
    assert _IN in rewritten(lines.format(_IN)).text.decode()


def test_positions_of_airflow_2_are_not_those_of_1_10() -> None:
    call = "S3Hook().check_for_prefix('p/', '/', 'a')"
    new = "from airflow.providers.amazon.aws.hooks.s3 import S3Hook\n"
    assert last(rewritten(call, replace(OLD, source_version=""), new)) == call
    assert last(rewritten(call, replace(OLD, source_version="2.5.3"))) == call


_LOOK = """
import importlib, inspect, json, sys
found = {}
for name, methods in json.load(sys.stdin).items():
    module, _, item = name.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), item)
    except ImportError:
        continue
    for method in methods:
        made = getattr(cls, method, None)
        found[f"{name}.{method}"] = None if made is None else list(inspect.signature(made).parameters)
print("RESULT" + json.dumps(found))
"""


@pytest.mark.airflow
def test_the_table_agrees_with_a_real_airflow(airflow_venv: Callable[..., Venv]) -> None:
    known = changed_methods()
    asked = json.dumps({name: sorted(methods) for name, methods in known.items() if ".postgres." in name})
    venv = airflow_venv("3.3.2")
    run = subprocess.run(
        [venv.path / "bin" / "python", "-c", _LOOK], input=asked, capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout.rpartition("RESULT")[2])
    assert found
    for name, taken in found.items():
        cls, _, method = name.rpartition(".")
        said = known[cls][method]
        assert said.is_gone == (taken is None)
        if taken is not None:
            assert not said.removed & set(taken)
            assert set(said.renamed.values()) <= set(taken)


@pytest.mark.parametrize(
    ("module", "line", "version", "expected"),
    [
        ("base_hook", "super().__init__(source=None)", "", "super().__init__()"),
        ("base_hook", "super(Mine, self).__init__(conn_id)", "", "super(Mine, self).__init__()"),
        ("base_hook", "BaseHook.__init__(self, conn_id)", "", "BaseHook.__init__(self)"),
        ("base", "super().__init__(conn_id)", "2.4.3", "super().__init__()"),
        ("base", "super().__init__(conn_id)", "2.11.2", "super().__init__(conn_id)"),
        ("base", "super().__init__(source=conn_id)", "2.11.2", "super().__init__()"),
        ("base", "super().__init__(logger_name='a')", "2.4.3", "super().__init__(logger_name='a')"),
    ],
)
def test_base_hook_takes_nothing(module: str, line: str, version: str, expected: str) -> None:
    source = f"from airflow.hooks.{module} import BaseHook\nclass Mine(BaseHook):\n    def __init__(self, conn_id):\n        {line}\n"
    done = rewrite(source.encode(), RULES, Options(source_version=version))
    assert done.text.decode().splitlines()[-1].strip() == expected
    assert "base-hook" not in {code for code, _ in done.spots}


def test_what_base_hook_is_given_by_a_call_is_told() -> None:
    source = "from airflow.hooks.base_hook import BaseHook\nclass Mine(BaseHook):\n    def __init__(self):\n        super().__init__(a())\n"
    assert "base-hook" in {code for code, _ in rewrite(source.encode(), RULES, OLD).spots}
    other = "from airflow.hooks.http_hook import HttpHook\nclass Mine(HttpHook):\n    def __init__(self):\n        super().__init__('a')\n"
    assert "__init__('a')" in rewrite(other.encode(), RULES, Options()).text.decode()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("c.cwd('/a')", "c.chdir('/a')"),
        ("print(c.pwd)", 'print(c.normalize("."))'),
        ("c.mkdir('/a', 755)", "c.mkdir('/a', 0o755)"),
        ("c.chmod('/a', mode=0o755)", "c.chmod('/a', mode=0o755)"),
        ("for a in c.listdir(): pass", "for a in sorted(c.listdir()): pass"),
        (
            "a = c.listdir_attr(remotepath='/a')",
            "a = sorted(c.listdir_attr(path='/a'), key=lambda attr: attr.filename)",
        ),
        ("c.open('/a', mode='r')", "c.open('/a', mode='r')"),
        ("c.get('/a', '/b')", "c.get('/a', '/b')"),
    ],
)
def test_a_connection_of_pysftp_is_used_as_a_client_of_paramiko(line: str, expected: str) -> None:
    source = f"from airflow.contrib.hooks.sftp_hook import SFTPHook\ndef a():\n    c = SFTPHook('b').get_conn()\n    {line}\n"
    done = rewrite(source.encode(), RULES, OLD)
    assert done.text.decode().splitlines()[-1].strip() == expected
    assert rewrite(done.text, RULES, OLD).text == done.text
    assert not done.spots


@pytest.mark.parametrize(
    "line", ["c.cd('/a')", "c.isfile('/a')", "c.timeout = 3", "c.get('/a')", "c.put('/a', '/b', preserve_mtime=True)"]
)
def test_what_a_client_of_paramiko_has_not_is_told(line: str) -> None:
    source = f"from airflow.contrib.hooks.sftp_hook import SFTPHook\ndef a():\n    c = SFTPHook('b').get_conn()\n    {line}\n"
    done = rewrite(source.encode(), RULES, OLD)
    assert [(code, spot.line) for code, spot in done.spots] == [("sftp-connection", 4)]


def test_lists_of_files_stay_as_they_come_where_no_1_10_sorted_them() -> None:
    source = "from airflow.providers.sftp.hooks.sftp import SFTPHook\ndef a():\n    c = SFTPHook('b').get_conn()\n    c.listdir()\n    c.mkdir('a', 755)\n"
    assert rewrite(source.encode(), RULES, replace(OLD, source_version="2.5.3")).text.decode() == source


def test_the_connection_of_sftp_hook_has_its_name_of_today() -> None:
    source = "from airflow.contrib.hooks.sftp_hook import SFTPHook\nSFTPHook(ftp_conn_id='a')\n"
    assert "SFTPHook(ssh_conn_id='a')" in rewrite(source.encode(), RULES, OLD).text.decode()
