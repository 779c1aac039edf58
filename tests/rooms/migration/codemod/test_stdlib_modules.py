"""Modules that Python itself has lost: a proof on an older Python calls the file equal, and the deployment does not read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES


@pytest.mark.parametrize(
    ("source", "version"),
    [
        ("import imp\nimp.reload(x)\n", "3.12"),
        ("from distutils.util import strtobool\nstrtobool('yes')\n", "3.12"),
        ("def f():\n    import cgi\n    return cgi.escape\n", "3.13"),
        ("import asyncore as a\nclass B(a.dispatcher): ...\n", "3.12"),
        ("try:\n    import imp\nfinally:\n    imp.reload(x)\n", "3.12"),
        ("try:\n    import imp\nexcept ImportError:\n    imp = None\nimp.reload(x)\n", ""),
        ("try:\n    import importlib\nexcept ImportError:\n    import imp as importlib\nimportlib.reload(x)\n", ""),
        ("from .imp import load\nload()\n", ""),
        ("import importlib\nimportlib.reload(x)\n", ""),
    ],
)
def test_a_module_that_is_gone_is_told(source: str, version: str) -> None:
    done = rewrite(source.encode(), RULES, Options())
    assert done.text.decode() == source
    assert [spot.message.split()[1] for code, spot in done.spots if code == "stdlib-module"] == (
        [version] if version else []
    )


def test_what_nobody_uses_goes() -> None:
    source = "import os, imp\nfrom distutils.util import strtobool\nos.getcwd()\n"
    assert rewrite(source.encode(), RULES, Options()).text.decode() == "import os\nos.getcwd()\n"
    kept = "import imp\n__all__ = ['imp']\n"
    assert rewrite(kept.encode(), RULES, Options()).text.decode() == kept


def test_a_module_of_the_project_and_a_name_that_others_take_stay(tmp_path: Path) -> None:
    dags = tmp_path / "in" / "dags"
    dags.mkdir(parents=True)
    (dags / "parser.py").write_text("def parse(): ...\n")
    (dags / "base.py").write_text("import imp\n")
    (dags / "a.py").write_text("import airflow\nfrom base import imp\nfrom parser import parse\nimp.reload(parse)\n")
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2")
    assert (tmp_path / "out" / "dags" / "base.py").read_text() == "import imp\n"
    assert [(item.file, item.line) for item in done.findings if item.rule == "stdlib-module"] == [("dags/base.py", 1)]
