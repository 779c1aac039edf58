"""Versions for requirements.txt come from a real resolver and an index that tells when things were published; dead pins say why."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aerodrome.builds.locks import read_lock
from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.resolution import resolve_requirements

DAY = date(2026, 9, 20)
LOCKED = next(
    line for line in str(read_lock("3.3.2", "3.11")).splitlines() if line.startswith("sqlalchemy==")
).partition("==")[2]
PACKAGES: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {  # name: {version: (published, what it needs)}
    "apache-airflow": {"3.3.2": ("2026-09-17", ("sqlalchemy>=2",))},
    "sqlalchemy": {
        "1.4.0": ("2021-01-01", ()),
        "2.0.50": ("2026-01-01", ()),
        "2.1.0": ("2026-10-01", ()),
        LOCKED: ("2026-12-01", ()),
    },
    "frames": {"1.0": ("2022-01-01", ("sqlalchemy<2",)), "2.0": ("2026-02-01", ())},
    "apache-airflow-providers-http": {"4.0": ("2023-01-01", ())},
    "plain": {"1.0": ("2022-01-01", ()), "1.1": ("2026-03-01", ())},
    "apache-airflow-providers-ssh": {"3.0.0": ("2022-01-01", ("sqlalchemy<2",)), "6.0.0": ("2026-09-01", ())},
}


def _metadata(file: str) -> bytes:
    """Give what a wheel's METADATA says (PEP 658: the index serves it beside the wheel)."""
    stem, version = file.split("-")[:2]
    name = stem.replace("_", "-")
    needs = PACKAGES[name][version][1]
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {need}\n" for need in needs
    )
    return text.encode()


class _Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.strip("/").split("/")[-1]
        if self.path.startswith("/files/"):
            self._answer(_metadata(name), "application/octet-stream")
        elif name in PACKAGES:
            files = [
                {
                    "filename": (file := f"{name.replace('-', '_')}-{version}-py3-none-any.whl"),
                    "url": f"/files/{file}",
                    "hashes": {},
                    "core-metadata": True,
                    "upload-time": f"{day}T00:00:00Z",
                }
                for version, (day, _) in PACKAGES[name].items()
            ]
            text = json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files})
            self._answer(text.encode(), "application/vnd.pypi.simple.v1+json")
        else:
            self.send_error(404)

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Index)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name in ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS", "UV_OFFLINE", "UV_EXCLUDE_NEWER"):
        monkeypatch.delenv(name, raising=False)
    url = f"http://127.0.0.1:{server.server_port}/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", url)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def test_pins_stay_or_are_lifted_with_the_reason(index: str) -> None:
    text = "# ours\nframes==1.0  # kept?\nplain==1.0\nsqlalchemy<3\n-e ./lib\n"
    new, rules, findings = resolve_requirements(text, "requirements.txt", "3.3.2", "3.11", DAY)
    assert new == "# ours\nframes==2.0  # kept?\nplain==1.0\nsqlalchemy==2.0.50\n-e ./lib\n"
    assert rules == {"dead-pin": 1, "requirement-version": 1}
    told = {item.rule: item for item in findings}
    assert (told["dead-pin"].line, told["requirements-unchecked"].line) == (2, 5)
    assert "frames==1.0" in told["dead-pin"].message
    assert "sqlalchemy" in told["dead-pin"].message
    assert resolve_requirements(new, "requirements.txt", "3.3.2", "3.11", DAY)[0] == new


def test_what_was_published_later_is_not_taken(index: str) -> None:
    new, _, _ = resolve_requirements("sqlalchemy\r\n", "r.txt", "3.3.2", "3.11", date(2026, 11, 1))
    assert new == "sqlalchemy==2.1.0\r\n"


def test_versions_go_with_what_a_deployment_is_locked_to(index: str) -> None:
    text = "sqlalchemy==2.1.0\nplain\n"
    new, rules, findings = resolve_requirements(text, "r.txt", "3.3.2", "3.11", date(2026, 12, 2))
    assert new == f"sqlalchemy=={LOCKED}\nplain==1.1\n"
    assert rules == {"dead-pin": 1, "requirement-version": 1}
    assert LOCKED in findings[0].message
    assert (
        resolve_requirements(text, "r.txt", "3.3.2", "3.11", date(2026, 11, 30))[0] == "sqlalchemy==2.1.0\nplain==1.1\n"
    )


def test_no_provider_is_older_than_what_airflow_3_was_tried_with(index: str) -> None:
    new, _, findings = resolve_requirements("apache-airflow-providers-http\n", "r.txt", "3.3.2", "3.11", DAY)
    assert new == "apache-airflow-providers-http\n"
    assert [item.rule for item in findings] == ["requirements-unresolvable"]
    new, _, findings = resolve_requirements("apache-airflow-providers-http==4.0\n", "r.txt", "3.3.2", "3.11", DAY)
    assert (new, findings) == ("apache-airflow-providers-http==4.0\n", ())


def test_nothing_fits(index: str) -> None:
    new, rules, findings = resolve_requirements("no-such-thing\n", "r.txt", "3.3.2", "3.11", DAY)
    assert (new, rules) == ("no-such-thing\n", {})
    assert [item.rule for item in findings] == ["requirements-unresolvable"]
    assert "no-such-thing" in findings[0].message


def test_what_fits_gets_its_version_though_another_does_not(index: str) -> None:
    text = "plain<1.1\nno-such-thing\nframes==1.0\nsqlalchemy\nneither==2.0\n"
    new, rules, findings = resolve_requirements(text, "r.txt", "3.3.2", "3.11", DAY)
    assert new == "plain==1.0\nno-such-thing\nframes==2.0\nsqlalchemy==2.0.50\nneither==2.0\n"
    assert rules == {"requirement-version": 2, "dead-pin": 1}
    told = {(item.rule, item.line): item.message for item in findings}
    assert told.keys() == {("dead-pin", 3), ("requirements-unresolvable", 2), ("requirements-unresolvable", 5)}
    assert "no-such-thing" in told["requirements-unresolvable", 2]
    assert "neither" in told["requirements-unresolvable", 5]


def test_without_an_index_it_is_said_what_was_not_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    new, rules, findings = resolve_requirements("plain==1.0\n", "r.txt", "3.3.2", "3.11", DAY)
    assert (new, rules) == ("plain==1.0\n", {})
    assert [item.rule for item in findings] == ["requirements-unchecked"]


def test_a_whole_project_gets_its_providers_at_a_day(index: str, tmp_path: Path) -> None:
    (source := tmp_path / "in").mkdir()
    (source / "d.py").write_text(
        "from airflow.contrib.operators.ssh_operator import SSHOperator\nSSHOperator(task_id='a')\n"
    )
    (source / "requirements.txt").write_text("apache-airflow==1.10.15\nplain==1.0\n")
    done = upgrade(source, tmp_path / "out", "3.3.2", Options(requirements_as_of=DAY))
    assert (tmp_path / "out/requirements.txt").read_text() == "plain==1.0\napache-airflow-providers-ssh==6.0.0\n"
    assert {"airflow-pin", "provider-needed", "requirement-version"} <= done.rules.keys()
