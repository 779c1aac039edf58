"""What a job does, as tasks: one module a kind of job."""
