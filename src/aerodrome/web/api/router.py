"""Collects the routers of the API, one per noun."""

from __future__ import annotations

from fastapi import APIRouter

from aerodrome.web.api import (
    alerts,
    audit,
    auth,
    backups,
    clusters,
    databases,
    deployments,
    deploys,
    environment,
    events,
    health,
    incidents,
    jobs,
    life,
    me,
    migration_code,
    migration_differences,
    migration_holds,
    migration_people,
    migration_policies,
    migration_waves,
    migrations,
    proofs,
    secrets_backends,
    tokens,
    usage,
    users,
    versions,
    workspaces,
)

TAGS = [
    {"name": "health", "description": "Is the server there."},
    {"name": "auth", "description": "Signing in."},
    {"name": "me", "description": "Who you are."},
    {"name": "workspaces", "description": "The rooms in which teams keep their deployments."},
    {"name": "clusters", "description": "Where deployments run."},
    {"name": "deployments", "description": "Each is one Airflow."},
    {"name": "databases", "description": "Where a deployment keeps its metadata, and moves between databases."},
    {"name": "backups", "description": "Copies of metadata databases, tried by restoring them."},
    {"name": "life", "description": "When deployments sleep and wake."},
    {"name": "deploys", "description": "Immutable versions put on a deployment."},
    {"name": "incidents", "description": "What is or was wrong, since when and why."},
    {"name": "versions", "description": "Other Airflow versions: rehearsals, upgrades, and the way back."},
    {"name": "environment", "description": "Connections, variables and environment variables."},
    {"name": "secrets-backends", "description": "Services in which teams keep connections and variables."},
    {"name": "migrations", "description": "Moving an Airflow here, step by step."},
    {"name": "alerts", "description": "Who is told when something needs somebody."},
    {"name": "users", "description": "People and their roles."},
    {"name": "tokens", "description": "Your API tokens."},
    {"name": "audit", "description": "Who did what."},
    {"name": "events", "description": "What happened, in order."},
    {"name": "jobs", "description": "The worker's table."},
]


def everything() -> APIRouter:
    """Give one router with every route of the API."""
    router = APIRouter()
    nouns = (
        health,
        auth,
        me,
        workspaces,
        clusters,
        deployments,
        databases,
        backups,
        life,
        deploys,
        usage,
        versions,
        incidents,
        environment,
        users,
        tokens,
        audit,
        events,
        jobs,
        migrations,
        migration_waves,
        migration_code,
        migration_differences,
        migration_holds,
        migration_people,
        migration_policies,
        proofs,
        secrets_backends,
        alerts,
    )
    for noun in nouns:
        router.include_router(noun.router)
    return router
