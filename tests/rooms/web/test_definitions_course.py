"""An Oozie estate over the pages' own addresses, without a browser: connected, assessed, held, looked at, ended.

If these break, a team that comes from Oozie or Control-M cannot do on the pages what the guide tells.
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import httpx2
import pytest
from tests.rooms.migration.service.conftest import NAME, Desk
from tests.rooms.migration.service.test_holds import desk, store_url  # noqa: F401 - fixtures
from tests.rooms.migration.sources.test_definitions import COORDINATOR, WORKFLOW
from tests.rooms.web.conftest import http, platform, url  # noqa: F401 - fixtures

from aerodrome.web.credentials import SESSION_COOKIE

COORDINATORS = 60
LAST = f"load-{COORDINATORS - 1:03}"


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    """Coordinators enough for two pages of holds."""
    for number in range(COORDINATORS):
        name = f"load-{number:03}"
        folder = tmp_path / "apps" / name
        folder.mkdir(parents=True)
        (folder / "workflow.xml").write_text(WORKFLOW.replace('to="child"', 'to="end"'))
        text = COORDINATOR.replace("hourly-load", name).replace("apps/etl", f"apps/{name}")
        (folder / "coordinator.xml").write_text(text)
        (folder / "job.properties").write_text("nameNode=hdfs://nn:8020\n")
    return tmp_path / "apps"


class Visit:
    """A signed-in person without a browser."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        page = client.get("/migrations/new").text
        self._csrf = str(re.search(r'name="csrf" value="([^"]+)"', page)[1])  # type: ignore[index]

    def sees(self, path: str) -> str:
        answer = self._client.get(path)
        assert answer.status_code == 200, path
        return words(answer.text)

    def sends(self, path: str, **form: str) -> httpx2.Response:
        return self._client.post(path, data={"csrf": self._csrf, **form})


def words(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


def test_the_course_of_an_oozie_estate(desk: Desk, url: str, estate: Path) -> None:  # noqa: F811
    cookie = {SESSION_COOKIE: desk.platform.session_of("admin").reveal()}
    with httpx2.Client(base_url=url, cookies=cookie, headers={"Origin": url}, timeout=60) as client:
        visit = Visit(client)
        made = visit.sends("/migrations/new", kind="oozie", name=NAME, workspace="data", definitions=str(estate))
        assert made.status_code == 303
        base = made.headers["location"]
        assert visit.sends(f"{base}/assess").status_code == 303
        desk.work()
        assert "DAG runs" not in visit.sees(base)  # definitions tell no history, so none is counted
        assert "convert-caveat" in visit.sees(f"{base}/findings")
        assert "Convert the definitions" in visit.sees(f"{base}/plan")

        assert f"{COORDINATORS} of {COORDINATORS} DAGs cannot move yet" in visit.sees(f"{base}/holds")
        assert "page 1 of 2" in visit.sees(f"{base}/holds")
        assert LAST in visit.sees(f"{base}/holds?page=2")
        assert LAST not in visit.sees(f"{base}/holds")
        refused = visit.sends(f"{base}/holds", dag_id=LAST, last_done="2026-03-20T11:31Z", act="confirm")
        assert refused.status_code == 422
        assert "The next one after it is 2026-03-20T12:30" in refused.text
        assert refused.text.index(f'value="{LAST}"') < refused.text.index('value="load-000"')  # the error stands there
        said = visit.sends(f"{base}/holds", dag_id=LAST, last_done="2026-03-20T11:30Z", act="confirm")
        assert said.status_code == 303
        ready = visit.sees(f"{base}/holds?show=ready")
        assert f"{COORDINATORS - 1} of {COORDINATORS} DAGs cannot move yet" in ready
        assert "2026-03-20T12:30" in ready
        assert "load-000" not in ready

        assert "wave-1" in visit.sees(f"{base}/waves")
        parity = visit.sees(f"{base}/parity")
        assert "Oozie hands no results of its runs over" in parity
        assert "Run each DAG there once" not in parity
        assert visit.sends(f"{base}/checklist").status_code == 303
        desk.work()
        assert "Oozie cannot be asked from here" in visit.sees(f"{base}/checklist")
        asked = visit.sends(f"{base}/decommission", days="14", passphrase="some words for the end")
        assert asked.status_code == 303
        desk.work()
        end = visit.sees(f"{base}/decommission")
        assert "The source may not go yet." in end
        assert f"{3 * COORDINATORS} files of definitions" in end
        assert "Oozie does not tell here who else calls it." in end
        assert "Access log" not in end
        kept = visit.sends(f"{base}/evidence")
        assert kept.headers["content-disposition"].endswith('.tar"')
