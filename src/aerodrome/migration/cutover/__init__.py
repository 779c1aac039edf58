"""Hands one DAG over from source to target so that every interval has one owner."""
