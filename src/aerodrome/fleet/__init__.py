"""Workspaces, clusters, deployments, deploys: commands, reads and the level-triggered reconciler."""
