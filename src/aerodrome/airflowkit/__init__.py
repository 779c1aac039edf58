"""What is true about Airflow: version facts, metadata schemas, REST clients, Fernet, API tokens."""
