"""The reverse proxy that opens a deployment's own Airflow UI, signed in by the platform."""
