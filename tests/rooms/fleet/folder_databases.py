"""Metadata databases of the small world: a folder of files that say what stands where. Keeps the contract across processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aerodrome.databases.crossing import Crossing
from aerodrome.databases.probing import DatabaseFacts
from aerodrome.kernel.errors import Broken, Conflict, Denied, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import Progress, RuntimeSpec
from aerodrome.runtimes.databases import Quieted, Unfinished, Upkeep


class FolderDatabases:
    """`troubles.json` beside the runtime's files makes a verb fail: {"database": {"cross": "sentence"}}."""

    def __init__(self, root: Path) -> None:
        self.root = root / "databases"
        self.troubles = root / "troubles.json"
        self.root.mkdir(parents=True, exist_ok=True)

    def rows(self, spec_url: str) -> dict[str, Any] | None:
        path = self._path(spec_url)
        return json.loads(path.read_text()) if path.exists() else None

    def write(self, spec_url: str, content: dict[str, Any]) -> None:
        path = self._path(spec_url)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(content))
        draft.replace(path)

    def create(self, name: str, password: Secret) -> Secret:
        self._fail("create")
        (self.root / f"managed-{name}").touch()
        return Secret(f"postgresql://{name}:{password.reveal()}@managed/{name}")

    def drop(self, name: str) -> None:
        self._fail("drop")
        (self.root / f"managed-{name}").unlink(missing_ok=True)
        self._path(f"postgresql://x@managed/{name}").unlink(missing_ok=True)

    def names(self) -> set[str]:
        return {path.name.removeprefix("managed-") for path in self.root.glob("managed-*")}

    def is_empty(self, name: str) -> bool:
        return not self._path(f"postgresql://x@managed/{name}").exists()

    def keep(self) -> bool:
        return bool(self.names())

    def probe(self, url: Secret) -> DatabaseFacts:
        if "wrong" in url.reveal():
            raise Denied("The password is wrong.", code="database-login-refused", details={"field": "database_url"})
        return DatabaseFacts("postgresql://h/a", "15.1", may_create_databases=False, is_ours=False)

    def cross(self, before: RuntimeSpec, after: RuntimeSpec, mark: str, progress: Progress) -> Crossing:
        content = self.rows(url_of(before)) or {}
        there = self.rows(url_of(after))
        if there is not None and there.get("mark") != mark:
            raise Conflict("The new database is not empty.", code="database-not-empty")
        self.write(url_of(after), {"mark": mark, "rows": ["half"]})
        self._fail("cross")
        progress("Copying")
        self.write(url_of(after), {"mark": mark, "rows": content.get("rows", [])})
        return Crossing("sqlite", "postgresql", {"dag_run": len(content.get("rows", []))}, {}, 0.1)

    def settle(self, spec: RuntimeSpec) -> None:
        content = self.rows(url_of(spec)) or {}
        self.write(url_of(spec), {"rows": content.get("rows", [])})

    def uncross(self, spec: RuntimeSpec, mark: str) -> None:
        if (self.rows(url_of(spec)) or {}).get("mark") == mark:
            self._path(url_of(spec)).unlink()

    def verify(self, spec: RuntimeSpec, folder: Path) -> Mapping[str, int]:
        self._fail("verify")
        return {"dag_run": json.loads((folder / "database").read_text())["rows"]}

    def quiet(self, spec: RuntimeSpec) -> Quieted:
        self._fail("quiet")
        return Quieted(1, 0, 0)

    def oldest_unfinished(self, spec: RuntimeSpec) -> Unfinished | None:
        return None

    def keep_up(self, spec: RuntimeSpec, pools: Mapping[str, int], log_days: int) -> Upkeep:
        self.write(f"pools@{spec.deployment_id}-pools", {"pools": dict(pools), "log_days": log_days})
        return Upkeep(tuple(sorted(pools)), 0, 0)

    def abandon_file(self, deployment_id: str) -> None:
        self._path(f"sqlite:{deployment_id}").unlink(missing_ok=True)

    def _path(self, url: str) -> Path:
        return self.root / f"{url.rpartition('@')[2].replace('/', '_').replace(':', '_')}.json"

    def _fail(self, verb: str) -> None:
        told = json.loads(self.troubles.read_text()) if self.troubles.exists() else {}
        trouble = told.get("database", {}).get(verb)
        if trouble:
            kind = Unavailable if trouble.startswith("Later") else Broken
            raise kind(trouble, code=f"database-{verb}-failed")


def url_of(spec: RuntimeSpec) -> str:
    """Name the database of a spec as the files here are named."""
    return spec.database_url.reveal() if spec.database_url else f"sqlite:{spec.deployment_id}"
