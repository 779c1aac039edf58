"""Turns Oozie and Control-M definitions into Airflow DAGs."""
