"""Puts the platform together from its settings. Called once per process, by the command that starts something."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import structlog

from aerodrome.access import Access
from aerodrome.airflowkit.versions import DEFAULT as DEFAULT_AIRFLOW
from aerodrome.alerts import Alerts
from aerodrome.alerts import delivery as alert_delivery
from aerodrome.bootstrap import housekeeping, logs
from aerodrome.bootstrap.housekeeping import Housekeeper
from aerodrome.bootstrap.remembering import RememberingSecretStore
from aerodrome.bootstrap.safekeeping import metadata
from aerodrome.bootstrap.secrets import open_secrets
from aerodrome.builds.bundles import BundleStore
from aerodrome.builds.venvs import VenvStore
from aerodrome.fleet import (
    acts,
    backups,
    clusters,
    databases,
    legacy_env,
    reconcile,
    rehearsing,
    retention,
    schedules,
    upkeep,
)
from aerodrome.fleet.acts import Acts
from aerodrome.fleet.acts.registry import KINDS
from aerodrome.fleet.backup_work import BackupWork
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.incidents import watch
from aerodrome.fleet.incidents.contract import Limits
from aerodrome.fleet.incidents.watch import Watcher
from aerodrome.fleet.reconcile import Reconciler
from aerodrome.fleet.rehearsing import Rehearser
from aerodrome.fleet.retention import Tidier
from aerodrome.fleet.schedules import Scheduler
from aerodrome.fleet.service import Fleet
from aerodrome.fleet.upkeep import Keeper
from aerodrome.kernel.clock import Clock, SystemClock
from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import Secret
from aerodrome.migration.service.jobs import MigrationJobs
from aerodrome.migration.service.service import Migrations
from aerodrome.runtimes.contract import Runtime
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.secretstores import Keyring, SecretStore, open_keyring
from aerodrome.settings.model import Settings
from aerodrome.store import Store, open_store, schema
from aerodrome.telemetry import Instruments
from aerodrome.worker.loop import Handler, Worker

_log = structlog.get_logger("aerodrome.bootstrap")


@dataclass
class App:
    """The assembled platform."""

    settings: Settings
    store: Store
    access: Access
    fleet: Fleet
    migrations: Migrations
    alerts: Alerts
    alert_delivery: alert_delivery.Delivery
    reconciler: Reconciler
    acts: Acts
    backup_work: BackupWork
    scheduler: Scheduler
    keeper: Keeper
    housekeeper: Housekeeper
    tidier: Tidier
    watcher: Watcher
    secrets: SecretStore
    keyring: Keyring
    bundles: BundleStore
    venvs: VenvStore
    runtime: Runtime
    clock: Clock
    redactor: Redactor
    instruments: Instruments
    worker: Worker
    first_login: Secret | None  # code of the one-time link for the first admin, until somebody has signed in once

    def start_worker(self) -> None:
        """Adopt what runs already and begin to work; returns at once."""
        self.housekeeper.ask()
        self.tidier.ask()
        self.watcher.ask()
        self.alert_delivery.ask()
        try:
            self.runtime.databases.keep()
            for deployment_id in databases.make_missing(self.reconciler.context):
                _log.warning("deployment.database_made_anew", deployment=deployment_id)
        except AerodromeError as error:  # deployments on SQLite or on other servers do not need it
            _log.warning("platform.postgres_down", code=error.code, error=error.message)
        metadata.bring_back(self.reconciler.context)
        for hand in (self.acts, self.backup_work, self.scheduler, self.keeper):
            hand.ask_all()
        adopted = self.reconciler.adopt_all()
        _log.info("platform.adopting", deployments=adopted)
        self.worker.start()

    def stop(self, grace_s: float = 10.0) -> None:
        """Stop working and let go of the database. Deployments keep running."""
        self.worker.stop(grace_s)
        self.runtime.rest()
        self.store.close()


def build(settings: Settings) -> App:
    """Open everything: the home folder, the database with the newest schema, keys, rooms. Starts nothing.

    Unavailable or Broken say what is wrong with the database or the keys.
    """
    redactor = Redactor()
    logs.configure(settings, redactor)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    clock = SystemClock()
    store = open_store(settings.store_url.reveal(), clock)
    instruments = Instruments()
    store.observe = instruments.transaction
    store.check()
    schema.upgrade(store)
    keyring = open_keyring(settings.home)
    secrets = RememberingSecretStore(open_secrets(settings, store, keyring), redactor)
    secrets.probe()
    access = Access(store, clock, session_hours=settings.session_hours, login_link_minutes=settings.login_link_minutes)
    bell = threading.Event()  # the commands ring it, the worker waits for it
    bundles, venvs = BundleStore(settings.bundles_dir), VenvStore(settings.venvs_dir)
    runtime = LocalRuntime(settings.deployments_dir)
    context = FleetContext(
        store,
        bundles,
        venvs,
        runtime,
        secrets,
        clock,
        bell.set,
        settings.gate_url,
        settings.home,
        git_protocols=settings.git_protocols,
        git_timeout_s=settings.git_timeout_s,
        deploy_retention_days=settings.deploy_retention_days,
    )
    clusters.ensure_local(context)
    legacy_env.adopt(context)
    fleet = Fleet(context)
    stopping = threading.Event()
    housekeeper = Housekeeper(store, clock, settings, secrets)
    tidier = Tidier(context, bundles, venvs)
    watcher = Watcher(context, settings.home, limits_of(settings), is_stopping=stopping.is_set)
    reconciler = Reconciler(context, is_stopping=stopping.is_set)
    walker = Acts(context, KINDS, is_stopping=stopping.is_set)
    backup_work, scheduler = BackupWork(context), Scheduler(context)
    keeper = Keeper(context, backup_work.prune)
    alerts = Alerts(store, secrets, clock, bell.set)
    telling = alert_delivery.Delivery(store, secrets, clock, stopping.is_set)
    migrations = Migrations(
        store=store,
        fleet=fleet,
        bundles=bundles,
        secrets=secrets,
        fingerprint_key=keyring.fingerprint_key(),
        home=settings.home,
        clock=clock,
        ring=bell.set,
        alert_channels=alerts.channels_for,
    )
    handlers: dict[str, Handler] = {
        housekeeping.KIND: housekeeper.look,
        retention.KIND: tidier.look,
        watch.KIND: watcher.look,
        reconcile.KIND: reconciler.look,
        acts.KIND: walker.look,
        backups.TAKE: backup_work.take,
        backups.SCHEDULE: backup_work.schedule,
        schedules.KIND: scheduler.look,
        upkeep.KIND: keeper.look,
        alert_delivery.JOB: telling.look,
        rehearsing.KIND: Rehearser(context).look,
        **MigrationJobs(migrations, DEFAULT_AIRFLOW, is_stopping=stopping.is_set).handlers(),
    }
    worker = Worker(
        store,
        clock,
        handlers,
        threads=settings.worker_threads,
        lease_s=settings.worker_lease_s,
        poll_s=settings.worker_poll_s,
        bell=bell,
        stopping=stopping,
        observe=instruments.job,
    )
    return App(
        settings=settings,
        store=store,
        access=access,
        fleet=fleet,
        migrations=migrations,
        alerts=alerts,
        alert_delivery=telling,
        reconciler=reconciler,
        acts=walker,
        backup_work=backup_work,
        scheduler=scheduler,
        keeper=keeper,
        housekeeper=housekeeper,
        tidier=tidier,
        watcher=watcher,
        secrets=secrets,
        keyring=keyring,
        bundles=bundles,
        venvs=venvs,
        runtime=runtime,
        clock=clock,
        redactor=redactor,
        instruments=instruments,
        worker=worker,
        first_login=access.ensure_admin(),
    )


def limits_of(settings: Settings) -> Limits:
    """Give when something counts as wrong."""
    return Limits(
        watch_every_s=settings.watch_every_s,
        calm_s=settings.watch_every_s * 2.25,  # not seen in two looks
        database_bytes=int(settings.database_limit_gb * 1e9),
        queue_wait_s=settings.queue_wait_minutes * 60,
    )
