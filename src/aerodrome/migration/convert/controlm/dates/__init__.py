"""When Control-M orders folders and jobs, and the schedules that say the same."""
