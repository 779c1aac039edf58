"""%% variables and functions: which a job sees, and what they are in Jinja."""
