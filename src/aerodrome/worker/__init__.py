"""The loop: lease a job, run its handler, say when to look again."""
