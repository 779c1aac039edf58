"""The project file: what it says is read, and what is wrong in it is named by file, line and field."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from aerodrome.builds import BundleStore
from aerodrome.builds.contract import ProjectSettings
from aerodrome.builds.project import NOT_INSTALLED, read_settings
from aerodrome.builds.trees import left_out, read_tree
from aerodrome.kernel.errors import Invalid


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "dags").mkdir(parents=True)
    (folder / "dags/a.py").write_text("A = 1")
    return folder


def settings_of(text: str, **files: str) -> ProjectSettings:
    named = {"aerodrome.yaml": text, **{name.replace("__", "."): content for name, content in files.items()}}
    return read_settings(named.get)


def test_everything_it_can_say_is_read_as_text() -> None:
    found = settings_of(
        "airflow: 3.3.2\npython: 3.10\ndescription: The shop's flows\nenv:\n  REGION: eu\n  DEBUG: true\n  ZIP: 01234\n"
        "env_files: [.env, more.env]\nconfig:\n  core.max_active_runs_per_dag: 4\n",
        __env="# ours\nexport REGION=us\nQUOTED='a # b'\nPLAIN=x # said\n",
        more__env="MORE=1\n",
        packages__txt="git  # for tools\nlibpq-dev\n\n",
    )
    assert (found.airflow, found.python, found.description) == ("3.3.2", "3.10", "The shop's flows")
    assert found.env == {
        "REGION": "eu", "DEBUG": "true", "ZIP": "01234", "QUOTED": "a # b", "PLAIN": "x", "MORE": "1",
    }  # fmt: skip
    assert found.config == {"core.max_active_runs_per_dag": "4"}
    assert found.system_packages == ("git", "libpq-dev")
    assert found.remarks == (NOT_INSTALLED,)


@pytest.mark.parametrize(
    ("text", "line", "field", "hint"),
    [
        ("airflo: 3.3.2", 1, "airflo", "Did you mean airflow?"),
        ("\nenvironment:\n  A: b", 2, "environment", ""),
        ("airflow: 3.3", 1, "airflow", "three numbers"),
        ("airflow: 3.99.0", 1, "airflow", "Choose one"),
        ("python: 3.8\nairflow: 3.3.2", 2, "airflow", "Choose one of"),
        ("python: three", 1, "python", "3.11"),
        ("env:\n  GOOD: a\n  not-good: b", 3, "env.not-good", "NAME: value"),
        ("env:\n  A: [1]", 2, "env.A", "one line"),
        ("env:\n  A: 1\n  A: 2", 3, "env.A", "Keep one"),
        ("config:\n  parallelism: 4", 2, "config.parallelism", "section.option"),
        ("env: [A]", 1, "env", "NAME: value"),
        ("env_files: [../secrets.env]", 1, "env_files", "beside aerodrome.yaml"),
        ("env_files:\n  - gone.env", 2, "env_files", "Add it"),
        ("a: [", 1, "", "Mend"),
        ("- airflow", 1, "", "fields"),
    ],
)
def test_what_is_wrong_is_named_by_line_and_field(text: str, line: int, field: str, hint: str) -> None:
    with pytest.raises(Invalid) as caught:
        settings_of(text)
    assert caught.value.code == "project-file-invalid"
    assert caught.value.details == {"file": "aerodrome.yaml", "line": line, "field": field}
    assert f"aerodrome.yaml, line {line}" in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"aerodrome__yaml": "env:\n  DB_PASSWORD: canary-1"}, "aerodrome.yaml, line 2, env.DB_PASSWORD"),
        ({"aerodrome__yaml": "env:\n  DB: postgresql://u:canary-1@h/d"}, "env.DB"),
        ({"aerodrome__yaml": "env_files: [.env]", "__env": "A=1\nAPI_KEY=canary-1"}, ".env, line 2, API_KEY"),
    ],
)
def test_secrets_are_refused_and_never_repeated(files: dict[str, str], where: str) -> None:
    named = {name.replace("__", "."): text for name, text in files.items()}
    with pytest.raises(Invalid) as caught:
        read_settings(named.get)
    assert caught.value.code == "project-holds-secret"
    assert where in caught.value.message
    assert "canary-1" not in str(caught.value)
    assert "env set --secret" in caught.value.hint


def test_env_files_belong_to_a_project_only_when_it_lists_them(tmp_path: Path, project: Path) -> None:
    for name in (".env", "prod.env", "dags/.env", ".env.local", ".env.example"):
        (project / name).write_text("A=1\n")
    assert [file.name for file in read_tree(project)] == [".env.example", "dags/a.py"]
    assert set(left_out(project)) == {".env", "prod.env", "dags/.env", ".env.local"}
    (project / "aerodrome.yaml").write_text("env_files: [.env]")
    bundle = BundleStore(tmp_path / "bundles").put(project)
    assert bundle.settings.env == {"A": "1"}
    assert (bundle.path / ".env").exists()
    assert not (bundle.path / "prod.env").exists()
    assert ".env" not in left_out(project)


def test_an_archive_cannot_bring_an_unlisted_env_file(tmp_path: Path, project: Path) -> None:
    (project / ".env").write_text("DB_PASSWORD=canary-2")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.add(project, ".")
    stream.seek(0)
    bundle = BundleStore(tmp_path / "bundles").put_archive(stream)
    assert not (bundle.path / ".env").exists()


def test_parts_are_composed_without_reading_them_again(tmp_path: Path, project: Path) -> None:
    store = BundleStore(tmp_path / "bundles")
    (project / "plugins").mkdir()
    (project / "plugins/p.py").write_text("P = 1")
    (project / "requirements.txt").write_text("attrs")
    base = store.put(project)
    (project / "dags/b.py").write_text("B = 1")
    (project / "plugins/p.py").write_text("P = 2")
    (project / "requirements.txt").write_text("requests")
    (project / "aerodrome.yaml").write_text("airflow: 3.3.2")
    whole = store.put(project)
    dags = store.compose(base, store.put(project, {"dags"}), {"dags"})
    assert dags.parts == {**base.parts, "dags": whole.parts["dags"]}
    assert dags.requirements == ("attrs",)
    assert (dags.path / "plugins/p.py").read_text() == "P = 1"
    assert (dags.path / "dags/b.py").read_text() == "B = 1"
    taken = {"requirements", "settings"}
    packages = store.compose(dags, store.put(project, taken), taken)
    assert (packages.requirements, packages.settings.airflow) == (("requests",), "3.3.2")
    (project / "plugins/p.py").write_text("P = 1")
    assert store.put(project).digest == packages.digest  # the same content is the same bundle, however it came together


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(Invalid, match="nested too deeply"):
        settings_of("airflow: " + "[" * 5000)
