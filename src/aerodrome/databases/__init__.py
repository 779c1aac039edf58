"""What happens to an Airflow metadata database as a whole: copy, snapshot, restore, upgrade, the way back, rehearsal."""
