"""What `pymysql.install_as_MySQLdb` does, for an Airflow 3 that looks for the driver mysqlclient before it does anything."""

from pymysql import *  # noqa: F403
