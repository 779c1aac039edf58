"""Reads Control-M definitions (XML exports, Automation API JSON) and turns them into Airflow DAGs."""
