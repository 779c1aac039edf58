"""Transfers keep their direction, their wait and their paths; FTP and paths below a home go through hooks; z/OS jobs through Zowe."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.rooms.migration.convert.controlm.sample import convert, dag_of

from aerodrome.migration.convert.contract import Dag, Task
from aerodrome.migration.convert.controlm.snippets import PGP_TRANSFER, TRANSFER
from aerodrome.migration.convert.emission import compose


def arguments(task: Task) -> dict[str, Any]:
    return dict(task.arguments)


def transfer(folder: Path, **values: str) -> Dag:
    given = {"LPATH1": "/a/x.csv", "RPATH1": "/b/x.csv", "UPLOAD1": "1", "CONNTYPE1": "LOCAL", "RHOST": "r"} | values
    inside = "".join(f'<VARIABLE NAME="%%FTP-{name}" VALUE="{value}"/>' for name, value in given.items())
    job = f'<JOB JOBNAME="J" DAYS="ALL" APPL_TYPE="FILE_TRANS">{inside}</JOB>'
    return dag_of(convert(folder, f'<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">{job}</FOLDER>'), "F")


@pytest.mark.parametrize(
    ("direction", "source", "is_waiting"),
    [("0", "sftp:///b/x.csv", False), ("1", "file:///a/x.csv", False), ("2", "sftp:///b/x.csv", True), ("3", "file:///a/x.csv", True)],
)  # fmt: skip
def test_a_direction_is_from_right_or_left_with_or_without_a_wait(
    tmp_path: Path, direction: str, source: str, is_waiting: bool
) -> None:
    made = transfer(tmp_path, UPLOAD1=direction, CONNTYPE2="SFTP")
    assert arguments(made.task("J"))["src"] == source
    waits = [task for task in made.tasks if task.is_waiting]
    assert [arguments(task)["op_kwargs"]["path"] for task in waits] == [source] * is_waiting


class FTPHook:
    """Stands for the hook of a server whose home is `home`; changes into folders as Airflow's does."""

    home: Path

    def __init__(self, conn_id: str) -> None:
        self.at = self.home / conn_id

    def _go(self, path: str) -> Path:
        folder, _, name = path.rpartition("/")
        self.at = Path("/") / folder if path.startswith("/") else self.at / folder
        return self.at / name

    def list_directory(self, path: str) -> list[str]:
        return sorted(item.name for item in (self.at / path).iterdir())

    def retrieve_file(self, remote: str, local: str) -> None:
        shutil.copy(self._go(remote), local)

    def store_file(self, remote: str, local: str) -> None:
        shutil.copy(local, self._go(remote))

    def delete_file(self, path: str) -> None:
        self._go(path).unlink()


class ObjectStoragePath:
    """Stands for Airflow's storage: files of the machine."""

    def __init__(self, address: str, conn_id: str | None = None) -> None:
        self.path = Path(address.removeprefix("file://"))

    def copy(self, target: ObjectStoragePath) -> None:
        shutil.copy(self.path, target.path)

    def glob(self, pattern: str) -> list[Path]:
        return sorted(self.path.glob(pattern))

    def unlink(self) -> None:
        self.path.unlink()


def run(made: Dag, task_id: str, home: Path) -> None:
    FTPHook.home = home
    space: dict[str, Any] = {
        "FTPHook": FTPHook,
        "FTPSHook": FTPHook,
        "SFTPHook": FTPHook,
        "ObjectStoragePath": ObjectStoragePath,
        "TemporaryDirectory": TemporaryDirectory,
        "fnmatch": fnmatch,
        "Path": Path,
    }
    exec("\n".join(function.source for function in made.functions), space)
    task = arguments(made.task(task_id))
    space[task["python_callable"].text](**task["op_kwargs"])


def test_files_are_moved_from_an_ftp_server_below_its_home(tmp_path: Path) -> None:
    server, here = tmp_path / "home" / "r", tmp_path / "here"
    (server / "out").mkdir(parents=True)
    here.mkdir()
    for name in ("a.csv", "b.csv", "c.txt"):
        (server / "out" / name).write_text(name)
    made = transfer(tmp_path, UPLOAD1="0", CONNTYPE2="FTP", RPATH1="out/*.csv", LPATH1=f"{here}/", SRCOPT1="1")
    run(made, "J", tmp_path / "home")
    assert sorted(item.name for item in here.iterdir()) == ["a.csv", "b.csv"]
    assert [item.name for item in (server / "out").iterdir()] == ["c.txt"]
    with pytest.raises(FileNotFoundError):
        run(made, "J", tmp_path / "home")


def test_a_file_goes_to_the_home_of_an_sftp_user(tmp_path: Path) -> None:
    (tmp_path / "home" / "mod").mkdir(parents=True)
    (tmp_path / "r.json").write_text("{}")
    job = {
        "Type": "Job:FileTransfer",
        "ConnectionProfileSrc": "HERE",
        "ConnectionProfileDest": "MoD",
        "FileTransfers": [{"Src": f"{tmp_path}/r.json", "Dest": "~/r.json", "TransferOption": "SrcToDest"}],
    }
    exports = {
        "HERE": {"Type": "ConnectionProfile:FileTransfer:Local"},
        "MoD": {"Type": "ConnectionProfile:FileTransfer:SFTP"},
        "F": {"Type": "Folder", "J": job},
    }
    folder = tmp_path / "exports"
    folder.mkdir()
    conversion = convert(folder, json.dumps(exports), name="jobs.json")
    run(dag_of(conversion, "F"), "J", tmp_path / "home")
    assert (tmp_path / "home" / "mod" / "r.json").read_text() == "{}"
    assert "apache-airflow-providers-sftp[sshfs]>=5.7.0" in compose(conversion, "2.11")["requirements.txt"]


@pytest.mark.parametrize(
    "item",
    [{"TransferOption": "DirectoryListing"}, {"TransferOption": "SyncSrcToDest"}, {"IF_EXIST": "2"}, {"RECURSIVE": "1"}],
)  # fmt: skip
def test_a_transfer_that_does_something_else_raises(tmp_path: Path, item: dict[str, str]) -> None:
    files = [{"Src": "/a", "Dest": "/b"} | item]
    job = {
        "Type": "Job:FileTransfer",
        "ConnectionProfileSrc": "A",
        "ConnectionProfileDest": "B",
        "FileTransfers": files,
    }
    made = dag_of(convert(tmp_path, json.dumps({"F": {"Type": "Folder", "J": job}}), name="jobs.json"), "F")
    assert made.task("J").role == "raises"


def test_a_bucket_of_nobody_knows_which_end_is_asked_for(tmp_path: Path) -> None:
    job = {
        "Type": "Job:FileTransfer",
        "ConnectionProfileSrc": "ONE",
        "ConnectionProfileDest": "TWO",
        "S3BucketName": "b",
        "FileTransfers": [{"Src": "/a", "Dest": "/b"}],
    }
    text = json.dumps({"F": {"Type": "Folder", "J": job}})
    assert dag_of(convert(tmp_path, text, name="jobs.json"), "F").task("J").role == "raises"
    profile = {"connection_profiles": {"ONE": "SFTP"}}
    made = dag_of(convert(tmp_path, text, profile, name="jobs.json"), "F")
    assert arguments(made.task("J"))["dst"] == "s3://b/b"


@pytest.mark.parametrize(
    ("path", "bucket", "address"),
    [
        ("s3://b/in/", "b", "s3://b/in/"),
        ("s3://b", "", "s3://b/"),
        ("s3a://b/x", "b", "s3://b/x"),
        ("/in/", "b", "s3://b/in/"),
        ("s3://other/x", "b", None),
        ("hdfs://n/x", "", None),
    ],
)
def test_a_whole_address_names_its_bucket_once(tmp_path: Path, path: str, bucket: str, address: str | None) -> None:
    job = {
        "Type": "Job:FileTransfer",
        "ConnectionProfileSrc": "ONE",
        "ConnectionProfileDest": "TWO",
        "FileTransfers": [{"Src": "/a", "Dest": path}],
    } | ({"S3BucketName": bucket} if bucket else {})
    text = json.dumps({"F": {"Type": "Folder", "J": job}})
    profile = {"connection_profiles": {"ONE": "SFTP", "TWO": "SFTP" if path.startswith("hdfs") else "S3"}}
    task = dag_of(convert(tmp_path, text, profile, name="jobs.json"), "F").task("J")
    if address is None:
        assert task.role == "raises"
    else:
        assert address in (arguments(task).get("dst"), arguments(task).get("op_kwargs", {}).get("destination"))


@pytest.mark.parametrize(
    ("answer", "code"), [("CC 0000", 0), ("CC 0004", 0), ("CC 0008", 1), ("ABEND S0C7", 1), ("JCL ERROR", 1)]
)
def test_a_z_os_job_ends_by_its_completion_code(tmp_path: Path, answer: str, code: int) -> None:
    tool = tmp_path / "bin" / "zowe"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" > {tmp_path}/said\nprintf "%s" "{answer}"\n')
    tool.chmod(0o755)
    job = '<JOB JOBNAME="J" DAYS="ALL" TASKTYPE="Job" MEMLIB="PROD.JCL" MEMNAME="PAY01"/>'
    text = f'<FOLDER FOLDER_NAME="F" PLATFORM="MVS" FOLDER_ORDER_METHOD="SYSTEM">{job}</FOLDER>'
    task = dag_of(convert(tmp_path, text), "F").task("J")
    assert task.role == "real"
    environment = {"PATH": f"{tool.parent}:/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", arguments(task)["bash_command"]], env=environment, check=False)
    assert done.returncode == code
    assert "submit data-set PROD.JCL(PAY01) --wait-for-output" in (tmp_path / "said").read_text()


def test_a_query_in_pieces_is_one_text(tmp_path: Path) -> None:
    values = {
        "DB-EXEC_TYPE": "Open Query",
        "DB-ACCOUNT": "X",
        "DB-STP_PACKAGE": "*",
        "DB-QTXT-N002-SUBQTXT": "from t",
        "DB-QTXT-N001-SUBQTXT": "select *%4E",
        "DB-QTXT-N001-SUBQLENGTH": "11",
    }
    inside = "".join(f'<VARIABLE NAME="%%{name}" VALUE="{value}"/>' for name, value in values.items())
    job = f'<JOB JOBNAME="J" DAYS="ALL" APPL_TYPE="DATABASE">{inside}</JOB>'
    made = dag_of(convert(tmp_path, f'<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">{job}</FOLDER>'), "F")
    assert arguments(made.task("J"))["sql"] == "select *\nfrom t"


class Stored(type(Path())):  # type: ignore[misc]
    """Stands for a path of Airflow's storage."""

    def copy(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.read_bytes())


@pytest.mark.parametrize(("source", "landed"), [("in/day*.csv", "out/day1.csv"), ("in/day1.csv", "out")])
def test_files_of_a_pattern_go_into_the_destination_even_when_there_is_one(
    tmp_path: Path, source: str, landed: str
) -> None:
    space: dict[str, Any] = {"ObjectStoragePath": lambda path, conn_id: Stored(path)}
    exec(TRANSFER.source, space)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "day1.csv").write_text("1")
    space["transfer"](f"{tmp_path}/{source}", "a", f"{tmp_path}/out", "b", False)
    assert (tmp_path / landed).read_text() == "1"


@pytest.mark.parametrize(
    ("option", "value", "is_real"),
    [
        ("RECURSIVE1", "1", False),
        ("IF_EXIST1", "2", False),
        ("DSTOPT1", "1", False),
        ("DEST_NEWNAME1", "y.csv", False),
        ("EXCLUDE_WILDCARD1", "*.tmp", False),
        ("UNIQUE1", "1", False),
        ("PGP_ENABLE1", "1", False),
        ("RECURSIVE1", "0", True),
        ("RECURSIVE2", "1", True),
        ("WATCH_INTERVAL1", "10", True),
    ],
)
def test_an_option_of_an_xml_transfer_is_never_left_out_in_silence(
    tmp_path: Path, option: str, value: str, is_real: bool
) -> None:
    made = transfer(tmp_path, CONNTYPE2="SFTP", **{option: value})
    assert (made.task("J").role == "real") is is_real
    told = [item.reason for item in made.accounts if option[:-1] in item.reason]
    assert bool(told) is (not is_real or option == "WATCH_INTERVAL1")


PGP = """{"F": {"Type": "Folder", "J": {"Type": "Job:FileTransfer", "Host": "h", "ConnectionProfileSrc": "ONE",
  "ConnectionProfileDest": "TWO", "FileTransfers": [{"Src": "%s", "Dest": "/out/x.pgp", "PgpEncryption":
  {"PgpEnabled": true, "KeepEncryptedFiles": false, "PgpTemplateName": "TO BANK"}}]}}}"""


def test_a_transfer_with_pgp_asks_for_what_its_template_does(tmp_path: Path) -> None:
    profile = {"connection_profiles": {"ONE": "SFTP", "TWO": "SFTP"}}
    conversion = convert(tmp_path, PGP % "/in/x.csv", profile, "jobs.json")
    made = dag_of(conversion, "F")
    given = arguments(made.task("J"))["op_kwargs"]
    assert given["options"] == "{{ var.value['controlm.pgp.TO.BANK'] }}"
    assert (given["source"], given["destination"]) == ("sftp:///in/x.csv", "sftp:///out/x.pgp")
    assert [item.name for item in conversion.variables] == ["controlm.pgp.TO.BANK"]
    assert {"pgp-template"} <= {item.code for item in made.accounts}
    assert "variable-unknown" not in {item.code for item in made.accounts}
    compose(conversion, "2.11")
    several = dag_of(convert(tmp_path, PGP % "/in/*.csv", profile, "jobs.json"), "F")
    assert several.task("J").role == "raises"


def test_gpg_encrypts_and_decrypts_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    (tmp_path / "keys").mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "keys"))
    space: dict[str, Any] = {
        "ObjectStoragePath": lambda path, conn_id=None: Stored(path.removeprefix("file://")),
        "TemporaryDirectory": TemporaryDirectory,
        "shlex": shlex,
        "subprocess": subprocess,
    }
    exec(PGP_TRANSFER.source, space)
    plain, sealed, back = (tmp_path / name for name in ("plain", "sealed", "back"))
    plain.write_text("account 1")
    common = "--pinentry-mode loopback --passphrase 'a b'"
    space["pgp_transfer"](str(plain), "a", str(sealed), "b", f"--symmetric {common}")
    assert b"account" not in sealed.read_bytes()
    space["pgp_transfer"](str(sealed), "a", str(back), "b", f"--decrypt {common}")
    assert back.read_text() == "account 1"
    with pytest.raises(subprocess.CalledProcessError):
        space["pgp_transfer"](str(plain), "a", str(back), "b", f"--decrypt {common}")


def test_another_name_at_the_destination_is_not_left_out(tmp_path: Path) -> None:
    text = (PGP % "/in/x.csv").replace('"Dest"', '"DestinationFilename": "%s", "Dest"')
    profile = {"connection_profiles": {"ONE": "SFTP", "TWO": "SFTP"}}
    assert dag_of(convert(tmp_path, text % "y.pgp", profile, "jobs.json"), "F").task("J").role == "raises"
    assert dag_of(convert(tmp_path, text % "x.pgp", profile, "jobs.json"), "F").task("J").role == "real"
