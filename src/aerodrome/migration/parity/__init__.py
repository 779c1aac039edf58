"""Compares a DAG in source and target: structure and results."""
