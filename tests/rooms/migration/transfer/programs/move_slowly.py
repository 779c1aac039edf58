"""Move a fixed history in tiny batches and say each step; the test kills this process in the middle."""

import sys
import time
from pathlib import Path

from tests.rooms.migration.transfer.conftest import AIRFLOW, MemorySource, make_history

from aerodrome.kernel.secret import Secret
from aerodrome.migration.transfer import FileCheckpoint, TargetDatabase, history, move_history
from aerodrome.runtimes.contract import AirflowAccess

url, fernet_key, checkpoint, pause_s, dag_ids = sys.argv[1:]
source = MemorySource(batch=3)
history.ROWS_PER_BATCH = 3
for dag_id in dag_ids.split(","):
    for kind, rows in make_history(dag_id, 7).items():
        source.rows.setdefault(kind, []).extend(rows)
target = TargetDatabase(AirflowAccess("", AIRFLOW, Secret(url), Secret(fernet_key), Secret("")))


def tell(text: str, done: int, total: int | None) -> None:
    print(text, done, total, flush=True)
    time.sleep(float(pause_s))


outcome = move_history(source, target, dag_ids.split(","), progress=tell, checkpoint=FileCheckpoint(Path(checkpoint)))
for item in outcome.kinds:
    print("done", item.kind, item.found, item.moved + item.same, item.failed_count, item.is_proven, item.target_hash)
