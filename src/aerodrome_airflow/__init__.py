"""The small part installed inside a deployment's Airflow: standard library and Airflow only."""
