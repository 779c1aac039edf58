"""Sizes in HDFS as Oozie gives them (4.x/5.x, FsELFunctions): of the files right in a directory, and -1 where there is none."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Self

import pytest

from aerodrome.migration.convert.oozie.reading import read

_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="choose"/>
  <decision name="choose"><switch><case to="end">${fs:dirSize(in) lt 5 * MB and fs:fileSize(in) gt 0}</case><default to="k"/></switch></decision>
  <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_CLIENT = r"""#!/bin/bash
# hdfs dfs -test FLAG PATH | -stat %b PATH | -ls PATH, on the files of this machine
case $2 in
  -test) [ "$3" "$4" ] ;;
  -stat) if [ -d "$4" ]; then echo 0; else stat -c %s "$4"; fi ;;
  -ls) echo "Found some items"
    for item in "$3"/*; do [ -e "$item" ] || continue
      if [ -d "$item" ]; then echo "drwxr-x---   - ann domain users          0 2024-01-01 10:00 $item"
      else echo "-rw-r-----+  3 ann domain users $(stat -c %s "$item") 2024-01-01 10:00 $item"; fi; done ;;
  *) exit 2 ;;
esac
"""


class Shell:
    """Runs what is sent through SSH here."""

    def __init__(self, ssh_conn_id: str) -> None:
        self.ssh_conn_id = ssh_conn_id

    def get_conn(self) -> Shell:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def exec_command(self, command: str) -> tuple[None, Any, None]:
        done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
        return None, Stream(done.stdout, done.returncode), None


class Stream:
    def __init__(self, content: bytes, code: int) -> None:
        self.content, self.code, self.channel = content, code, self

    def read(self) -> bytes:
        return self.content

    def recv_exit_status(self) -> int:
        return self.code


@pytest.mark.parametrize("runner", ["local", "ssh"])
def test_sizes(tmp_path: Path, runner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (estate := tmp_path / "estate").mkdir()
    (estate / "workflow.xml").write_text(_WORKFLOW)
    (dag,) = read(estate, {"runner": runner}).dags
    (bin_folder := tmp_path / "bin").mkdir()
    (bin_folder / "hdfs").write_text(_CLIENT)
    (bin_folder / "hdfs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    names: dict[str, Any] = {"subprocess": subprocess, "shlex": shlex, "re": re, "SSHHook": Shell}
    for function in dag.functions:
        if "hdfs" in function.name:
            exec(function.source, names)
    text = next(
        function.source
        for function in dag.functions
        if "hdfs_size(" in function.source and "def hdfs_size" not in function.source
    )
    assert 'hdfs_size("-d", ' in text
    assert 'hdfs_size("-e", ' in text
    data = tmp_path / "data"
    (data / "deeper").mkdir(parents=True)
    (data / "deeper" / "large").write_bytes(b"x" * 5000)
    (data / "one").write_bytes(b"x" * 100)
    (data / "two").write_bytes(b"x" * 20)
    size = names["hdfs_size"]
    assert size("-d", str(data)) == 120
    assert size("-d", str(data / "deeper")) == 5000
    assert size("-d", str(data / "absent")) == -1
    assert size("-d", str(data / "one")) == -1
    assert size("-e", str(data / "one")) == 100
    assert size("-e", str(data)) == 0
    assert size("-e", str(data / "absent")) == -1
