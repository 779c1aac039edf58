"""A day of Control-M on paper, and how a DAG is compared with it."""
