"""A toy that speaks the little of Airflow's command line and health endpoint that the local runtime relies on.

It starts in 50 ms, so supervision can be tested with real processes. Its behaviour is set by environment variables:
TOY_CRASH=<component> ends it at once; TOY_STUBBORN=<component> ignores TERM and has a child that does too.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPORT = {name: {"status": "healthy"} for name in ("metadatabase", "scheduler", "triggerer", "dag_processor")}


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(REPORT).encode()
        self.send_response(200 if self.path.endswith("/health") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def migrate() -> None:
    url = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    if os.environ.get("TOY_MIGRATE") == "fail":
        sys.exit("the toy cannot migrate")
    connection = sqlite3.connect(url.partition("///")[2].partition("?")[0])
    connection.execute("create table if not exists migrated (id integer)")
    connection.commit()
    connection.close()


def main() -> None:
    command = sys.argv[1]
    print(f"toy {command} begins", flush=True)
    if command == "db":
        migrate()
        return
    if os.environ.get("TOY_CRASH") == command:
        sys.exit(3)
    if os.environ.get("TOY_STUBBORN") == command:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(
            [sys.executable, "-c", "import signal,time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
        )
    if command in {"api-server", "webserver"}:
        port = int(sys.argv[sys.argv.index("--port") + 1])
        ThreadingHTTPServer(("127.0.0.1", port), Health).serve_forever()
    while True:
        time.sleep(1)


main()
