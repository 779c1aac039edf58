"""The faces of the control plane: REST API, pages, agent link, Airflow gate."""
