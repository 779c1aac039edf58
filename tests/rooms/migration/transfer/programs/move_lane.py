"""Move the history of a real source in tiny pieces and say each; the test kills this process in the middle."""

import sys
import time
from pathlib import Path

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import SourceConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import FileCheckpoint, TargetDatabase, history, move_history
from aerodrome.runtimes.contract import AirflowAccess

source_url, source_key, target_url, fernet_key, airflow, checkpoint, pause_s, dag_ids = sys.argv[1:]
history.ROWS_PER_BATCH, history.RUNS_PER_CHUNK, history.DAGS_PER_GROUP = 2, 2, 1
folder = Path(checkpoint).parent
config = SourceConfig("airflow-db", "old", Secret(source_url), Secret(source_key), dags_folder=folder)
source = open_source(config, b"fingerprints", SystemClock())
target = TargetDatabase(AirflowAccess("", airflow, Secret(target_url), Secret(fernet_key), Secret("")))


def tell(text: str, done: int, total: int | None) -> None:
    print(text, done, total, flush=True)
    time.sleep(float(pause_s))


outcome = move_history(source, target, dag_ids.split(","), progress=tell, checkpoint=FileCheckpoint(Path(checkpoint)))
for item in outcome.kinds:
    print("done", item.kind, item.found, item.moved + item.same, item.failed_count, item.is_proven, item.target_hash)
