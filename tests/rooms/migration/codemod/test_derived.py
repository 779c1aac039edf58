"""Classes of the project made of operators whose arguments changed. If these break, a task of such a class fails where it is made, or takes another connection."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import changed_arguments, renamed_arguments

_LOAD = "from airflow.providers.google.cloud.transfers.gcs_to_bigquery import GCSToBigQueryOperator\n"
_SEND = "from airflow.providers.amazon.aws.transfers.s3_to_sftp import S3ToSFTPOperator\n"


def after(text: str, files: dict[str, str] | None = None) -> Rewritten:
    project = Project({name: body.encode() for name, body in (files or {}).items()} | {"dags/dag.py": text.encode()})
    options = Options(file="dags/dag.py", project=project)
    done = rewrite(text.encode(), [changed_arguments.RULE, renamed_arguments.RULE], options)
    assert rewrite(done.text, [changed_arguments.RULE, renamed_arguments.RULE], options).text == done.text
    return done


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{_LOAD}class A(GCSToBigQueryOperator): pass\nA(bigquery_conn_id='w')\n", "A(gcp_conn_id='w')"),
        (f"{_LOAD}class A(GCSToBigQueryOperator): pass\nclass B(A): pass\nB(bigquery_conn_id='w')\n", "B(gcp_conn_id='w')"),
        (f"{_LOAD}class A(GCSToBigQueryOperator): pass\nA.partial(bigquery_conn_id='w')\n", "A.partial(gcp_conn_id='w')"),
        (
            f"{_LOAD}class A(GCSToBigQueryOperator): pass\nclass B(A):\n    def __init__(self, **kwargs):\n        super(B, self).__init__(bigquery_conn_id='w', **kwargs)\n",
            "__init__(gcp_conn_id='w', **kwargs)",
        ),
        (f"{_SEND}class A(S3ToSFTPOperator): pass\nA(s3_conn_id='w')\n", "A(aws_conn_id='w')"),
        (
            f"{_SEND}class A(S3ToSFTPOperator):\n    def __init__(self, a, **kwargs):\n        super().__init__(s3_conn_id=a, **kwargs)\n",
            "super().__init__(aws_conn_id=a, **kwargs)",
        ),
        ("from shop import A\nA(bigquery_conn_id='w')\nfrom airflow import DAG\nGCSToBigQueryOperator\n", "A(gcp_conn_id='w')"),
        ("from .shop import A as B\nB(bigquery_conn_id='w')\nfrom airflow import DAG\nGCSToBigQueryOperator\n", "B(gcp_conn_id='w')"),
    ],
)  # fmt: skip
def test_what_reaches_the_operator_has_its_names(text: str, wanted: str) -> None:
    done = after(text, {"dags/shop.py": f"{_LOAD}class A(GCSToBigQueryOperator): pass\n"})
    assert wanted in done.text.decode()
    assert not done.spots


@pytest.mark.parametrize(
    ("init", "call", "is_said"),
    [
        ("def __init__(self, bigquery_conn_id, **kwargs): pass", "bigquery_conn_id='w'", False),
        ("def __init__(self, **kwargs): kwargs.pop('bigquery_conn_id')", "bigquery_conn_id='w'", False),
        ("def __init__(self, bigquery_conn_id): pass", "bigquery_conn_id='w'", False),
        ("def __init__(self, *, gcp_conn_id, **kwargs): pass", "bigquery_conn_id='w'", True),
        ("def __init__(self, bigquery_conn_id, **kwargs): pass", "google_cloud_storage_conn_id='w'", True),
    ],
)
def test_what_a_class_takes_itself_stays(init: str, call: str, is_said: bool) -> None:
    text = f"{_LOAD}class A(GCSToBigQueryOperator):\n    {init}\n\n\nA({call})\n"
    done = after(text)
    assert done.text.decode() == text
    assert bool(done.spots) == is_said


def test_attributes_by_their_old_names_are_found() -> None:
    text = f"{_LOAD}class A(GCSToBigQueryOperator):\n    def execute(self, context):\n        print(self.bigquery_conn_id)\n"
    assert [spot.hint for _, spot in after(text).spots] == ["It is `gcp_conn_id`."]
    own = f"{text}        self.bigquery_conn_id = 1\n"
    assert not after(own).spots
