"""The archive that an exporter script writes beside an Airflow: made there, sealed, carried here by anybody, read here."""
