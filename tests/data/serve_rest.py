"""Run by an Airflow 2.x Python: serve its own web application with a user `reader` / `canary-rest-password`.

Usage: AIRFLOW_HOME=… AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=… python serve_rest.py PORT
"""

import sys

from airflow.www.app import create_app
from werkzeug.serving import run_simple

app = create_app()
with app.app_context():
    manager = app.appbuilder.sm
    if manager.find_user("reader") is None:
        manager.add_user("reader", "R", "E", "reader@example.org", manager.find_role("Admin"), "canary-rest-password")
run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
