"""An Airflow 2 or 3 that runs the Starship plugin: its own read routes, with the stable REST API beside them."""
