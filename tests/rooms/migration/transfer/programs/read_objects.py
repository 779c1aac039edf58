"""Run inside Airflow 3.3: read moved objects through Airflow's own models."""

import json

from airflow.models import Connection, Variable
from airflow.models.pool import Pool
from airflow.utils.session import create_session
from sqlalchemy import select

with create_session() as session:
    connection = session.scalar(select(Connection).where(Connection.conn_id == "db"))
    variable = session.scalar(select(Variable).where(Variable.key == "limit"))
    names = ("conn_type", "host", "port", "schema", "login", "password", "extra", "description")
    found = {
        "connection": [getattr(connection, name) for name in names],
        "variable": [variable.val, variable.description],
        "pools": {pool.pool: pool.slots for pool in session.scalars(select(Pool))},
    }
print(json.dumps(found))
