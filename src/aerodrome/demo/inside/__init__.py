"""Scripts that run inside the virtualenv of the demo's self-managed Airflow; the product never imports them."""
