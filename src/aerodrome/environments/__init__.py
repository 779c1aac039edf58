"""Connections, Airflow variables and environment variables of workspaces and deployments, with versions.

Called by fleet, which checks permissions and tells the reconciler. Functions that take a session run inside the caller's
transaction and never touch the secret store; those that take secrets run outside of any.
"""
