"""Run by an Airflow 2.x Python: serve its own web application with a user `reader` / `canary-rest-password`.

Usage: AIRFLOW_HOME=… AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=… python serve_rest.py PORT
"""

import sys

from airflow.www.app import create_app
from werkzeug.security import generate_password_hash
from werkzeug.serving import run_simple

app = create_app()
with app.app_context():
    manager = app.appbuilder.sm
    if manager.find_user("reader") is None:
        hashed = generate_password_hash("canary-rest-password", "pbkdf2:sha256:1")  # it is checked at each call
        role = manager.find_role("Admin")
        manager.add_user("reader", "R", "E", "reader@example.org", role, hashed_password=hashed)
run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
