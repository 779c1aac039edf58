"""REST resources under /api/v1; each module is one noun."""
