"""Amazon MWAA: its control plane, its bucket, and Airflow's REST API through InvokeRestApi."""
