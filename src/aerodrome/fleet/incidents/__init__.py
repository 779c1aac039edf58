"""Health incidents: what is wrong with a deployment or the platform, since when and why."""
