"""Scripts that a deployment's own Python executes by path: standard library and Airflow only, nothing of ours."""
