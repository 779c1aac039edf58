"""Parses a project's DAGs under an exact Airflow environment, and reads from code what each DAG refers to."""
