"""Seconds of each chapter of the demo, and rows per second of the history transfer, from one real run.

python bench/landing.py          one JSON line on stdout, the story on stderr
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    home = Path(os.environ.get("AERODROME_DEMO_HOME", ".demo")).absolute()
    with tempfile.TemporaryDirectory(prefix="aerodrome-bench-") as folder:
        command = [sys.executable, "-m", "aerodrome.cli", "demo", "--exit"]
        env = {**os.environ, "AERODROME_DEMO_HOME": str(home)}
        code = subprocess.run(command, cwd=folder, env=env, stdout=sys.stderr, check=False).returncode
        if code:
            return code
        report = json.loads((Path(folder) / "demo-report.json").read_text())
    figures = {"phases": report["phases"], "history_rows_per_s": report["history_rows_per_s"]}
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
