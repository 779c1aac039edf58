"""Move history and logs from an Airflow with the Starship plugin in tiny pieces and say each; the test kills this process in the middle."""

import sys
import time
from pathlib import Path

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import RestConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.sources.starship import xcoms
from aerodrome.migration.sources.starship.adapter import StarshipSource
from aerodrome.migration.transfer import FileCheckpoint, TargetDatabase, history, logs, move_history, move_logs
from aerodrome.runtimes.contract import AirflowAccess

source_url, password, options, target_url, fernet_key, airflow, checkpoint, into, pause_s, dag_ids = sys.argv[1:]
history.ROWS_PER_BATCH, history.DAGS_PER_GROUP, xcoms.ROWS_PER_BATCH, logs.TRIES_AT_ONCE = 2, 1, 2, 2
folder = Path(checkpoint).parent
config = RestConfig(
    "old", source_url, "reader", Secret(password), Secret(""), folder, config_file=Path(options), kind="starship"
)
source = open_source(config, b"fingerprints", SystemClock())
assert isinstance(source, StarshipSource)
target = TargetDatabase(AirflowAccess("", airflow, Secret(target_url), Secret(fernet_key), Secret("")))


def tell(text: str, done: int, total: int | None) -> None:
    print(text, done, total, flush=True)
    time.sleep(float(pause_s))


wanted = dag_ids.split(",")
outcome = move_history(source, target, wanted, progress=tell, checkpoint=FileCheckpoint(Path(checkpoint)))
for item in outcome.kinds:
    print("done", item.kind, item.found, item.moved + item.same, item.failed_count, item.is_proven, item.target_hash)
given = source.task_logs()
assert given is not None
copied = move_logs(target, wanted, given, Path(into), progress=tell)
print("logs", copied.found, copied.moved + copied.same, copied.missing, copied.failed_by_code.total())
