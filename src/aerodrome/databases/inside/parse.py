"""Parses the DAGs folder once and writes it to the database, as Airflow 2's own parser does; import errors go into a file.

Airflow 2's `dag-processor` refuses SQLite, and `dags reserialize` keeps import errors to itself. Executed by a deployment's own
Python: parse.py ERRORS_FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Parse, write, tell the errors."""
    from airflow.models.dagbag import DagBag

    bag = DagBag(include_examples=False, read_dags_from_db=False)
    bag.sync_to_db()
    Path(sys.argv[1]).write_text(json.dumps({str(name): str(error) for name, error in bag.import_errors.items()}))


if __name__ == "__main__":
    main()
