"""Names that a project imports from itself are found in its files, wherever a deployment puts them on Python's path."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod.project import Project

FILES = {
    "dags/parts/load.py": b"x = 1\n",
    "dags/parts/__init__.py": b"",
    "plugins/own.py": b"y = (\n",
    "tools.py": b"z = x\n",
}


@pytest.mark.parametrize(
    ("origin", "place"),
    [
        ("parts.load.x", ("dags/parts/load.py", "x")),
        ("dags.parts.load.x", ("dags/parts/load.py", "x")),
        ("parts.x", ("dags/parts/__init__.py", "x")),
        ("own.y", ("plugins/own.py", "y")),
        ("tools.z", ("tools.py", "z")),
        ("airflow.DAG", None),
        ("x", None),
    ],
)
def test_places(origin: str, place: tuple[str, str] | None) -> None:
    assert Project(FILES).place_of(origin) == place


def test_files_are_read_when_asked_for() -> None:
    project = Project(FILES)
    assert project.source("plugins/own.py") is None
    assert project.source("none.py") is None
    assert project.source("tools.py") is project.source("tools.py")
    assert project.mentioning(b"x") == ("dags/parts/load.py", "tools.py")
    made = iter((1, 2))
    assert [project.once("a", lambda: next(made)) for _ in range(2)] == [1, 1]
