"""A self-managed Airflow over its stable REST API: v1 of 2.x, v2 of 3.x."""
