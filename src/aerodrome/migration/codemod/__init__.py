"""Upgrades DAG code to the target Airflow version."""
