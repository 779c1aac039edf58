"""The whole story on this machine: a self-managed Airflow, migrated and running."""
