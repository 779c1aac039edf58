"""What sources in a managed environment share: code in its bucket, Airflow's REST API behind its own gate, an archive."""
