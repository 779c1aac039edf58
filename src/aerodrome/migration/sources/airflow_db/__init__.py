"""A self-managed Airflow 2.x (and 3.x) seen through its metadata database and its folders."""
