"""Where a source keeps its task logs, and what reads them: a folder here, S3, or Google Cloud Storage."""
