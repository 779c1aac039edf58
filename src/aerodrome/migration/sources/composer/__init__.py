"""Google Cloud Composer: its environments API, its bucket, and Airflow's REST API behind its web server."""
