"""What a job waits for: conditions, times, windows, confirmations; and how Airflow waits for it."""
