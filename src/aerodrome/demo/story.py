"""The story of `aerodrome demo`: a self-managed Airflow 2, really running, becomes a hosted Airflow 3 deployment.

Told as a user would do it: the server is a process of its own, everything goes through the typed client, and the plan is
edited before it is applied. The source is started by demo/selfmanaged.py, outside the platform.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from aerodrome.builds import Venv, VenvSpec, VenvStore
from aerodrome.client.client import Client
from aerodrome.client.migrations import Migration, NewSource
from aerodrome.demo import outcome
from aerodrome.demo.narrator import Chapter, Narrator
from aerodrome.demo.plan_edit import choose_first_wave, choose_python
from aerodrome.demo.platform import DemoPlatform
from aerodrome.demo.selfmanaged import AIRFLOW_VERSION, SelfManagedAirflow, python_version
from aerodrome.demo.source_files import project_requirements, write_private
from aerodrome.kernel.clock import from_text

TARGET_VERSION = "3.3.2"
WORKSPACE = "corner-shop"
MIGRATION = "corner-shop"
FIRST_WAVE = ("till_minutely", "stock_levels", "door_counter")  # they run every minute or half, so it can be awaited
WAVE = "first"


class Story:
    """One telling of the story, below one folder. `stop` ends everything that any telling there has left running."""

    def __init__(self, root: Path, console: Console) -> None:
        self.root = root.absolute()
        self.source = SelfManagedAirflow(self.root / "source")
        self.platform = DemoPlatform(self.root / "platform")
        self.narrator = Narrator(console)
        self.console = console
        self.client: Client | None = None

    def tell(self, report_folder: Path) -> dict[str, Any]:
        """Tell everything up to the report; gives what stands in demo-report.json. Broken when something did not move."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o755)
        with ThreadPoolExecutor(2) as pool:
            self._sweep()
            self.platform.start()
            target_venv = pool.submit(self._venv, TARGET_VERSION, self.platform.home / "venvs")
            self._start_source()
            client = self._serve(target_venv)
            self._await_history()
        self._connect(client)
        self._assess(client)
        digest = self._plan(client)
        self._apply(client, digest)
        self._cut_over(client)
        return self._report(client, report_folder)

    def stop(self) -> None:
        """Stop server, deployments and source, by identity. Data stays for a look; the next telling starts afresh."""
        if self.client:
            self.client.close()
            self.client = None
        with self.narrator.chapter("stop", "Stopping everything the demo started"), ThreadPoolExecutor(2) as pool:
            for stopped in [pool.submit(self.platform.stop), pool.submit(self.source.stop)]:
                stopped.result()

    def pages(self) -> dict[str, str]:
        """Give the addresses for a person: the platform's pages by a fresh one-time link, and both Airflows."""
        assert self.client is not None  # noqa: S101 - told after `tell`
        link = self.client.users.login_link(self.client.users.me().name).url.reveal()
        deployment = self.client.deployments.list()[0]
        return {
            "The platform (this link signs you in, once)": link,
            "The hosted Airflow 3": self.client.deployments.airflow_url(deployment.id),
            "The self-managed Airflow 2": f"{self.source.facts().web_url}  user admin, password in "
            f"{self.source.layout.secrets_file}",
        }

    # --- chapters ------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Stop what an earlier telling left behind and remove its data; virtualenvs stay."""
        leftovers = [self.root / "source", self.root / "platform"]
        if not any(folder.exists() for folder in leftovers):
            return
        with self.narrator.chapter("sweep", "Clearing away the last demo") as chapter:
            self.platform.stop(chapter.note)
            chapter.note("removing the old source")
            self.source.remove()
            for path in [*self.platform.home.glob("*"), *self.platform.root.glob("*")]:
                if path.name in {"venvs", "home"}:
                    continue
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.source = SelfManagedAirflow(self.root / "source")
        self.platform = DemoPlatform(self.root / "platform")

    def _venv(self, airflow_version: str, folder: Path) -> Venv:
        folder.mkdir(parents=True, exist_ok=True)
        return VenvStore(folder).ensure(VenvSpec(airflow_version, python_version(), project_requirements()))

    def _start_source(self) -> None:
        with self.narrator.chapter("source", f"A self-managed Airflow {AIRFLOW_VERSION} on this machine") as chapter:
            chapter.note("its virtualenv")
            venv = self._venv(AIRFLOW_VERSION, self.root / "venvs")
            facts = self.source.start(venv.path, chapter.note)
            chapter.outcome = f"scheduler, triggerer, webserver and {facts.database} run: {facts.web_url}"

    def _serve(self, target_venv: Future[Venv]) -> Client:
        with self.narrator.chapter("serve", "The platform: aerodrome serve") as chapter:
            chapter.note("signing in by the one-time link of the first start")
            self.client = client = self.platform.sign_in()
            chapter.note("workspace and virtualenv of the target")
            client.workspaces.create(WORKSPACE, "What moves from the shop's own Airflow")
            target_venv.result()
            chapter.outcome = self.platform.url
        return client

    def _await_history(self) -> None:
        with self.narrator.chapter("history", "The source runs its DAGs and makes history") as chapter:
            done = self.source.await_history(chapter.note)
            chapter.outcome = f"{sum(done.values())} runs of {len(done)} DAGs, really run"

    def _connect(self, client: Client) -> None:
        with self.narrator.chapter("connect", "Connect: register the source, read-only") as chapter:
            config = self.source.config()
            migration = client.migrations.connect(
                MIGRATION,
                WORKSPACE,
                NewSource(
                    database_url=config.database_url,
                    dags_folder=str(config.dags_folder),
                    fernet_keys=config.fernet_keys,
                    plugins_folder=str(config.plugins_folder),
                    include_folder=str(config.include_folder),
                    requirements_file=str(config.requirements_file),
                    config_file=str(config.config_file),
                    env_file=str(config.env_file),
                ),
            )
            chapter.outcome = f"Airflow {migration.source_version}"

    def _assess(self, client: Client) -> None:
        with self.narrator.chapter("assess", "Assess: freeze the estate, find what stands in the way") as chapter:
            client.migrations.assess(MIGRATION)
            seen = client.migrations.watch(MIGRATION, lambda _seen: None)
            found, findings = seen.data["found"], seen.data["findings"]
            chapter.outcome = ", ".join(
                [
                    *(f"{found[kind]} {kind}s" for kind in ("dag", "connection", "variable", "pool") if kind in found),
                    *(f"{count} {severity}" for severity, count in findings.items() if count),
                ]
            )

    def _plan(self, client: Client) -> str:
        with self.narrator.chapter("plan", "Plan: proposed, edited by hand, frozen") as chapter:
            text = client.migrations.plan(MIGRATION)["text"]
            text = choose_python(choose_first_wave(text, FIRST_WAVE, WAVE), python_version())
            write_private(self.root / "plan.yaml", text)
            plan = client.migrations.save_plan(MIGRATION, text)
            steps = list(client.migrations.dry_run(MIGRATION))
            chapter.outcome = f"{len(steps)} steps, digest {plan['digest'][:12]}: {self.root / 'plan.yaml'}"
        return str(plan["digest"])

    def _apply(self, client: Client, digest: str) -> None:
        title = f"Apply: workspace, deployment with Airflow {TARGET_VERSION}, code, deploy, transfer, validate"
        with self.narrator.chapter("apply", title) as chapter:
            client.migrations.apply(MIGRATION, digest)
            self._walk(client, chapter, "apply")

    def _cut_over(self, client: Client) -> None:
        with self.narrator.chapter("cutover", f"Cut over the first wave: {', '.join(FIRST_WAVE)}") as chapter:
            client.migrations.cutover(MIGRATION, WAVE)
            self._walk(client, chapter, f"cutover:{WAVE}")

    def _walk(self, client: Client, chapter: Chapter, track: str) -> None:
        """Follow a track: every finished step is a line, the running one is noted."""
        told: set[str] = set()

        def look(seen: Migration) -> None:
            for step in seen.steps:
                if step["track"] != track or step["key"] in told:
                    continue
                if step["status"] == "done":
                    told.add(step["key"])
                    chapter.say(f"{step['title']}{_seconds(step)}")
                elif step["status"] == "running":
                    progress = f": {step['progress']}" if step["progress"] else ""
                    chapter.note(f"{step['title']}{progress}")

        client.migrations.watch(MIGRATION, look, timeout_s=900)
        chapter.outcome = f"{len(told)} steps done"

    def _report(self, client: Client, folder: Path) -> dict[str, Any]:
        with self.narrator.chapter("report", "Report") as chapter:
            report = client.migrations.report(MIGRATION)
            html = client.migrations.report_html(MIGRATION)
            chapter.outcome = f"{folder / 'demo-report.json'}, {folder / 'demo-report.html'}"
        phases = {**self.narrator.phases, "total": round(sum(self.narrator.phases.values()), 1)}
        result = outcome.compose(report, phases)
        (folder / "demo-report.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
        (folder / "demo-report.html").write_text(html)
        for table in outcome.tables(result):
            self.console.print(table)
        outcome.check(result, FIRST_WAVE)
        return result


def _seconds(step: Mapping[str, Any]) -> str:
    began, ended = from_text(step["started_at"]), from_text(step["finished_at"])
    if began is None or ended is None or ended - began < timedelta(seconds=1):
        return ""
    return f" ({(ended - began).total_seconds():.0f} s)"
