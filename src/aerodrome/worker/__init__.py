"""The loop that leases jobs and runs their handlers; knows the job table and nothing of what the jobs are about."""
