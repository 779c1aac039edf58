"""Aerodrome: migrate an Apache Airflow estate with proof, then run it."""
