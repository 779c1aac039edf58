"""What exports and Automation API files say: read into elements, then understood as a model free of Airflow."""
