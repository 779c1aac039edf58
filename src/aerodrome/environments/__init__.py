"""The environment manager: connections, variables and environment variables of workspaces and deployments, with versions."""
