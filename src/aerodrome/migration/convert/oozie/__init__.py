"""Reads Oozie workflows, coordinators and bundles into neutral DAGs."""
